/** What the routes and the sockets share: the node behind, the settings, the counters, the traces. */
import { TricordError } from '../base/errors.ts'
import type { Answered, CommandOptions, LockCommand } from '../lock/types.ts'
import type { Answered as QueueAnswered, QueueCommand } from '../queue/types.ts'
import { startSpan } from '../telemetry/tracing.ts'
import type { Transacted, Transaction } from '../transaction/types.ts'
import type { Backend } from './backend.ts'
import type { GatewayMetrics, WatchMetrics } from './metrics.ts'
import type { PastSubscriptions } from './socket/past-subscriptions.ts'
import type { ProducerTraces } from './producer-traces.ts'

/** A span that is open; its traceparent names it as the parent of what it causes. */
export interface GatewaySpan {
  readonly traceparent: string
  rename(name: string): void
  /** Links to another trace that has a part in this: ignored where that one is not sampled. */
  link(traceparent: string): void
  end(attributes?: Readonly<Record<string, string | number | boolean>>, error?: string): void
}
/** Starts a request's span, or null where the request is not sampled. */
export type StartSpan = (
  name: string,
  traceparent: string | null,
  attributes: Readonly<Record<string, string | number | boolean>>,
) => GatewaySpan | null

export interface GatewaySettings {
  readonly defaultLeaseMs: number
  readonly waitMsMax: number
  readonly bodyBytesMax: number
  /** Of a call that brings many values at once, which JSON makes longer by a third. */
  readonly batchBytesMax: number
  /** How long a command may take beyond what it asked to wait. */
  readonly commandTimeoutMs: number
}

export interface Gateway {
  readonly backend: Backend
  readonly settings: GatewaySettings
  readonly metrics: GatewayMetrics
  readonly startSpan: StartSpan | null
  /** The traces of messages that went out here, for their acks to link to. */
  readonly producers: ProducerTraces
  /** Of caches, to be resumed. */
  readonly pastSubscriptions: PastSubscriptions
}

/** What calls of queues need of it. */
export interface QueueGateway {
  readonly backend: Pick<Backend, 'queues' | 'lostLeases' | 'clock'>
  readonly settings: Pick<GatewaySettings, 'commandTimeoutMs'>
}

/** What subscriptions of caches need of it. */
export interface WatchGateway {
  readonly backend: Pick<Backend, 'invalidations' | 'lendings' | 'clock'>
  readonly settings: Pick<GatewaySettings, 'commandTimeoutMs'>
  readonly metrics: WatchMetrics
  readonly pastSubscriptions: PastSubscriptions
}

type OnSubmitted = (cancel: () => void) => void

/** One command as a promise: for HTTP, where each call is a promise anyway. `onSubmitted` gets the way to give it up. */
export function run(gateway: Gateway, command: LockCommand, options: CommandOptions, onSubmitted?: OnSubmitted): Promise<Answered> {
  return submitted(gateway.backend.locks, gateway, command, options, onSubmitted)
}

export function runQueue(
  gateway: Gateway,
  command: QueueCommand,
  options: CommandOptions,
  onSubmitted?: OnSubmitted,
): Promise<QueueAnswered> {
  return submitted(gateway.backend.queues, gateway, command, options, onSubmitted)
}

export function runTransaction(gateway: Gateway, transaction: Transaction, options: CommandOptions): Promise<Transacted> {
  return submitted(gateway.backend.transactions, gateway, transaction, options, undefined)
}

interface Facade<C, A> {
  submit(command: C, options: CommandOptions, done: (reply: A | TricordError) => void): { cancel(): void }
}

function submitted<C extends { readonly type: string }, A extends { readonly type: string }>(
  facade: Facade<C, A>,
  gateway: Gateway,
  command: C,
  options: CommandOptions,
  onSubmitted: OnSubmitted | undefined,
): Promise<A> {
  return new Promise((resolve, reject) => {
    const span = startSpan(`ask ${command.type}`, options.traceparent ?? '', 'client', { 'tricord.node': gateway.backend.node })
    const traced = span ? { ...options, traceparent: span.traceparent } : options
    const submission = facade.submit(command, traced, (reply) => {
      span?.end({ 'tricord.outcome': reply instanceof TricordError ? reply.code : reply.type })
      if (reply instanceof TricordError) reject(reply)
      else resolve(reply)
    })
    onSubmitted?.(() => submission.cancel())
  })
}

/** A reply of the kind that the command asks for; anything else is not of this version. */
export function expectReply<A extends { readonly type: string }, T extends A['type']>(reply: A, type: T): Extract<A, { type: T }> {
  if (reply.type !== type) throw new TricordError('UNKNOWN_OUTCOME', `the leader answered ${reply.type} instead of ${type}`)
  return reply as Extract<A, { type: T }>
}
