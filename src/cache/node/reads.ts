/**
 * What is read here of caches that are nearly full, told to the partitions once a second: what goes first is what was used least, and homes
 * see no read of a copy. Of other caches nothing is told, for nothing of them has to go.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { LineId } from '../coherence/protocol.ts'
import { cachePart, isEntry, parseLine } from '../line-id.ts'
import { Wakeup } from './wakeup.ts'
import type { Writes } from './writes.ts'

const EVERY_MS: Millis = 1_000
/** Of one cache on one partition, each time: those that were read first, among them what is read all the time. */
const LINES_MAX = 256
const TIMEOUT_MS: Millis = 2_000
/** Homes say again what they want to hear, several times in that. That it is nothing any more they say once, and it may get lost. */
const ASKED_MS: Millis = 5_000

interface Asked {
  /** Of each cache what was read of it. */
  readonly caches: ReadonlyMap<string, Set<LineId>>
  readonly until: Millis
}

export class Reads {
  readonly #clock: Clock
  readonly #writes: Writes
  readonly #wakeup: Wakeup
  readonly #asked = new Map<number, Asked>()

  constructor(clock: Clock, writes: Writes) {
    this.#clock = clock
    this.#writes = writes
    this.#wakeup = new Wakeup(clock, () => this.#tell())
  }

  /** The home wants to hear of what begins so, and of nothing else any more. */
  ask(partition: number, prefixes: readonly LineId[]): void {
    if (prefixes.length === 0) return void this.#asked.delete(partition)
    const before = this.#asked.get(partition)?.caches
    const caches = new Map<string, Set<LineId>>()
    for (const cache of prefixes.map(cachePart)) caches.set(cache, before?.get(cache) ?? new Set())
    this.#asked.set(partition, { caches, until: this.#clock.now() + ASKED_MS })
  }

  /** Of what is read over and over all but the first time in a second is a look and no more. */
  read(partition: number, line: LineId): void {
    const asked = this.#asked.get(partition)
    // Beside an entry its tags are read, of which nothing goes.
    if (asked === undefined || !isEntry(line)) return
    const lines = asked.caches.get(cachePart(line))
    if (lines !== undefined && lines.size < LINES_MAX && !lines.has(line)) this.#add(partition, asked, lines, line)
  }

  #add(partition: number, { until }: Asked, lines: Set<LineId>, line: LineId): void {
    const now = this.#clock.now()
    if (now > until) return void this.#asked.delete(partition)
    lines.add(line)
    this.#wakeup.by(now + EVERY_MS)
  }

  close(): void {
    this.#wakeup.cancel()
  }

  #tell(): void {
    for (const [partition, { caches }] of this.#asked) {
      for (const lines of caches.values()) {
        this.#touch(partition, [...lines])
        lines.clear()
      }
    }
  }

  /** Where it fails they may go sooner than others. Where disks are low it is refused: nothing is put then, so nothing has to go. */
  #touch(partition: number, lines: readonly LineId[]): void {
    const parsed = lines.map(parseLine).filter((line) => line !== null)
    const [first] = parsed
    if (first === undefined) return
    const { namespace, cache } = first
    const command = { type: 'cache_touch', namespace, cache, keys: parsed.map(({ name }) => name) } as const
    this.#writes.submit(partition, command, { timeoutMs: TIMEOUT_MS, isDispensable: true }).catch(() => {})
  }
}
