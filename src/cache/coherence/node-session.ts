/**
 * One node's right to read copies of one partition, and how it keeps it.
 *
 *   none ──somebody reads──▶ opening ──opened──▶ open ──renewed, every 500 ms──▶ open
 *     ▲                      (a new `n` each try)   │ its time is over, closed, a newer term
 *     └─────────────────────────────────────────────┘ and all copies are dead
 *
 * The lease counts from when the message was sent that it answers, and answers to older ones count as well: on a slow network several
 * are on their way. An `open` is sent only while there are no copies: the home takes it as the word that they are gone, since the
 * `first` of its kind. `n` never repeats, in the next life of the node neither.
 */
import type { Millis, NodeId, Term } from '../../base/ids.ts'

interface Send {
  readonly n: number
  readonly at: Millis
}

/** More than are sent while a lease lasts. */
const SENDS_MAX = 16

export interface NodeSession {
  /** The newest term that was heard of. What is older is not listened to any more. */
  term: Term
  /** Whose messages brought the term. */
  home: NodeId | null
  /** 0: none. */
  sid: number
  /** Reads of copies are allowed before. */
  leaseUntil: Millis
  /** Sessions so far: a copy belongs to one. */
  epoch: number
  /** Of the last `open` or `renew`. */
  n: number
  /** Of the first `open` since there was a session: no copies since. */
  first: number
  /** What was sent and is not answered, nor anything after it; the oldest first. */
  sends: readonly Send[]
  /** When to open or renew. */
  nextAt: Millis
  tries: number
  opening: boolean
  /** The number of its `leave`: the node stops, and there is no session any more. 0: it does not. */
  leaving: number
  /** That is in the log. */
  hasLeft: boolean
  /** Last time somebody read. */
  usedAt: Millis
}

/**
 * A life is numbered by the seconds of its start at least (cluster/identity.ts), and no node tries two million times a second:
 * so the numbers of the next life are above those of this one, however long it lasts, and below 2^53.
 */
const TRIES_PER_LIFE = 2 ** 21

/** `life`: rises with each start of the node. */
export function createSession(life: number): NodeSession {
  return {
    term: 0,
    home: null,
    sid: 0,
    leaseUntil: -Infinity,
    epoch: 0,
    n: life * TRIES_PER_LIFE,
    first: life * TRIES_PER_LIFE + 1,
    sends: [],
    nextAt: Infinity,
    tries: 0,
    opening: false,
    leaving: 0,
    hasLeft: false,
    usedAt: -Infinity,
  }
}

/** Of its end: copies of this epoch are dead from now on. */
export function endSession(session: NodeSession): void {
  session.sid = 0
  session.leaseUntil = -Infinity
  session.epoch += 1
  session.first = session.n + 1
  session.sends = []
  session.nextAt = Infinity
  session.opening = false
}

/** What `n` was given for is about to be sent. */
export function nextTry(session: NodeSession, now: Millis): number {
  session.n += 1
  session.sends = [...session.sends, { n: session.n, at: now }].slice(-SENDS_MAX)
  return session.n
}

/** The lease of an answer to the try `n`, or null where nothing is known of that, or it is over already. */
export function leaseOf(session: NodeSession, n: number, leaseMs: Millis, now: Millis): Millis | null {
  const sent = session.sends.find((send) => send.n === n)
  if (sent === undefined) return null
  // Answers to what was sent before say less.
  session.sends = session.sends.filter((send) => send.n > n)
  const until = sent.at + leaseMs
  return now < until ? until : null
}
