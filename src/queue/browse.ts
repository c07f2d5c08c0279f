/**
 * Looks through the messages of a queue that are in one state, in the order of their numbers, a page at a time. The bodies are
 * attached as the answer leaves (`attach.ts`).
 *
 * However many messages there are, a page is a short look: of those that come next so many are looked at. What is ready and
 * not among them is for the next page, so a page may be short, or empty, and have a cursor. Of the other states there may be
 * few in a deep backlog: they are then sought among the notes, in one pass, where those are not too many for that.
 */
import type { Millis } from '../base/ids.ts'
import { messageId } from './ids.ts'
import { BACKOFF, DEAD, DELAYED, LEASED, type Note } from './note.ts'
import type { Queue } from './queue.ts'
import type { MessageState } from './types.ts'

/** Messages that one page looks at, where that does not fill it sooner. */
export const LOOKED_AT_MAX = 20_000
/** Notes that one pass takes, in some ten milliseconds. */
export const SOUGHT_MAX = 200_000

/** A page of messages without their bodies. */
export interface BarePage {
  readonly bare: 'page'
  readonly queue: number
  readonly messages: readonly BareMessage[]
  readonly cursor: string | null
}
/** What the state knows of a message; enqueuedAt, group, priority and body are stored with it. */
export interface BareMessage {
  readonly seq: number
  readonly state: MessageState
  readonly attempt: number
  readonly remainingMs: Millis | null
  readonly consumer: string
  readonly reason: string
}

/** Those after number `after`. */
export function browse(queue: Queue, state: MessageState, after: number, max: number, time: Millis): BarePage {
  // One more than asked for says whether there is a next page.
  const { found, lookedAt, isEnd } = lookAhead(queue, state, after, max + 1)
  const isFull = found.length > max
  const isSought = !isFull && !isEnd && state !== 'ready' && queue.notes.size <= SOUGHT_MAX
  const all = isSought ? seek(queue, state, after, max + 1) : found
  const messages = all.slice(0, max).map((seq) => bare(queue, seq, time))
  const last = all.length > max ? all[max - 1] : all === found && !isEnd ? lookedAt : null
  return { bare: 'page', queue: queue.number, messages, cursor: last == null ? null : messageId(queue.number, last) }
}

interface Look {
  readonly found: readonly number[]
  readonly lookedAt: number
  /** There is nothing beyond what was looked at. */
  readonly isEnd: boolean
}

/** Looks at what comes next, whatever its state. */
function lookAhead(queue: Queue, state: MessageState, after: number, max: number): Look {
  const found: number[] = []
  let left = LOOKED_AT_MAX
  if (countOf(queue, state) === 0) return { found, lookedAt: after, isEnd: true }
  for (const seq of queue.presence.from(after + 1)) {
    if (stateOf(queue.notes.get(seq)) === state) found.push(seq)
    if (found.length === max || --left === 0) return { found, lookedAt: seq, isEnd: false }
  }
  return { found, lookedAt: after, isEnd: true }
}

/** The first ones among all notes. */
function seek(queue: Queue, state: MessageState, after: number, max: number): readonly number[] {
  let found: number[] = []
  let before = Infinity
  const cut = () => {
    found = found.sort((a, b) => a - b).slice(0, max)
    if (found.length === max) before = found.at(-1) as number
  }
  for (const note of queue.notes.values()) {
    if (note.seq <= after || note.seq >= before || stateOf(note) !== state) continue
    found.push(note.seq)
    if (found.length >= 2 * max) cut()
  }
  cut()
  return found
}

function countOf({ ready, leased, delayed, dead }: Queue, state: MessageState): number {
  return { ready, leased, delayed, dead: dead.size }[state]
}

function bare(queue: Queue, seq: number, time: Millis): BareMessage {
  const note = queue.notes.get(seq)
  if (note === undefined) return { seq, state: 'ready', attempt: 0, remainingMs: null, consumer: '', reason: '' }
  const { failures, consumer, reason } = note
  const state = stateOf(note)
  const until = note.state === LEASED ? note.deadline : note.state === BACKOFF ? note.changedAt : note.state === DELAYED ? note.since : null
  const remainingMs = until === null ? null : Math.max(0, until - time)
  return { seq, state, attempt: state === 'leased' ? failures + 1 : failures, remainingMs, consumer, reason }
}

/** Of a message that is there; without a note it is ready. */
function stateOf(note: Note | undefined): MessageState {
  if (note === undefined) return 'ready'
  if (note.state === LEASED) return 'leased'
  if (note.state === DEAD) return 'dead'
  return note.state === DELAYED || note.state === BACKOFF ? 'delayed' : 'ready'
}
