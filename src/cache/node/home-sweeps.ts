/**
 * Invalidations of tags and levels, at the home of their line. Whoever asked for one sweeps what carries the line, on all partitions, and
 * says so (`cache_swept`). Where that is not heard its node is gone, or a partition is away: then the home does it, for as long as it
 * takes. What is left is in the log: the next home goes on with it.
 *
 *   applied ──▶ unswept ──────────────────────────────────────────────────▶ cache_swept ──▶ nothing is left
 *                  └──two seconds later──▶ a lane for each partition, one sweep at a time ──all──▶ │
 *
 * Nodes find what was killed gone at once, clients that keep copies hear of it as it is swept: what they may rely on ends where the oldest
 * of these invalidations began (`promise`).
 *
 * A sweep by a line and a version takes what is dead by then, and nothing else: it may come twice, and at any time. An invalidation of
 * the same line meanwhile has its own sweeps; what is left of it is looked at anew.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { LineId } from '../coherence/protocol.ts'
import type { CacheMachine, CacheMachineStats } from '../machine/machine.ts'
import { NOTHING_CERTAIN, SweepTimes, type SweptPromise } from './sweep-times.ts'
import { Wakeup } from './wakeup.ts'
import type { Writes } from './writes.ts'

/** Whoever asked for it is done by then, on a busy cluster too; and leases of clients, which are longer, are not over yet. */
const PATIENCE_MS: Millis = 2_000
const AGAIN_MS: Millis = 1_000
const TIMEOUT_MS: Millis = 5_000
/** Lines that are swept at a time; each may remember all partitions. */
const RUNNING_MAX = 256
/** Where more lines are unswept nothing is said of any: nobody has to look for the oldest of them. */
const TOLD_MAX = 1_000

export interface HomeSweepsDeps {
  readonly clock: Clock
  readonly machine: Pick<CacheMachine, 'unswept' | 'unsweptOf'> & { stats(): Pick<CacheMachineStats, 'markers'> }
  readonly writes: Pick<Writes, 'partitions' | 'partitionOf' | 'submit'>
  /** Resolves once nothing is left on the partition that carries the line in a version below. */
  readonly sweep: (partition: number, line: LineId, below: number, timeoutMs: Millis) => Promise<void>
}

interface Unswept {
  readonly line: LineId
  /** The first version of which something may be left. */
  readonly since: number
  readonly dueAt: Millis
  below: number
  /** Partitions; empty before it runs, and once it is done. */
  readonly left: Set<number>
}

export class HomeSweeps {
  readonly #deps: HomeSweepsDeps
  /** In the order in which they are due. */
  readonly #lines = new Map<LineId, Unswept>()
  readonly #running = new Set<Unswept>()
  /** Partitions whose lane is taken, or waits. */
  readonly #busy = new Set<number>()
  readonly #wakeup: Wakeup
  readonly #times = new SweepTimes()
  /** Of `since`; null: to be looked for. */
  #oldest: number | null = null
  #state: 'silent' | 'open' | 'ended' = 'silent'

  constructor(deps: HomeSweepsDeps) {
    this.#deps = deps
    this.#wakeup = new Wakeup(deps.clock, () => this.#look())
  }

  /** Whatever older homes left is applied. */
  open(): void {
    if (this.#state !== 'silent') return
    this.#state = 'open'
    // Where nothing was ever invalidated no sweep has ended.
    if (this.#deps.machine.stats().markers > 0) this.#times.opened(this.#deps.clock.now())
    for (const line of this.#deps.machine.unswept()) this.#add(line)
    this.#look()
  }

  /** Something was invalidated, or swept: what is left of it now? */
  changed(line: LineId, isSwept: boolean): void {
    if (this.#state !== 'open') return
    const [known, now] = [this.#lines.get(line), this.#deps.clock.now()]
    if (!isSwept) this.#times.bumped(this.#deps.machine.unsweptOf(line)?.version ?? 0, now)
    if (known !== undefined && !isSwept) return
    if (known !== undefined) {
      this.#forget(known)
      this.#times.swept(known.since, now)
    }
    this.#add(line)
    this.#look()
  }

  /** The clock stood still for a while. */
  suspended(): void {
    this.#times.suspended()
  }

  /** What may be said of them now. */
  promise(): SweptPromise {
    if (this.#state !== 'open' || this.#lines.size > TOLD_MAX) return NOTHING_CERTAIN
    this.#oldest ??= Math.min(...[...this.#lines.values()].map(({ since }) => since))
    return this.#times.promise(this.#oldest, this.#deps.clock.now())
  }

  /** It leads no more, or the node stops. */
  end(): void {
    this.#state = 'ended'
    this.#wakeup.cancel()
    this.#lines.clear()
    this.#running.clear()
  }

  #add(line: LineId): void {
    const unswept = this.#deps.machine.unsweptOf(line)
    if (unswept === null) return
    this.#oldest = null
    this.#lines.set(line, { line, since: unswept.since, dueAt: this.#deps.clock.now() + PATIENCE_MS, below: 0, left: new Set() })
  }

  #forget(unswept: Unswept): void {
    this.#oldest = null
    this.#lines.delete(unswept.line)
    this.#running.delete(unswept)
  }

  #look(): void {
    if (this.#running.size >= RUNNING_MAX) return
    const now = this.#deps.clock.now()
    for (const unswept of this.#lines.values()) {
      if (this.#running.has(unswept)) continue
      if (unswept.dueAt > now) return this.#wakeup.by(unswept.dueAt)
      this.#run(unswept)
      if (this.#running.size >= RUNNING_MAX) return
    }
  }

  #run(unswept: Unswept): void {
    const { machine, writes } = this.#deps
    unswept.below = machine.unsweptOf(unswept.line)?.version ?? 0
    for (let partition = 0; partition < writes.partitions; partition++) unswept.left.add(partition)
    this.#running.add(unswept)
    for (const partition of unswept.left) this.#goOn(partition)
  }

  /** The lane of a partition: the next line that is left there. */
  #goOn(partition: number): void {
    if (this.#busy.has(partition)) return
    const next = this.#nextOn(partition)
    if (next === null) return
    this.#busy.add(partition)
    const over = (): void => {
      this.#busy.delete(partition)
      this.#goOn(partition)
    }
    const swept = (): void => {
      next.left.delete(partition)
      if (next.left.size === 0) this.#say(next)
      over()
    }
    const failed = (): void => {
      // Not of this line, perhaps: the others have their turn.
      if (this.#running.delete(next)) this.#running.add(next)
      this.#deps.clock.after(AGAIN_MS, over)
    }
    this.#deps.sweep(partition, next.line, next.below, TIMEOUT_MS).then(swept, failed)
  }

  #nextOn(partition: number): Unswept | null {
    for (const unswept of this.#running) if (unswept.left.has(partition)) return unswept
    return null
  }

  /** Until it is applied: then `changed` forgets it. */
  #say(unswept: Unswept): void {
    if (!this.#running.has(unswept)) return
    const { writes, clock } = this.#deps
    const { line, below } = unswept
    const again = (): void => void clock.after(AGAIN_MS, () => this.#say(unswept))
    writes
      .submit(writes.partitionOf(line), { type: 'cache_swept', lines: [[line, below]] }, { timeoutMs: TIMEOUT_MS })
      .then(() => {}, again)
  }
}
