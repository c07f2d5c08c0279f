/**
 * What a controller does for the lines that its node owns: it gives versions to their writes, has them flushed in time, and gives
 * them back when they are asked for, when the session is over, or when nobody uses them.
 *
 * Invariant: a line is acknowledged as gone, released, or gone under a new term only when all that was written of it is in the log,
 * or told as lost.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { ControllerOptions, ControllerPort } from './controller-port.ts'
import type { Copy } from './copies.ts'
import type { LentLines } from './lent-lines.ts'
import type { NodeSession } from './node-session.ts'
import { OwnedByDue } from './owned-by-due.ts'
import type { OwnedLine } from './owned-lines.ts'
import { createOwned, flushNow, isClean, unflushed, wasRead, writable, writeOwned } from './owned-lines.ts'
import type { Held, LineId, ToNode } from './protocol.ts'

/** Lines that nobody uses are given back a few at a time. */
const GIVEN_BACK_PER_TICK = 64
const GIVE_BACK_MORE_MS: Millis = 50

export class Owner {
  readonly lines: OwnedByDue
  /** Who waits to hear that what is older than the term is gone. */
  viewFrom: NodeId | null = null
  private readonly options: ControllerOptions
  private readonly session: NodeSession
  private readonly lent: LentLines
  private readonly port: ControllerPort

  constructor(options: ControllerOptions, session: NodeSession, lent: LentLines, port: ControllerPort) {
    this.options = options
    this.session = session
    this.lent = lent
    this.port = port
    this.lines = new OwnedByDue(options.idleMs)
  }

  /** What is read of it. */
  copyOf(line: LineId): Copy | undefined {
    const owned = this.lines.get(line)
    return owned === undefined || owned.closing ? undefined : owned.copy
  }

  /** Where it may be written, so long as its copy is valid. */
  writable(line: LineId): OwnedLine | null {
    return writable(this.lines.get(line))
  }

  /**
   * Of a session that is over, and not flushed yet. The home thinks that nobody has it: asked for the line, it would end the ownership,
   * and what this node wrote would be lost by its own question.
   */
  isLeftOver(line: LineId): boolean {
    const owned = this.lines.get(line)
    return owned !== undefined && owned.copy.epoch !== this.session.epoch
  }

  write(owned: OwnedLine, make: (version: number) => Held, now: Millis): Copy {
    const copy = writeOwned(owned, make, now, now + this.options.flushMs)
    this.lines.moved(owned)
    return copy
  }

  /** The home gave the line. */
  take(message: Extract<ToNode, { type: 'dataX' }>, copy: Copy, now: Millis): void {
    const { line } = message
    const before = this.lines.get(line)
    if (before !== undefined) this.lose(before)
    this.lines.add(createOwned(message, copy, now))
    this.acknowledge(before)
  }

  /**
   * The home gave what nobody here waits for any more, nor ever will: the question was given up, or it is answered already. As long as
   * nobody else asks, the home would think that the line is in use. Older ownerships than that which is here are over by the log.
   */
  decline({ line, own, sid }: Extract<ToNode, { type: 'dataX' }>): void {
    const owned = this.lines.get(line)
    if (sid === this.session.sid && (owned === undefined || owned.own < own)) this.port.release(line, own)
  }

  flushed(line: LineId, own: number, version: number, isCommitted: boolean, now: Millis): void {
    const owned = this.lines.get(line)
    if (owned === undefined || owned.own !== own || owned.flushing?.version !== version) return
    if (isCommitted) owned.flushing = null
    else this.lose(owned)
    if (owned.closing) return this.close(owned)
    if (owned.dirty > 0) owned.flushAt = now + this.options.flushMs
    else owned.copy = { ...owned.copy, state: 'E' }
    this.lines.moved(owned)
  }

  giveUp(line: LineId): void {
    const owned = this.lines.get(line)
    if (owned !== undefined && !owned.closing) this.close(owned)
  }

  /** Grants up to `t` are over. False: it is none of them, and may be acknowledged at once. */
  revoked(from: NodeId, line: LineId, t: number): boolean {
    const owned = this.lines.get(line)
    if (owned === undefined || owned.copy.g > t) return false
    if (!owned.acks.some((ack) => ack.t === t)) owned.acks.push({ to: from, t })
    this.close(owned)
    return true
  }

  /** Does what is due; returns when to come again. */
  tick(now: Millis): Millis {
    let given = 0
    for (let owned = this.lines.dueBy(now); owned !== null; owned = this.lines.dueBy(now)) {
      if (now >= owned.flushAt) flushNow(this.port, owned)
      else if (wasRead(owned, now)) continue
      else if (given++ < GIVEN_BACK_PER_TICK) this.close(owned)
      else return now + GIVE_BACK_MORE_MS
    }
    return this.lines.dueAt()
  }

  /** What an older term numbered means something else in this one. */
  forgetAcks(): void {
    this.viewFrom = null
    for (const [, owned] of this.lines) owned.acks = []
  }

  /** The session is over. */
  closeAll(): void {
    for (const [, owned] of this.lines) this.close(owned)
  }

  /** What was written under an older term is flushed first, and what was lent is returned: the new home is silent until then, and gives it to nobody else. */
  acknowledgeView(): void {
    if (this.viewFrom === null) return
    if (this.lines.hasOthersThan(this.session.epoch)) return
    if (this.lent.isOut(this.session.epoch)) return
    this.port.send(this.viewFrom, { type: 'viewAck', term: this.session.term })
    this.viewFrom = null
  }

  /** The line became another's: what was not flushed is gone. */
  private lose(owned: OwnedLine): void {
    const count = unflushed(owned)
    owned.dirty = 0
    owned.flushing = null
    owned.flushAt = Infinity
    owned.closing = true
    if (count > 0) this.port.lost(owned.line, count)
  }

  /** It is not read and not written any more; once all is flushed it is gone. */
  private close(owned: OwnedLine): void {
    owned.closing = true
    if (!isClean(owned)) return flushNow(this.port, owned)
    this.lines.delete(owned.line)
    if (owned.acks.length === 0) this.port.release(owned.line, owned.own)
    this.acknowledge(owned)
    this.acknowledgeView()
  }

  private acknowledge(owned: OwnedLine | undefined): void {
    if (owned === undefined) return
    const { term } = this.session
    for (const { to, t } of owned.acks) this.port.send(to, { type: 'invAck', term, t, line: owned.line })
  }
}
