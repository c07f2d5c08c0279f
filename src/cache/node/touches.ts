/**
 * Reads that prolong the life of their entries: gathered, and said to the partitions in time. The home gives a
 * sliding life an eighth more than was asked for, and a read is told at most that much late, so nobody sees a value end
 * before its time.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { LineId } from '../coherence/protocol.ts'
import { parseLine } from '../line-id.ts'
import { MACHINE_LIMITS } from '../machine/commands.ts'
import type { CacheName } from '../types.ts'
import { Wakeup } from './wakeup.ts'
import type { Writes } from './writes.ts'

/** Of the sliding life: how late a read may be told. */
const LATE_SHARE = 16
const LATE_MS_MAX: Millis = 1_000
const TIMEOUT_MS: Millis = 2_000

/** What goes in one command. */
interface Batch extends CacheName {
  readonly partition: number
  readonly keys: string[]
}

export class Touches {
  readonly #clock: Clock
  readonly #writes: Writes
  readonly #wakeup: Wakeup
  #touched = new Map<LineId, number>()

  constructor(clock: Clock, writes: Writes) {
    this.#clock = clock
    this.#writes = writes
    this.#wakeup = new Wakeup(clock, () => this.#flush())
  }

  read(partition: number, line: LineId, slidingMs: Millis): void {
    if (this.#touched.has(line)) return
    this.#touched.set(line, partition)
    this.#wakeup.by(this.#clock.now() + Math.min(LATE_MS_MAX, slidingMs / LATE_SHARE))
  }

  close(): void {
    this.#wakeup.cancel()
  }

  #flush(): void {
    const touched = this.#touched
    this.#touched = new Map()
    const batches = new Map<string, Batch>()
    for (const [line, partition] of touched) {
      const parsed = parseLine(line)
      if (parsed === null) continue
      const { namespace, cache, name } = parsed
      const batch = `${partition} ${namespace.length} ${namespace}${cache}`
      const known = batches.get(batch) ?? { partition, namespace, cache, keys: [] }
      batches.set(batch, known)
      known.keys.push(name)
      if (known.keys.length >= MACHINE_LIMITS.linesPerCommandMax) {
        this.#touch(known)
        batches.delete(batch)
      }
    }
    for (const batch of batches.values()) this.#touch(batch)
  }

  /** Where it fails the entry may end before its time: that is what a life that is not prolonged does. */
  #touch({ partition, ...named }: Batch): void {
    this.#writes.submit(partition, { type: 'cache_touch', ...named }, { timeoutMs: TIMEOUT_MS }).catch(() => {})
  }
}
