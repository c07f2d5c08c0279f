/**
 * This node's copies of the lines of one partition: drives a controller, and turns its tickets into promises.
 */
import { assert } from '../../base/assert.ts'
import { TricordError } from '../../base/errors.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import { Controller } from '../coherence/controller.ts'
import type { Lender } from '../coherence/borrowers.ts'
import { CONTROLLER_DEFAULTS } from '../coherence/controller-port.ts'
import type { Copy, CopyStore } from '../coherence/copies.ts'
import { nothingAt } from '../coherence/held.ts'
import { unflushed } from '../coherence/owned-lines.ts'
import type { Held, LineId, ToHome, ToNode } from '../coherence/protocol.ts'
import type { CacheReply } from '../machine/commands.ts'
import type { LineState } from '../types.ts'
import type { Flush } from './flushes.ts'
import { LINE_BYTES, type LineStore } from './line-store.ts'
import type { Hit } from './lines.ts'
import type { LocalWrite } from './local-write.ts'
import { Wakeup } from './wakeup.ts'

/**
 * What a write makes of what the line holds; the same whatever the version, but for that. Null: it is not one for an owner. A promise:
 * something else has to be there first.
 */
export type WriteOwned = (held: Held, version: number) => LocalWrite | null | Promise<unknown>

/** To judge a write before it gets one. */
const NO_VERSION = 0

export interface CopiesDeps {
  readonly partition: number
  readonly clock: Clock
  /** Of this node's boot. */
  readonly life: number
  readonly store: CopyStore
  /** For the lines that are written alone, in the node's budget of bytes. */
  readonly room: Pick<LineStore<Copy>, 'pin' | 'mayPin'>
  /** null: to whoever leads the partition. */
  readonly send: (to: NodeId | null, message: ToHome) => void
  /** Puts into the log what this node wrote as the owner of the line; tells when it is certain whether it is there. */
  readonly flush: (written: Flush, done: (isCommitted: boolean) => void) => void
  /** The ownership is over, in the log as well. */
  readonly release: (line: LineId, own: number) => void
  /** Acknowledged writes of an owned line are gone. */
  readonly onLost: (line: LineId, count: number) => void
  /** Clients that were lent the line are to give it back; `lender.returned` tells when they have. */
  readonly callBack: (line: LineId, lender: Lender) => void
  /** What lives longer by being read was read. */
  readonly onSlidingRead: (line: LineId, slidingMs: Millis) => void
  /** The home wants to know what is read, and something was. */
  readonly onTold: (line: LineId) => void
}

interface Asked {
  readonly line: LineId
  readonly resolve: (held: Held, isRefused: boolean) => void
  readonly reject: (error: TricordError) => void
}

export class PartitionCopies implements Lender {
  readonly controller: Controller
  /** What the home asked for last. */
  tellsReads = false
  readonly #deps: CopiesDeps
  readonly #wakeup: Wakeup
  readonly #asked = new Map<number, Asked>()
  #ticket = 0
  #pinnedBytes = 0
  #closed = false

  constructor(deps: CopiesDeps) {
    this.#deps = deps
    this.#wakeup = new Wakeup(deps.clock, () => this.#tick())
    this.controller = new Controller({ ...CONTROLLER_DEFAULTS, partition: deps.partition, life: deps.life }, deps.store, {
      send: deps.send,
      answer: (ticket, held, until, isRefused = false) => this.#answer(ticket, held, until, isRefused),
      flush: (line, own, version, held, until) =>
        deps.flush({ line, own, version, held, until }, (isCommitted) => this.#flushed(line, own, version, isCommitted)),
      release: deps.release,
      lost: deps.onLost,
      callBack: (line) => deps.callBack(line, this),
      failed: (ticket) => this.#take(ticket)?.reject(unreachable()),
    })
  }

  /**
   * A read of the copy that the store has just given, or of what this node writes alone, which is in no store. Null where neither may be
   * read. The clock is looked at once and after the copy, for its session and for the time of its value: it is read as of that moment, and
   * nothing is heard in between. Who was suspended in between finds the session over.
   */
  hit(line: LineId, found: Copy | undefined): Hit | null {
    const copy = found ?? this.controller.owner.copyOf(line)
    if (copy === undefined) return null
    const now = this.#deps.clock.now()
    if (!this.controller.hit(copy, now)) return null
    this.#wasRead(line, copy.held)
    return copy.until === Infinity ? copy : { held: heldAt(copy, now), state: copy.state }
  }

  read(line: LineId, timeoutMs: Millis): Held | Promise<Held> {
    const now = this.#deps.clock.now()
    const ticket = ++this.#ticket
    const copy = this.controller.load(line, ticket, now + timeoutMs, now)
    if (copy !== null) {
      this.#wasRead(line, copy.held)
      return heldAt(copy, now)
    }
    return this.#answerTo(ticket, line)
  }

  /**
   * Writes the line alone, as soon as this node owns it. Judged on what it holds then; null where `write` gives null, or the line
   * is not to be owned, or there is no room for more of them: it is to be written through the log. Rejects with NO_QUORUM.
   */
  writeOwned(line: LineId, timeoutMs: Millis, write: WriteOwned): Promise<CacheReply | null> {
    const { clock, room } = this.#deps
    const giveUpAt = clock.now() + timeoutMs
    return new Promise((resolve, reject) => {
      // At once as the line comes: in the next turn it may be another's.
      const attempt = (): void => {
        const now = clock.now()
        if (this.#closed) return reject(stopping())
        if (now >= giveUpAt) return reject(unreachable())
        if (!room.mayPin) return resolve(null)
        const ticket = ++this.#ticket
        const copy = this.controller.own(line, ticket, giveUpAt, now)
        if (copy === null) {
          this.#asked.set(ticket, { line, resolve: (_, isRefused) => (isRefused ? resolve(null) : attempt()), reject })
          return this.#look()
        }
        // What is past its time goes by a write: whoever is told that it is gone has to find it gone elsewhere, too.
        if (now >= copy.until) {
          this.controller.write(line, nothingAt, now)
          return attempt()
        }
        const reply = this.#write(line, heldAt(copy, now), write, now)
        if (reply instanceof Promise) reply.then(attempt, reject)
        else resolve(reply)
      }
      attempt()
    })
  }

  /** Nothing comes between the look at what the line holds and the write. */
  #write(line: LineId, held: Held, write: WriteOwned, now: Millis): CacheReply | null | Promise<unknown> {
    const judged = write(held, NO_VERSION)
    if (judged === null || judged instanceof Promise) return judged
    if (judged.next === null) return judged.reply
    const { reply, next } = judged
    // Not judged again: a tag that was at hand for the first look may not be for another.
    const copy = this.controller.write(line, (version) => ({ ...next, version }), now)
    assert(copy !== null, 'the line was owned a moment ago')
    this.#look()
    return 'version' in reply ? { ...reply, version: copy.held.version } : reply
  }

  giveUp(line: LineId): void {
    this.controller.giveUp(line)
    this.#look()
  }

  /** The node stops: all that it wrote alone goes into the log. False while some of it is on its way. */
  giveUpOwned(): boolean {
    for (const line of this.controller.owner.lines.keys()) this.controller.giveUp(line)
    return this.controller.owner.lines.size === 0
  }

  /** Then it reads nothing any more. False while the log does not know that it holds nothing. */
  leave(): boolean {
    this.controller.leave(this.#deps.clock.now())
    this.#look()
    return this.controller.session.hasLeft
  }

  lend(line: LineId): Copy | null {
    return this.controller.lend(line, this.#deps.clock.now())
  }

  returned(line: LineId): void {
    this.controller.returned(line, this.#deps.clock.now())
    this.#look()
  }

  lentLeftMs(): Millis {
    const now = this.#deps.clock.now()
    this.controller.session.usedAt = now
    return this.controller.session.leaseUntil - now
  }

  #answerTo(ticket: number, line: LineId): Promise<Held> {
    if (this.#closed) return Promise.reject(stopping())
    const answer = new Promise<Held>((resolve, reject) => this.#asked.set(ticket, { line, resolve, reject }))
    this.#look()
    return answer
  }

  stateOf(line: LineId): LineState {
    return this.controller.stateOf(line, this.#deps.clock.now())
  }

  /** Of a line that this node writes alone, flushed or not; 0: it holds nothing. Null: the node does not write it. */
  ownedVersion(line: LineId): number | null {
    const copy = this.controller.owner.copyOf(line)
    if (copy === undefined || copy.epoch !== this.epochNow()) return null
    return copy.held.value === null || this.#deps.clock.now() >= copy.until ? 0 : copy.held.version
  }

  /** Of the copies that may be read now, as far as their session goes; null: none may. */
  epochNow(): number | null {
    const { epoch, leaseUntil } = this.controller.session
    return this.#deps.clock.now() < leaseUntil ? epoch : null
  }

  receive(from: NodeId, message: ToNode): void {
    this.controller.receive(from, message, this.#deps.clock.now())
    this.#look()
  }

  /** What is written and not in the log is told as lost: what is on its way may come there, but nobody here will know. */
  close(): void {
    this.#closed = true
    this.#wakeup.cancel()
    for (const [line, owned] of this.controller.owner.lines) {
      const count = unflushed(owned)
      if (count > 0) this.#deps.onLost(line, count)
    }
    for (const ticket of this.#asked.keys()) this.#take(ticket)?.reject(stopping())
  }

  #flushed(line: LineId, own: number, version: number, isCommitted: boolean): void {
    this.controller.flushed(line, own, version, isCommitted, this.#deps.clock.now())
    this.#look()
  }

  #tick(): void {
    this.controller.tick(this.#deps.clock.now())
    this.#look()
  }

  /** What was asked for before the node stopped may be answered after it: nothing is done about it any more. */
  #look(): void {
    this.#pin()
    if (!this.#closed) this.#wakeup.by(this.controller.dueAt)
  }

  #pin(): void {
    const { lines } = this.controller.owner
    const bytes = lines.bytes + lines.size * LINE_BYTES
    if (bytes === this.#pinnedBytes) return
    this.#deps.room.pin(bytes - this.#pinnedBytes)
    this.#pinnedBytes = bytes
  }

  #answer(ticket: number, held: Held, until: Millis, isRefused: boolean): void {
    const ttlLeftMs = until === Infinity ? null : Math.max(0, until - this.#deps.clock.now())
    const asked = this.#take(ticket)
    if (asked === undefined) return
    this.#wasRead(asked.line, held)
    asked.resolve(ttlLeftMs === held.ttlLeftMs ? held : { ...held, ttlLeftMs }, isRefused)
  }

  #wasRead(line: LineId, { value, slidingMs }: Held): void {
    if (slidingMs > 0) this.#deps.onSlidingRead(line, slidingMs)
    else if (this.tellsReads && value !== null) this.#deps.onTold(line)
  }

  #take(ticket: number): Asked | undefined {
    const asked = this.#asked.get(ticket)
    this.#asked.delete(ticket)
    return asked
  }
}

function heldAt({ held, until }: Copy, now: Millis): Held {
  return until === Infinity ? held : { ...held, ttlLeftMs: until - now }
}

function stopping(): TricordError {
  return new TricordError('STARTING', 'this node is stopping')
}

function unreachable(): TricordError {
  return new TricordError('NO_QUORUM', 'the home of the key did not answer in time, and no copy here may be read')
}
