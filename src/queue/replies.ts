/**
 * Replies of the machine: tuples, since every one of them waits in the group's request table for a possible repetition, and
 * is sent to the caller's gateway. They come in two forms: *bare*, as the machine makes and the group keeps it, and
 * *attached*, with what the leader adds as the answer leaves (who has it on disk; bodies).
 *
 *   [REFUSED, code, message, details]       [PUT, created, config]
 *   [ENQUEUED, index, term, null, queue, (seq, deduplicated)*]
 *      attached: the ids of the nodes in place of null
 *   [DELIVERED, queue, (seq, token, attempt, group, visibilityMs, checkpoint)*]
 *      attached: [DELIVERED_WITH, queue, (seq, token, attempt, group, visibilityMs, checkpoint, enqueuedAt, body)*]
 *   [SETTLED, outcome*]   [MOVED, n]   [PURGED, n]   [DELETED]
 *   [TRANSACTED, index, term, null, result*]      attached as ENQUEUED
 *      result: [DID_ENQUEUE, queue, (seq, deduplicated)*] | [DID_ACK, n] | [DID_FENCE]
 *
 * Public ids are made from the numbers at the gateway, not inside the machine.
 */
import type { Plain } from '../actors/envelope.ts'
import { assert } from '../base/assert.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { LogIndex, Millis, NodeId, Term } from '../base/ids.ts'
import type { Refused } from '../base/refusal.ts'
import { messageId } from './ids.ts'
import type { DeliveredMessage, EnqueuedItem, ItemOutcome, QueueConfig, QueueReply, Receipt, TransactionResult } from './types.ts'

const REFUSED = 0
const PUT = 1
const ENQUEUED = 2
const DELIVERED = 3
const DELIVERED_WITH = 4
const SETTLED = 5
const MOVED = 6
const PURGED = 7
const DELETED = 8
const TRANSACTED = 9

const DID_ENQUEUE = 1
const DID_ACK = 2
const DID_FENCE = 3

const DURABLE_AT = 3
const ENQUEUED_HEAD = 5
const DELIVERED_HEAD = 2
const DELIVERY_WIDTH = 6
const DELIVERY_WITH_WIDTH = 8
const TRANSACTED_HEAD = 4
const RESULT_HEAD = 2

// ---- what the machine says ----

export function refused({ code, message, details }: Refused): Plain {
  return [REFUSED, code, message, details as Plain]
}

export function put(created: boolean, config: QueueConfig): Plain {
  return [PUT, created, config as unknown as Plain]
}

/** The reply to an enqueue; the messages follow with `addEnqueued`. */
export function enqueued(index: LogIndex, term: Term, queue: number): Plain[] {
  return [ENQUEUED, index, term, null, queue]
}

/** To `enqueued(…)` or `didEnqueue(…)`. */
export function addEnqueued(reply: Plain[], seq: number, deduplicated: boolean): void {
  reply.push(seq, deduplicated)
}

/** The reply to a dequeue; the messages follow with `addDelivery`. */
export function delivered(queue: number): Plain[] {
  return [DELIVERED, queue]
}

export interface Delivery {
  readonly seq: number
  readonly token: number
  readonly attempt: number
  readonly group: string
  readonly visibilityMs: Millis
  readonly checkpoint: string | null
}

export function addDelivery(reply: Plain[], { seq, token, attempt, group, visibilityMs, checkpoint }: Delivery): void {
  reply.push(seq, token, attempt, group, visibilityMs, checkpoint)
}

export function settled(outcomes: readonly ItemOutcome[]): Plain {
  return [SETTLED, ...outcomes]
}

export function moved(count: number): Plain {
  return [MOVED, count]
}

export function purged(count: number): Plain {
  return [PURGED, count]
}

export function deleted(): Plain {
  return [DELETED]
}

/** `results`: one of `didEnqueue`, `didAck`, `didFence` per op, in order. */
export function transacted(index: LogIndex, term: Term, results: readonly Plain[]): Plain {
  return [TRANSACTED, index, term, null, ...results]
}

export function didEnqueue(queue: number): Plain[] {
  return [DID_ENQUEUE, queue]
}

export function didAck(count: number): Plain {
  return [DID_ACK, count]
}

export function didFence(): Plain {
  return [DID_FENCE]
}

// ---- what the leader attaches ----

export interface AttachedBody {
  readonly enqueuedAt: Millis
  readonly body: Uint8Array
}

/** The log index of a reply with a receipt, else null. */
export function receiptIndex(reply: Plain): LogIndex | null {
  const tuple = reply as readonly Plain[]
  return tuple[0] === ENQUEUED || tuple[0] === TRANSACTED ? (tuple[1] as LogIndex) : null
}

/** A reply with a receipt, attached. */
export function attachDurable(reply: Plain, durableOn: readonly NodeId[]): Plain {
  const tuple = [...(reply as readonly Plain[])]
  tuple[DURABLE_AT] = durableOn
  return tuple
}

/** A delivery of a bare reply: which message, under which token. */
export interface BareDelivery {
  readonly seq: number
  readonly token: number
}

/** What a bare reply delivers, for whom to look up the bodies; null for any other reply, and where nothing is delivered. */
export function bareDeliveries(reply: Plain): { readonly queue: number; readonly deliveries: readonly BareDelivery[] } | null {
  const tuple = reply as readonly Plain[]
  if (tuple[0] !== DELIVERED || tuple.length === DELIVERED_HEAD) return null
  const deliveries: BareDelivery[] = []
  for (let at = DELIVERED_HEAD; at < tuple.length; at += DELIVERY_WIDTH) {
    deliveries.push({ seq: tuple[at] as number, token: tuple[at + 1] as number })
  }
  return { queue: tuple[1] as number, deliveries }
}

/** A delivering reply, attached. A delivery whose body is undefined (it is over by now) is left out. */
export function attachBodies(reply: Plain, bodies: readonly (AttachedBody | undefined)[]): Plain {
  const bare = reply as readonly Plain[]
  const attached: Plain[] = [DELIVERED_WITH, bare[1] as number]
  for (const [nth, found] of bodies.entries()) {
    if (found === undefined) continue
    const from = DELIVERED_HEAD + nth * DELIVERY_WIDTH
    for (let at = from; at < from + DELIVERY_WIDTH; at++) attached.push(bare[at] as Plain)
    attached.push(found.enqueuedAt, found.body)
  }
  return attached
}

// ---- what the gateway reads ----

type RefusedTuple = readonly [kind: number, code: ErrorCode, message: string, details: Readonly<Record<string, unknown>>]

/** The reply in the words of `types.ts`. `partition`: of the group that said it. */
export function decodeReply(reply: Plain, partition: number): QueueReply {
  assert(Array.isArray(reply), 'a reply of the queue machine is a tuple')
  const tuple = reply as readonly Plain[]
  switch (tuple[0]) {
    case REFUSED: {
      const [, code, message, details] = reply as unknown as RefusedTuple
      return { type: 'refused', code, message, details }
    }
    case PUT:
      return { type: 'put', created: tuple[1] as boolean, config: tuple[2] as unknown as QueueConfig }
    case ENQUEUED:
      return {
        type: 'enqueued',
        items: items(tuple, tuple[ENQUEUED_HEAD - 1] as number, ENQUEUED_HEAD),
        receipt: receipt(tuple, partition),
      }
    case DELIVERED:
      assert(tuple.length === DELIVERED_HEAD, 'deliveries leave the leader with their bodies')
      return { type: 'delivered', messages: [] }
    case DELIVERED_WITH:
      return { type: 'delivered', messages: deliveries(tuple) }
    case SETTLED:
      return { type: 'settled', outcomes: tuple.slice(1) as ItemOutcome[] }
    case MOVED:
      return { type: 'moved', moved: tuple[1] as number }
    case PURGED:
      return { type: 'purged', purged: tuple[1] as number }
    case DELETED:
      return { type: 'deleted' }
    case TRANSACTED: {
      const results = (tuple.slice(TRANSACTED_HEAD) as (readonly Plain[])[]).map(resultOf)
      return { type: 'transacted', results, receipt: receipt(tuple, partition) }
    }
  }
  assert(false, `a reply of an unknown kind: ${String(tuple[0])}`)
}

function receipt(tuple: readonly Plain[], partition: number): Receipt {
  const durableOn = (tuple[DURABLE_AT] ?? []) as readonly NodeId[]
  return { partition, index: tuple[1] as LogIndex, term: tuple[2] as Term, durableOn }
}

function items(tuple: readonly Plain[], queue: number, from: number): EnqueuedItem[] {
  const found: EnqueuedItem[] = []
  for (let at = from; at < tuple.length; at += 2)
    found.push({ id: messageId(queue, tuple[at] as number), deduplicated: tuple[at + 1] as boolean })
  return found
}

type DeliveryTuple = readonly [
  seq: number,
  token: number,
  attempt: number,
  group: string,
  visibilityMs: Millis,
  checkpoint: string | null,
  enqueuedAt: Millis,
  body: Uint8Array,
]

function deliveries(tuple: readonly Plain[]): DeliveredMessage[] {
  const messages: DeliveredMessage[] = []
  for (let at = DELIVERED_HEAD; at < tuple.length; at += DELIVERY_WITH_WIDTH) {
    const fields = tuple.slice(at, at + DELIVERY_WITH_WIDTH) as unknown as DeliveryTuple
    const [seq, token, attempt, group, visibilityMs, checkpoint, enqueuedAt, body] = fields
    assert(body instanceof Uint8Array && typeof group === 'string', 'a delivery without its body')
    messages.push({ id: messageId(tuple[1] as number, seq), token, attempt, group, visibilityMs, enqueuedAt, checkpoint, body })
  }
  return messages
}

function resultOf(tuple: readonly Plain[]): TransactionResult {
  if (tuple[0] === DID_ENQUEUE) return { enqueued: items(tuple, tuple[1] as number, RESULT_HEAD) }
  if (tuple[0] === DID_ACK) return { acknowledged: tuple[1] as number }
  return { fenced: true }
}
