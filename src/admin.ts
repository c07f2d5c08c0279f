/**
 * The actor `admin`: what a gateway (on its own thread or in its own process) may ask of the node behind it.
 * One message type each way; the gateway's half is `gateway.ts`. Questions that need other nodes are promises of the
 * cluster facade, brought back by `pipeToSelf`.
 */
import type { Actor, ActorContext } from './actors/actor.ts'
import type { Envelope, Plain } from './actors/envelope.ts'
import { TricordError } from './base/errors.ts'
import type { NodeId } from './base/ids.ts'
import type { Cluster } from './cluster/types.ts'

export const ADMIN_PATH = 'admin'
export const ADMIN = 'admin'
export const ADMIN_REPLY = 'admin_reply'

export const ADMIN_WIRE = {
  admin: 'gateway -> its node: [operation, argument]; status, ring, explain, plan, add_member, remove_member, ready, metrics',
  admin_reply: 'node -> gateway: the answer, as plain data',
} as const

/** Operation -> argument and answer. All plain data. */
export interface AdminOperations {
  readonly status: { readonly argument: null }
  readonly ring: { readonly argument: null }
  readonly explain: { readonly argument: string }
  readonly plan: { readonly argument: { readonly add: readonly NodeId[]; readonly remove: readonly NodeId[] } }
  readonly add_member: { readonly argument: { readonly id: NodeId; readonly url: string } }
  readonly remove_member: { readonly argument: NodeId }
  readonly ready: { readonly argument: null }
  readonly metrics: { readonly argument: null }
}
export type AdminOperation = keyof AdminOperations

const LENGTH_MAX = 1_024
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LENGTH_MAX
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.length <= LENGTH_MAX && value.every(isText)
const isNothing = (value: Plain): boolean => value === null
const membersOf = (value: Plain): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? { ...value } : {})

/** Whoever can reach the node can ask: what does not have the form of its operation is refused, and is no bug. */
const ARGUMENTS: Readonly<Record<AdminOperation, (argument: Plain) => boolean>> = {
  status: isNothing,
  ring: isNothing,
  explain: isText,
  plan: (argument) => areTexts(membersOf(argument)['add']) && areTexts(membersOf(argument)['remove']),
  add_member: (argument) => isText(membersOf(argument)['id']) && isText(membersOf(argument)['url']),
  remove_member: isText,
  ready: isNothing,
  metrics: isNothing,
}

function isOperation(value: unknown): value is AdminOperation {
  return typeof value === 'string' && Object.hasOwn(ARGUMENTS, value)
}

export interface AdminDeps {
  readonly cluster: Cluster
  readonly metrics: () => Promise<string>
}

export function createAdmin(deps: AdminDeps): Actor {
  return {
    receive(envelope: Envelope, ctx: ActorContext): void {
      if (envelope.msgType !== ADMIN || !Array.isArray(envelope.payload)) {
        ctx.fail(envelope, 'INVALID_ARGUMENT', `admin does not take ${envelope.msgType}`)
        return
      }
      const [operation, argument] = envelope.payload as readonly Plain[]
      if (!isOperation(operation) || !ARGUMENTS[operation](argument ?? null)) {
        ctx.fail(envelope, 'INVALID_ARGUMENT', 'admin has no such operation, or it takes another argument')
        return
      }
      ctx.pipeToSelf(
        answer(deps, operation, argument as never),
        (reply) => ctx.reply(envelope, ADMIN_REPLY, reply as Plain),
        (error) => {
          if (!(error instanceof TricordError)) throw error
          ctx.fail(envelope, error.code, error.message)
        },
      )
    },
  }
}

async function answer(deps: AdminDeps, operation: AdminOperation, argument: never): Promise<unknown> {
  const { cluster } = deps
  switch (operation) {
    case 'status':
      return cluster.status()
    case 'ring':
      return cluster.ring()
    case 'explain':
      return cluster.explain(argument)
    case 'plan':
      return cluster.plan(argument)
    case 'add_member':
      return cluster.addMember(argument)
    case 'remove_member':
      return cluster.removeMember(argument)
    case 'ready':
      return cluster.ready()
    case 'metrics':
      return deps.metrics()
  }
}
