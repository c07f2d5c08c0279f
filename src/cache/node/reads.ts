/**
 * What is read here of caches that are nearly full, told to the partitions once a second: what goes first is what was used least, and homes
 * see no read of a copy. Of other caches nothing is told, for nothing of them has to go.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { LineId } from '../coherence/protocol.ts'
import { parseLine } from '../line-id.ts'
import { Wakeup } from './wakeup.ts'
import type { Writes } from './writes.ts'

const EVERY_MS: Millis = 1_000
/** Of one cache on one partition, each time: those that were read first, among them what is read all the time. */
const LINES_MAX = 256
const TIMEOUT_MS: Millis = 2_000

interface Asked {
  readonly prefix: LineId
  readonly lines: Set<LineId>
}

const NONE: readonly Asked[] = []

export class Reads {
  readonly #clock: Clock
  readonly #writes: Writes
  readonly #wakeup: Wakeup
  readonly #asked = new Map<number, readonly Asked[]>()

  constructor(clock: Clock, writes: Writes) {
    this.#clock = clock
    this.#writes = writes
    this.#wakeup = new Wakeup(clock, () => this.#tell())
  }

  /** The home wants to hear of what begins so, and of nothing else any more. */
  ask(partition: number, prefixes: readonly LineId[]): void {
    const before = this.#asked.get(partition) ?? NONE
    if (prefixes.length === 0) this.#asked.delete(partition)
    else
      this.#asked.set(
        partition,
        prefixes.map((prefix) => before.find((one) => one.prefix === prefix) ?? { prefix, lines: new Set() }),
      )
  }

  read(partition: number, line: LineId): void {
    for (const { prefix, lines } of this.#asked.get(partition) ?? NONE) {
      if (!line.startsWith(prefix)) continue
      if (lines.size < LINES_MAX) lines.add(line)
      this.#wakeup.by(this.#clock.now() + EVERY_MS)
      return
    }
  }

  close(): void {
    this.#wakeup.cancel()
  }

  #tell(): void {
    for (const [partition, asked] of this.#asked) {
      for (const { lines } of asked) {
        this.#touch(partition, [...lines])
        lines.clear()
      }
    }
  }

  /** Where it fails they may go sooner than others. */
  #touch(partition: number, lines: readonly LineId[]): void {
    const parsed = lines.map(parseLine).filter((line) => line !== null)
    const [first] = parsed
    if (first === undefined) return
    const { namespace, cache } = first
    const command = { type: 'cache_touch', namespace, cache, keys: parsed.map(({ name }) => name) } as const
    this.#writes.submit(partition, command, { timeoutMs: TIMEOUT_MS }).catch(() => {})
  }
}
