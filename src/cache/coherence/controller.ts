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
import type { ControllerCounts, ControllerOptions, ControllerPort } from './controller-port.ts'
import type { Copy, CopyStore } from './copies.ts'
import type { Fetch, Waiter } from './fetch.ts'
import { createFetch, nextGiveUp, takeAsked, takeLate } from './fetch.ts'
import { retryMs } from './lease.ts'
import { LentLines } from './lent-lines.ts'
import type { NodeSession } from './node-session.ts'
import { createSession, endSession, leaseOf, nextTry } from './node-session.ts'
import { Owner } from './owner.ts'
import type { Held, LineId, ToNode } from './protocol.ts'

export class Controller {
  readonly session: NodeSession
  readonly fetches = new Map<LineId, Fetch>()
  readonly lent: LentLines
  readonly owner: Owner
  readonly counts: ControllerCounts = { hits: 0, misses: 0, getS: 0, getM: 0, inv: 0, falseInv: 0, breaks: 0 }
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
    this.lent = new LentLines(port)
    this.owner = new Owner(options, this.session, this.lent, port)
  }

  /** The copy, where it may be read now; else null, and the answer comes for the ticket, or `failed` at `giveUpAt`. */
  load(line: LineId, ticket: number, giveUpAt: Millis, now: Millis): Copy | null {
    const copy = this.copies.get(line) ?? this.owner.copyOf(line)
    if (copy !== undefined && this.hit(copy, now)) return copy
    this.session.usedAt = now
    this.counts.misses += 1
    this.miss(line, { ticket, giveUpAt }, 'S', now)
    return null
  }

  /** A read of a copy that is of this partition and there now; false: it may not be read. */
  hit(copy: Copy, now: Millis): boolean {
    if (!this.isReadable(copy, now)) return false
    this.session.usedAt = now
    copy.hit = true
    this.counts.hits += 1
    return true
  }

  /**
   * To write the line alone: the copy, where this node owns it now, and `write` may follow. Else null, and the answer comes for the ticket:
   * then ask again, for by then it may be another's.
   */
  own(line: LineId, ticket: number, giveUpAt: Millis, now: Millis): Copy | null {
    this.session.usedAt = now
    const owned = this.owner.writable(line)
    if (owned !== null && this.isValid(owned.copy, now)) return owned.copy
    this.miss(line, { ticket, giveUpAt }, 'X', now)
    return null
  }

  /** A write of a line that `own` has just given; null: it is not this node's to write now. `make` gets the version. */
  write(line: LineId, make: (version: number) => Held, now: Millis): Copy | null {
    const owned = this.owner.writable(line)
    if (owned === null || !this.isValid(owned.copy, now)) return null
    const copy = this.owner.write(owned, make, now)
    this.dueAt = Math.min(this.dueAt, this.owner.lines.dueAt())
    return copy
  }

  /** What `port.flush` asked for is committed; or (false) refused, for the ownership was over. */
  flushed(line: LineId, own: number, version: number, isCommitted: boolean, now: Millis): void {
    this.owner.flushed(line, own, version, isCommitted, now)
    const fetch = this.fetches.get(line)
    if (fetch?.rid === 0) this.ask(line, fetch, now)
    this.dueAt = Math.min(this.dueAt, this.owner.lines.dueAt())
  }

  /** What it owns of the line is flushed and not written any more; `owner.lines` has it until that is done. */
  giveUp(line: LineId): void {
    this.owner.giveUp(line)
  }

  /** The copy, where a client may be lent it: until `session.leaseUntil` at most. `returned` has to follow. */
  lend(line: LineId, now: Millis): Copy | null {
    const copy = this.copies.get(line)
    if (copy === undefined || !this.isReadable(copy, now) || !this.lent.lend(line, copy)) return null
    this.session.usedAt = now
    return copy
  }

  /** No client reads the line any more. */
  returned(line: LineId, now: Millis): void {
    const { session } = this
    const acks = this.lent.returned(line)
    if (acks === null) return
    for (const { to, t } of acks) this.port.send(to, { type: 'invAck', term: session.term, t, line })
    if (this.lent.lines.size === 0) {
      if (session.leaving !== 0) this.tellThatItLeaves(now)
      else if (session.opening && session.sid === 0) this.openSession(now)
    }
    this.dueAt = Math.min(this.dueAt, session.nextAt)
    this.owner.acknowledgeView()
  }

  /** Of this node, for `Tricord-Line` and the inspector. */
  stateOf(line: LineId, now: Millis): LineState {
    const copy = this.copies.get(line) ?? this.owner.copyOf(line)
    return copy !== undefined && this.isReadable(copy, now) ? copy.state : 'I'
  }

  /** Whether the copy may be read now. One that may not will never be again, unless it is past its time only. */
  isReadable(copy: Copy, now: Millis): boolean {
    return this.isValid(copy, now) && now < copy.until
  }

  private isValid(copy: Copy, now: Millis): boolean {
    const { session } = this
    return copy.epoch === session.epoch && now < session.leaseUntil
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
        return this.dataX(message, now)
      case 'inv':
      case 'recall':
        return this.invalidated(from, message.line, message.t)
      case 'view':
        this.owner.viewFrom = from
        return this.owner.acknowledgeView()
      case 'left':
        session.hasLeft ||= message.n === session.leaving
    }
  }

  /** Does what is due; returns when to come again (`dueAt`). */
  tick(now: Millis): Millis {
    const { session } = this
    if (session.sid !== 0 && now >= session.leaseUntil) this.breakSession(now)
    let next = Infinity
    for (const [line, fetch] of this.fetches) next = Math.min(next, this.tickFetch(line, fetch, now))
    if (now >= session.nextAt) this.keepSession(now)
    next = Math.min(next, this.owner.tick(now))
    this.dueAt = Math.min(next, session.nextAt, session.sid === 0 ? Infinity : session.leaseUntil)
    return this.dueAt
  }

  private miss(line: LineId, waiter: Waiter, wants: 'S' | 'X', now: Millis): void {
    if (this.session.sid !== 0 && now >= this.session.leaseUntil) this.breakSession(now)
    let fetch = this.fetches.get(line)
    if (fetch === undefined) {
      fetch = createFetch(wants)
      this.fetches.set(line, fetch)
    }
    fetch.waiters.push(waiter)
    const isMore = wants === 'X' && fetch.wants === 'S'
    if (isMore) fetch.wants = 'X'
    if (fetch.rid === 0 || isMore) this.ask(line, fetch, now)
    this.dueAt = Math.min(this.dueAt, waiter.giveUpAt, this.session.nextAt, fetch.sendAt)
  }

  /** From the beginning: whoever waits has come before it is sent. */
  private ask(line: LineId, fetch: Fetch, now: Millis): void {
    const { session } = this
    if (session.sid === 0 || this.owner.isLeftOver(line)) {
      fetch.rid = 0
      if (session.sid === 0 && !session.opening) this.openSession(now)
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
    this.dueAt = Math.min(this.dueAt, fetch.sendAt)
    fetch.tries += 1
    const type = fetch.wants === 'S' ? 'getS' : 'getM'
    this.counts[type] += 1
    this.port.send(home, { type, term, sid, rid: fetch.rid, line })
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
    const { partition } = this.options
    const { line, held } = message
    const fetch = this.answered(message, now)
    if (fetch === null) return
    const until = held.ttlLeftMs === null ? Infinity : fetch.sentAt + held.ttlLeftMs
    // Who wants to own the line and is told what it holds is not to own it.
    if (g <= fetch.killed) return this.answerAsked(line, fetch, held, until, now, fetch.wants === 'X')
    this.fetches.delete(line)
    if (now < until) this.copies.set(line, { partition, held, g, epoch: session.epoch, until, state: 'S', hit: false })
    for (const { ticket } of fetch.waiters) this.port.answer(ticket, held, until)
  }

  /** The question that the message answers, where the answer may be taken now. */
  private answered(message: { readonly line: LineId; readonly rid: number; readonly sid: number }, now: Millis): Fetch | null {
    const { session } = this
    const fetch = this.fetches.get(message.line)
    if (fetch === undefined || fetch.rid !== message.rid || session.sid !== message.sid || now >= session.leaseUntil) return null
    return fetch
  }

  private dataX(message: Extract<ToNode, { type: 'dataX' }>, now: Millis): void {
    const { session } = this
    const { partition } = this.options
    const { line, held, g } = message
    const fetch = this.answered(message, now)
    if (fetch === null) return this.fetches.get(line)?.rid === message.rid ? undefined : this.owner.decline(message)
    // Nobody else knows better when it is over: counted from the question it would be too early by as long as that waited.
    const until = held.ttlLeftMs === null ? Infinity : now + held.ttlLeftMs
    if (g <= fetch.killed) return this.answerAsked(line, fetch, held, until, now)
    this.fetches.delete(line)
    this.copies.delete(line)
    this.owner.take(message, { partition, held, g, epoch: session.epoch, until, state: 'E', hit: false }, now)
    this.dueAt = Math.min(this.dueAt, this.owner.lines.dueAt())
    for (const { ticket } of fetch.waiters) this.port.answer(ticket, held, until)
  }

  /** The others came after it was sent: the value may be too old for them. */
  private answerAsked(line: LineId, fetch: Fetch, held: Held, until: Millis, now: Millis, isRefused = false): void {
    for (const { ticket } of takeAsked(fetch)) this.port.answer(ticket, held, until, isRefused)
    if (fetch.waiters.length > 0) this.ask(line, fetch, now)
    else this.fetches.delete(line)
  }

  private invalidated(from: NodeId, line: LineId, t: number): void {
    const { counts } = this
    counts.inv += 1
    const fetch = this.fetches.get(line)
    if (fetch !== undefined && t > fetch.killed) fetch.killed = t
    if (this.owner.revoked(from, line, t)) return
    const copy = this.copies.get(line)
    if (copy !== undefined && copy.epoch === this.session.epoch && copy.g <= t) {
      if (!copy.hit) counts.falseInv += 1
      this.copies.delete(line)
    }
    if (this.lent.callBack(line, { to: from, t }, this.session.epoch)) return
    this.port.send(from, { type: 'invAck', term: this.session.term, t, line })
  }

  private adopt(term: Term, from: NodeId, now: Millis): void {
    const { session } = this
    session.term = term
    session.home = from
    this.owner.forgetAcks()
    this.lent.forgetAcks()
    // An open that is under way stays good: there are no copies, and whoever leads may answer it.
    if (session.sid !== 0) this.breakSession(now)
  }

  private loseCopies(): void {
    endSession(this.session)
    this.owner.closeAll()
    this.lent.callAllBack()
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

  /** The node stops: it gives up its copies for good, and tells the home, until `session.hasLeft`. What it owns has to be flushed before. */
  leave(now: Millis): void {
    const { session } = this
    if (session.leaving !== 0) return
    this.loseCopies()
    session.leaving = nextTry(session, now)
    session.tries = 0
    session.nextAt = now
    this.dueAt = now
  }

  private tellThatItLeaves(now: Millis): void {
    const { session } = this
    // It would say that the copies of its clients are gone.
    const isSilent = session.hasLeft || this.lent.lines.size > 0
    session.nextAt = isSilent ? Infinity : now + retryMs(session.tries)
    if (isSilent) return
    session.tries += 1
    this.port.send(null, { type: 'leave', n: session.leaving })
  }

  private openSession(now: Millis): void {
    const { session } = this
    if (session.leaving !== 0) return
    if (!session.opening) session.tries = 0
    session.opening = true
    // The home takes it as the word that all copies are gone, those of clients as well.
    if (this.lent.lines.size > 0) return void (session.nextAt = Infinity)
    this.port.send(null, { type: 'open', n: nextTry(session, now), first: session.first })
    session.nextAt = now + retryMs(session.tries)
    session.tries += 1
    this.dueAt = Math.min(this.dueAt, session.nextAt)
  }

  /** Another try to open it; or to renew it, while somebody reads. */
  private keepSession(now: Millis): void {
    const { session } = this
    if (session.leaving !== 0) return this.tellThatItLeaves(now)
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
    // Another of the tries that it was opened by is answered, too.
    if (!session.opening) return this.renewed(sid, n, leaseMs, now)
    const sentAt = session.sends.at(-1)?.at ?? now
    const until = leaseOf(session, n, leaseMs, now)
    if (until === null) return
    session.opening = false
    session.sid = sid
    this.extend(until, sentAt)
    for (const [line, fetch] of this.fetches) this.ask(line, fetch, now)
  }

  private renewed(sid: number, n: number, leaseMs: Millis, now: Millis): void {
    const { session } = this
    if (sid !== session.sid || sid === 0) return
    const sentAt = session.sends.at(-1)?.at ?? now
    const until = leaseOf(session, n, leaseMs, now)
    if (until !== null) this.extend(until, sentAt)
  }

  /** `sentAt`: when the last message was sent, this one or a later. */
  private extend(until: Millis, sentAt: Millis): void {
    const { session } = this
    session.leaseUntil = Math.max(session.leaseUntil, until)
    session.nextAt = sentAt + this.options.renewMs
    session.tries = 0
    this.dueAt = Math.min(this.dueAt, session.nextAt, session.leaseUntil)
  }
}
