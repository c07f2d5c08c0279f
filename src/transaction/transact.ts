/**
 * Queues and caches of a partition, in one entry of its log: all or nothing.
 *
 *   decode ─▶ may every put be done? ─▶ the queues' part, which is all or nothing itself ─▶ the puts, which cannot fail any more
 *      └──────────────┴────────────────────────┴──▶ refused: nothing has changed
 *
 * The two machines share nothing, so what the queues' part does makes no put fail.
 */
import type { Plain } from '../actors/envelope.ts'
import { assert } from '../base/assert.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import { entryLine } from '../cache/line-id.ts'
import type { CacheMachine } from '../cache/machine/machine.ts'
import { decodeReply as decodeCacheReply } from '../cache/machine/replies.ts'
import { decodeReply as decodeQueueReply, receiptIndex, refused, transacted } from '../queue/replies.ts'
import type { ApplyContext, StateMachine } from '../raft/machine.ts'
import { type Put, decodeMixed, encodeReply } from './codec.ts'

export function transact(queues: StateMachine, caches: CacheMachine, ctx: ApplyContext, ticket: number, bytes: Uint8Array): Plain {
  const mixed = decodeMixed(bytes)
  if (mixed.type === 'refused') return refused(mixed)
  const refusal = refusalOf(caches, mixed.ops)
  if (refusal !== null) return refused(refusal)
  const reply = mixed.queues === null ? transacted(ctx.index, ctx.term, []) : queues.apply(ctx, ticket, mixed.queues)
  assert(reply !== null, 'a transaction does not wait')
  if (receiptIndex(reply) === null) return refused(inPlace(reply, mixed.ops))
  const puts = mixed.ops.flatMap((put) => (put === null ? [] : [carryOut(caches, ctx, ticket, put)]))
  return encodeReply({ queues: reply, puts })
}

/** What of the state refuses a put. */
function refusalOf(caches: CacheMachine, ops: readonly (Put | null)[]): Refused | null {
  for (const [op, put] of ops.entries()) {
    if (put === null) continue
    const { namespace, cache, key } = put.command
    const owner = caches.ownerOf(entryLine(namespace, cache, key))
    if (owner !== null) return refuse('OWNER_BUSY', `${key} is written by ${owner.node} alone now`, { op, key })
  }
  const puts = ops.flatMap((put) => (put === null ? [] : [put.command]))
  return caches.refusalOfPuts(puts)
}

/** The queues count their own ops: the caller knows all of them. */
function inPlace(reply: Plain, ops: readonly (Put | null)[]): Refused {
  const refusal = decodeQueueReply(reply, 0)
  assert(refusal.type === 'refused', 'a transaction of queues is done or refused')
  const { op } = refusal.details
  if (typeof op !== 'number') return refusal
  const places = ops.flatMap((put, at) => (put === null ? [at] : []))
  return { ...refusal, details: { ...refusal.details, op: places[op] } }
}

function carryOut(caches: CacheMachine, ctx: ApplyContext, ticket: number, { bytes }: Put) {
  const reply = caches.apply(ctx, ticket, bytes)
  const { type, ...written } = decodeCacheReply(reply)
  assert(type === 'put' && 'created' in written && 'version' in written, 'a put that nothing refuses was refused')
  return { version: written.version, created: written.created as boolean }
}
