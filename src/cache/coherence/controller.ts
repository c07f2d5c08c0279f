/**
 * One node's copies of the lines of one partition (ADR 0006). A read of a copy that the node may read costs two look-ups.
 *
 *   load ──copy, session and time of the value good──▶ the copy
 *     └──else──▶ getS ──dataS, not revoked on its way──▶ kept, all are answered
 *                  └──dataU, or revoked──▶ those who asked before it was sent are answered, the others ask anew
 *
 * Invariants: a copy is readable only within its session, and only while no revocation of its grant was acknowledged;
 * nothing of an older term than the newest heard of is listened to; an `open` is sent only without copies.
 * Pure: no clock. Whoever drives it calls `tick` at `dueAt` at the latest.
 */
import type { Millis, NodeId, Term } from '../../base/ids.ts'
import type { LineState } from '../types.ts'
import type { Copy, CopyStore } from './copies.ts'
import type { Fetch, Waiter } from './fetch.ts'
import { createFetch, nextGiveUp, takeAsked, takeLate } from './fetch.ts'
import { retryMs } from './lease.ts'
import type { NodeSession } from './node-session.ts'
import { createSession, endSession, leaseOf, nextTry } from './node-session.ts'
import type { Held, LineId, ToHome, ToNode } from './protocol.ts'

export interface ControllerPort {
  /** null: to whoever leads the partition. */
  send(to: NodeId | null, message: ToHome): void
  /** Of a `load` that gave null. `until`: when the value is past its time, on this node's clock. */
  answer(ticket: number, held: Held, until: Millis): void
  /** The coherent value could not be had in time. */
  failed(ticket: number): void
}

export interface ControllerOptions {
  /** Rises with each start of the node. */
  readonly life: number
  readonly renewMs: Millis
  /** Without reads for that long the session is let go. */
  readonly idleMs: Millis
}

export const CONTROLLER_DEFAULTS: Omit<ControllerOptions, 'life'> = { renewMs: 500, idleMs: 60_000 }

export interface ControllerCounts {
  hits: number
  misses: number
  getS: number
  inv: number
  /** Copies invalidated that nobody had read since they came. */
  falseInv: number
  /** Sessions that ended while they were wanted. */
  breaks: number
}

export class Controller {
  readonly session: NodeSession
  readonly fetches = new Map<LineId, Fetch>()
  readonly counts: ControllerCounts = { hits: 0, misses: 0, getS: 0, inv: 0, falseInv: 0, breaks: 0 }
  rid = 0
  /** When `tick` is wanted. */
  dueAt: Millis = Infinity
  private readonly options: ControllerOptions
  private readonly port: ControllerPort
  private readonly copies: CopyStore

  constructor(options: ControllerOptions, copies: CopyStore, port: ControllerPort) {
    this.options = options
    this.copies = copies
    this.port = port
    this.session = createSession(options.life)
  }

  /** The copy, where it may be read now; else null, and the answer comes for the ticket, or `failed` at `giveUpAt`. */
  load(line: LineId, ticket: number, giveUpAt: Millis, now: Millis): Copy | null {
    const { session, counts } = this
    session.usedAt = now
    const copy = this.copies.get(line)
    if (copy !== undefined && this.isReadable(copy, now)) {
      copy.hit = true
      counts.hits += 1
      return copy
    }
    counts.misses += 1
    this.miss(line, { ticket, giveUpAt }, now)
    return null
  }

  /** Of this node, for `Tricord-Line` and the inspector. */
  stateOf(line: LineId, now: Millis): LineState {
    const copy = this.copies.get(line)
    return copy !== undefined && this.isReadable(copy, now) ? copy.state : 'I'
  }

  /** Whether the copy may be read now. One that may not will never be again, unless it is past its time only. */
  isReadable(copy: Copy, now: Millis): boolean {
    const { session } = this
    return copy.epoch === session.epoch && now < session.leaseUntil && now < copy.until
  }

  receive(from: NodeId, message: ToNode, now: Millis): void {
    const { session } = this
    if (message.term < session.term) return
    if (message.term > session.term) this.adopt(message.term, from, now)
    switch (message.type) {
      case 'opened':
        return this.opened(message.sid, message.n, message.leaseMs, now)
      case 'renewed':
        return this.renewed(message.sid, message.n, message.leaseMs, now)
      case 'closed':
        if (message.sid === session.sid && message.sid !== 0) this.breakSession(now)
        return
      case 'dataS':
        return this.data(message, message.g, now)
      case 'dataU':
        return this.data(message, 0, now)
      case 'dataX':
      case 'recall':
        return
      case 'inv':
        return this.invalidated(from, message.line, message.t)
      case 'view':
        return this.port.send(from, { type: 'viewAck', term: session.term })
    }
  }

  /** Does what is due; returns when to come again (`dueAt`). */
  tick(now: Millis): Millis {
    const { session } = this
    if (session.sid !== 0 && now >= session.leaseUntil) this.breakSession(now)
    let next = Infinity
    for (const [line, fetch] of this.fetches) next = Math.min(next, this.tickFetch(line, fetch, now))
    if (now >= session.nextAt) this.keepSession(now)
    this.dueAt = Math.min(next, session.nextAt, session.sid === 0 ? Infinity : session.leaseUntil)
    return this.dueAt
  }

  private miss(line: LineId, waiter: Waiter, now: Millis): void {
    if (this.session.sid !== 0 && now >= this.session.leaseUntil) this.breakSession(now)
    let fetch = this.fetches.get(line)
    if (fetch === undefined) {
      fetch = createFetch()
      this.fetches.set(line, fetch)
    }
    fetch.waiters.push(waiter)
    if (fetch.rid === 0) this.ask(line, fetch, now)
    this.dueAt = Math.min(this.dueAt, waiter.giveUpAt, this.session.nextAt, fetch.sendAt)
  }

  /** From the beginning: whoever waits has come before it is sent. */
  private ask(line: LineId, fetch: Fetch, now: Millis): void {
    const { session } = this
    if (session.sid === 0) {
      fetch.rid = 0
      if (!session.opening) this.openSession(now)
      return
    }
    this.rid += 1
    fetch.rid = this.rid
    fetch.sentAt = now
    fetch.sendAt = now
    fetch.tries = 0
    fetch.killed = 0
    fetch.asked = fetch.waiters.length
    this.sendFetch(line, fetch, now)
  }

  private sendFetch(line: LineId, fetch: Fetch, now: Millis): void {
    const { term, sid, home } = this.session
    fetch.sendAt = now + retryMs(fetch.tries)
    fetch.tries += 1
    this.counts.getS += 1
    this.port.send(home, { type: 'getS', term, sid, rid: fetch.rid, line })
  }

  private tickFetch(line: LineId, fetch: Fetch, now: Millis): Millis {
    for (const { ticket } of takeLate(fetch, now)) this.port.failed(ticket)
    if (fetch.waiters.length === 0) {
      this.fetches.delete(line)
      return Infinity
    }
    if (fetch.rid !== 0 && now >= fetch.sendAt) this.sendFetch(line, fetch, now)
    return Math.min(nextGiveUp(fetch), fetch.rid === 0 ? Infinity : fetch.sendAt)
  }

  private data(message: Extract<ToNode, { type: 'dataS' | 'dataU' }>, g: number, now: Millis): void {
    const { session } = this
    const { line, held } = message
    const fetch = this.fetches.get(line)
    if (fetch === undefined || fetch.rid !== message.rid || session.sid !== message.sid || now >= session.leaseUntil) return
    const until = held.ttlLeftMs === null ? Infinity : fetch.sentAt + held.ttlLeftMs
    if (g <= fetch.killed) return this.answerAsked(line, fetch, held, until, now)
    this.fetches.delete(line)
    if (now < until) this.copies.set(line, { held, g, epoch: session.epoch, until, state: 'S', hit: false })
    for (const { ticket } of fetch.waiters) this.port.answer(ticket, held, until)
  }

  /** The others came after it was sent: the value may be too old for them. */
  private answerAsked(line: LineId, fetch: Fetch, held: Held, until: Millis, now: Millis): void {
    for (const { ticket } of takeAsked(fetch)) this.port.answer(ticket, held, until)
    if (fetch.waiters.length > 0) this.ask(line, fetch, now)
    else this.fetches.delete(line)
  }

  private invalidated(from: NodeId, line: LineId, t: number): void {
    const { counts } = this
    counts.inv += 1
    const fetch = this.fetches.get(line)
    if (fetch !== undefined && t > fetch.killed) fetch.killed = t
    const copy = this.copies.get(line)
    if (copy !== undefined && copy.epoch === this.session.epoch && copy.g <= t) {
      if (!copy.hit) counts.falseInv += 1
      this.copies.delete(line)
    }
    this.port.send(from, { type: 'invAck', term: this.session.term, t, line })
  }

  private adopt(term: Term, from: NodeId, now: Millis): void {
    const { session } = this
    session.term = term
    session.home = from
    // An open that is under way stays good: there are no copies, and whoever leads may answer it.
    if (session.sid !== 0) this.breakSession(now)
  }

  private loseCopies(): void {
    endSession(this.session)
    for (const fetch of this.fetches.values()) fetch.rid = 0
  }

  private breakSession(now: Millis): void {
    this.loseCopies()
    if (this.isWanted(now)) {
      this.counts.breaks += 1
      this.openSession(now)
    }
  }

  private isWanted(now: Millis): boolean {
    return this.fetches.size > 0 || now - this.session.usedAt <= this.options.idleMs
  }

  private openSession(now: Millis): void {
    const { session } = this
    if (!session.opening) session.tries = 0
    session.opening = true
    this.port.send(null, { type: 'open', n: nextTry(session, now) })
    session.nextAt = now + retryMs(session.tries)
    session.tries += 1
    this.dueAt = Math.min(this.dueAt, session.nextAt)
  }

  /** Another try to open it; or to renew it, while somebody reads. */
  private keepSession(now: Millis): void {
    const { session } = this
    if (!this.isWanted(now)) {
      session.nextAt = Infinity
      session.opening = false
      return
    }
    if (session.sid === 0) return this.openSession(now)
    const { term, sid, home } = session
    this.port.send(home, { type: 'renew', term, sid, n: nextTry(session, now) })
    session.nextAt = now + retryMs(session.tries)
    session.tries += 1
  }

  private opened(sid: number, n: number, leaseMs: Millis, now: Millis): void {
    const { session } = this
    const until = leaseOf(session, n, leaseMs, now)
    if (!session.opening || until === null) return
    session.opening = false
    session.sid = sid
    this.extend(until, now)
    for (const [line, fetch] of this.fetches) this.ask(line, fetch, now)
  }

  private renewed(sid: number, n: number, leaseMs: Millis, now: Millis): void {
    const { session } = this
    const until = leaseOf(session, n, leaseMs, now)
    if (sid === session.sid && until !== null) this.extend(until, now)
  }

  private extend(until: Millis, now: Millis): void {
    const { session } = this
    session.leaseUntil = Math.max(session.leaseUntil, until)
    session.nextAt = (session.sentAt ?? now) + this.options.renewMs
    session.sentAt = null
    session.tries = 0
    this.dueAt = Math.min(this.dueAt, session.nextAt, session.leaseUntil)
  }
}
