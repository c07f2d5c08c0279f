/**
 * Linearizable reads without writing (thesis 6.4). Two queues: `ReadRounds` of a leader, `ForwardedReads` of a follower.
 *
 *     read ─> waiting ──(ready: one round for all that wait)──> round {seq, commit} ──(quorum echoed >= seq)──> answered
 *
 * Invariants: a round begins only once the leader has committed in its term (pitfall 18); its `seq` is new, so an echo
 * of it was sent after the read came (pitfall 19); every read is answered or refused, by a change of leader at the latest.
 *
 * The lease (behind a flag) is the same rounds seen the other way: an echo of a heartbeat proves that the follower
 * will not vote within an election timeout of when the heartbeat was *sent* (pitfall 21). It is counted in ticks, so a
 * host that uses it must not let a paused process answer before it has ticked for the pause.
 */
import type { LogIndex, ReplicaId } from '../../base/ids.ts'

/** Reads of one leader that are not answered yet; beyond it they are refused. */
const READS_MAX = 65_536
/** Forwarded reads of one follower that are not answered yet; beyond it they are refused. */
const FORWARDED_MAX = 65_536

export interface PendingRead {
  readonly from: ReplicaId
  readonly readId: number
}

interface ReadRound {
  readonly seq: number
  readonly index: LogIndex
  readonly reads: readonly PendingRead[]
}

interface LeaseRound {
  readonly seq: number
  readonly sentTick: number
}

export class ReadRounds {
  /** Number of the last round begun. */
  seq = 0
  #waiting: PendingRead[] = []
  #rounds: ReadRound[] = []
  #leases: LeaseRound[] = []
  #leaseStart = -Infinity
  #size = 0

  get waiting(): boolean {
    return this.#waiting.length > 0
  }

  get empty(): boolean {
    return this.#size === 0
  }

  /** False: too many. */
  add(from: ReplicaId, readId: number): boolean {
    if (this.#size >= READS_MAX) return false
    this.#size++
    this.#waiting.push({ from, readId })
    return true
  }

  /** All that waits goes into one round. */
  begin(commit: LogIndex): void {
    this.#rounds.push({ seq: ++this.seq, index: commit, reads: this.#waiting })
    this.#waiting = []
  }

  /** All that waits, to be answered at once (a lease holds). */
  takeWaiting(): readonly PendingRead[] {
    const reads = this.#waiting
    this.#waiting = []
    this.#size -= reads.length
    return reads
  }

  /** The oldest round, if a quorum has confirmed `seq` or later. Call until null. */
  takeConfirmed(seq: number): ReadRound | null {
    const round = this.#rounds[0]
    if (round === undefined || round.seq > seq) return null
    this.#rounds.shift()
    this.#size -= round.reads.length
    return round
  }

  /** Leadership is over: everything unanswered, and a clean slate. */
  drain(): readonly PendingRead[] {
    const reads = [...this.#rounds.flatMap((round) => round.reads), ...this.#waiting]
    this.#waiting = []
    this.#rounds = []
    this.#size = 0
    this.voidLease()
    return reads
  }

  /** A heartbeat that may renew the lease leaves now. */
  beginLease(tick: number): void {
    this.#leases.push({ seq: ++this.seq, sentTick: tick })
  }

  /** A quorum has confirmed `seq`. */
  renewLease(seq: number): void {
    while (this.#leases.length > 0 && this.#leases[0]!.seq <= seq) this.#leaseStart = this.#leases.shift()!.sentTick
  }

  /** Followers may stop to honour it: no heartbeat sent before this moment counts. */
  voidLease(): void {
    this.#leases = []
    this.#leaseStart = -Infinity
  }

  /** The margin pays for clocks that drift by less than a tenth, and for ticks not being aligned. */
  leaseHolds(tick: number, electionTicks: number): boolean {
    return tick < this.#leaseStart + electionTicks - Math.ceil(electionTicks / 10) - 1
  }
}

export class ForwardedReads {
  readonly #expireTicks: number
  #age = 0
  #young = new Set<number>()
  #old = new Set<number>()

  constructor(expireTicks: number) {
    this.#expireTicks = expireTicks
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** False: too many. */
  add(readId: number): boolean {
    if (this.size >= FORWARDED_MAX) return false
    this.#young.add(readId)
    return true
  }

  /** An answer came. False: nobody waits for it (a duplicate, or refused meanwhile). */
  settle(readId: number): boolean {
    return this.#young.delete(readId) || this.#old.delete(readId)
  }

  /** Those that have waited between one and two expiries: the question or the answer was lost. */
  tick(): Iterable<number> {
    if (this.size === 0 || ++this.#age < this.#expireTicks) return []
    const expired = this.#old
    this.#old = this.#young
    this.#young = new Set()
    this.#age = 0
    return expired
  }

  /** The leader changed: everything unanswered. */
  drain(): Iterable<number> {
    const reads = [...this.#old, ...this.#young]
    this.#old.clear()
    this.#young.clear()
    return reads
  }
}
