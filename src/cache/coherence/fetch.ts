/**
 * A question for a line that is under way, and who waits for it.
 *
 *   waiters  a b c │ d e          a, b, c came before it was sent: any answer is one for them
 *                asked            d, e came later: only a copy that may be read now is
 *
 * The value of an answer without a live grant may have been read at the home before `d` came, and another write may have been
 * answered in between.
 */
import type { Millis } from '../../base/ids.ts'

export interface Waiter {
  readonly ticket: number
  readonly giveUpAt: Millis
}

export interface Fetch {
  /** To read the line, or to own it. */
  wants: 'S' | 'X'
  /** 0: not sent, for want of a session, or what this node wrote of the line has to be flushed first. */
  rid: number
  /** When it was first sent. */
  sentAt: Millis
  sendAt: Millis
  tries: number
  /** Grants up to this number were revoked since it was sent. */
  killed: number
  /** How many of the waiters came before it was sent. */
  asked: number
  waiters: Waiter[]
}

export function createFetch(wants: 'S' | 'X'): Fetch {
  return { wants, rid: 0, sentAt: 0, sendAt: Infinity, tries: 0, killed: 0, asked: 0, waiters: [] }
}

/** Those for whom an answer without a live grant is good. */
export function takeAsked(fetch: Fetch): readonly Waiter[] {
  const taken = fetch.waiters.slice(0, fetch.asked)
  fetch.waiters = fetch.waiters.slice(fetch.asked)
  fetch.asked = 0
  return taken
}

/** Those whose time is over. */
export function takeLate(fetch: Fetch, now: Millis): readonly Waiter[] {
  const late = fetch.waiters.filter(({ giveUpAt }) => giveUpAt <= now)
  if (late.length === 0) return late
  fetch.asked = fetch.waiters.slice(0, fetch.asked).filter(({ giveUpAt }) => giveUpAt > now).length
  fetch.waiters = fetch.waiters.filter(({ giveUpAt }) => giveUpAt > now)
  return late
}

export function nextGiveUp({ waiters }: Fetch): Millis {
  let next = Infinity
  for (const { giveUpAt } of waiters) if (giveUpAt < next) next = giveUpAt
  return next
}
