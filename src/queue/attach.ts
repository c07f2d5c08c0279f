/**
 * What an answer gets as it leaves: the nodes that have it on disk, the bodies of what it delivers or shows. Bodies come from
 * memory where they are there still, else from the store, and with them those that will be wanted next.
 *
 *   bare reply ──▶ bodies in memory? ──all──▶ attached reply
 *                     └── some are not ──▶ cold read, with the next ones ──▶ attached reply
 *
 * What is gone by now is left out, and so is a delivery that is over, though its answer is only asked for again: the message
 * may be with somebody else. A message that is there has a body; where the store has none, the replica is damaged.
 */
import type { Plain } from '../actors/envelope.ts'
import { assert } from '../base/assert.ts'
import { type Eventually, after } from '../base/eventually.ts'
import type { AttachContext, ColdReads } from '../raft/machine.ts'
import { type StoredBody, decodeStored } from './bodies.ts'
import type { BareMessage, BarePage } from './browse.ts'
import { messageId } from './ids.ts'
import { LEASED, bytesOf } from './note.ts'
import type { Queue } from './queue.ts'
import { type BareDelivery, attachBodies, attachDurable, bareDeliveries, receiptIndex } from './replies.ts'
import type { QueueTable } from './table.ts'
import { type BrowsedMessage, QUEUE_LIMITS } from './types.ts'

type Found = StoredBody | undefined

/** No message: numbers begin with 1. */
const GONE = 0
/** So many messages, and about so many bytes, are read ahead. */
const AHEAD_MAX = 64
const AHEAD_BYTES_MAX = 262_144
/** Of a page of messages so many are read at once, for any of them may be large. */
const BROWSE_SLICE = 16

export function attach(table: QueueTable, reply: Plain, context: AttachContext): Eventually<Plain> {
  if (!Array.isArray(reply)) return isPage(reply) ? browsed(table, reply, context.cold) : reply
  const index = receiptIndex(reply)
  if (index !== null) return attachDurable(reply, context.durableOn(index))
  const bare = bareDeliveries(reply)
  if (bare === null) return reply
  const queue = table.byNumber.get(bare.queue)
  const isLive = ({ seq, token }: BareDelivery) => queue !== undefined && isLeased(queue, seq, token)
  if (queue === undefined || !bare.deliveries.some(isLive)) return attachBodies(reply, [])
  const seqs = bare.deliveries.map((delivery) => (isLive(delivery) ? delivery.seq : GONE))
  const attached = (bodies: readonly Found[]) =>
    attachBodies(
      reply,
      bodies.map((body, nth) => (isLive(bare.deliveries[nth] as BareDelivery) ? body : undefined)),
    )
  return after(find(queue, seqs, context.cold, true), attached)
}

function isLeased(queue: Queue, seq: number, token: number): boolean {
  const note = queue.notes.get(seq)
  return note !== undefined && note.state === LEASED && note.token === token
}

function isPage(reply: Plain): reply is Plain & BarePage {
  return typeof reply === 'object' && reply !== null && 'bare' in reply
}

/** What is stored of these messages, in their order; undefined for one that is gone. */
function find(queue: Queue, seqs: readonly number[], cold: ColdReads, isAhead: boolean): Eventually<readonly Found[]> {
  const found = new Map<number, StoredBody>()
  const missing: number[] = []
  for (const seq of seqs) {
    if (!queue.presence.has(seq)) continue
    const stored = queue.bodies.find(seq)
    if (stored === null) missing.push(seq)
    else found.set(seq, stored)
  }
  const inOrder = () => seqs.map((seq) => found.get(seq))
  if (missing.length === 0) return inOrder()
  const wanted = missing.length
  if (isAhead && queue.bodies.keepsStored) addAhead(queue, missing)
  missing.sort((a, b) => a - b)
  const read = (records: readonly (Uint8Array | undefined)[]) => {
    for (const [nth, record] of records.entries()) {
      const seq = missing[nth] as number
      if (!queue.presence.has(seq)) continue
      assert(record !== undefined, `the body of ${messageId(queue.number, seq)} is not in the store`)
      found.set(seq, decodeStored(record))
      if (missing.length > wanted) queue.bodies.cache(seq, record)
    }
    return inOrder()
  }
  return after(cold.get(missing.map((seq) => queue.bodies.keyOf(seq))), read)
}

/** Adds those that come next in the queue, as long as they are stored and not at hand. */
function addAhead(queue: Queue, missing: number[]): void {
  const newest = Math.max(...missing)
  const bytes = Math.max(...missing.map((seq) => bytesOf(queue.notes.get(seq)?.traits ?? 0)), 1)
  let left = Math.min(AHEAD_MAX, Math.floor(AHEAD_BYTES_MAX / bytes))
  for (const seq of queue.presence.from(newest + 1)) {
    if (left-- <= 0 || queue.bodies.has(seq)) break
    missing.push(seq)
  }
}

// ---- pages of messages ----

/** The page with its bodies; it ends early where they are too many bytes for one answer. */
function browsed(table: QueueTable, page: BarePage, cold: ColdReads, from = 0, shown: BrowsedMessage[] = [], bytes = 0): Eventually<Plain> {
  const queue = table.byNumber.get(page.queue)
  const slice = page.messages.slice(from, from + BROWSE_SLICE)
  if (queue === undefined || slice.length === 0) return pageOf(shown, page.cursor)
  const seqs = slice.map(({ seq }) => seq)
  const next = (bodies: readonly Found[]): Eventually<Plain> => {
    let total = bytes
    for (const [nth, body] of bodies.entries()) {
      if (body === undefined) continue
      const bare = slice[nth] as BareMessage
      shown.push(shownOf(queue, bare, body))
      total += body.body.length
      if (total > QUEUE_LIMITS.dequeueBytesMax) return pageOf(shown, cursorAfter(page, from + nth))
    }
    return browsed(table, page, cold, from + slice.length, shown, total)
  }
  return after(find(queue, seqs, cold, false), next)
}

function cursorAfter({ messages, queue, cursor }: BarePage, nth: number): string | null {
  return nth === messages.length - 1 ? cursor : messageId(queue, (messages[nth] as BareMessage).seq)
}

function shownOf(queue: Queue, { seq, ...rest }: BareMessage, { group, priority, enqueuedAt, body }: StoredBody): BrowsedMessage {
  return { id: messageId(queue.number, seq), ...rest, group, priority, enqueuedAt, body }
}

function pageOf(messages: readonly BrowsedMessage[], cursor: string | null): Plain {
  return { messages, cursor } as unknown as Plain
}
