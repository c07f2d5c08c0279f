/**
 * Commands that come while the log is being written wait for the end of that write: their own could not begin before it
 * anyway. So those of all groups that come meanwhile make one turn, which is one append, one frame per peer, one write and one
 * answer of each, where every frame that arrived would have made its own.
 *
 *   write   [ a ............ ][ b .......... ]
 *   commands    x   y  z      |   u  v       |     x, y, z leave and are written together, as soon as a is durable
 *
 * With a log that is idle nothing waits, and with one that is slow nothing waits for long: two others may be faster.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { Group } from './group.ts'

/** Longer than a write takes on any disk that is well. */
const WAIT_MS_MAX: Millis = 4

export class Gathering {
  readonly #clock: Clock
  readonly #groups = new Set<Group>()
  /** Appends to the log that are not durable, and when the last of them ended or the first one began. */
  #writes = 0
  #since: Millis = 0
  #isOver = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  writeBegins(): void {
    if (this.#writes++ === 0) this.#since = this.#clock.now()
  }

  /** What has gathered gets its turn now, be there another write on its way or not. */
  writeEnds(): void {
    this.#writes--
    this.#since = this.#clock.now()
    this.#isOver = true
  }

  /** Whether the group's commands wait; if so it is remembered. */
  holds(group: Group): boolean {
    if (this.#writes === 0 || this.#isOver || this.#isLong) return false
    this.#groups.add(group)
    return true
  }

  /** The groups that have waited long enough, once. */
  take(): readonly Group[] {
    if (this.#groups.size === 0 || !(this.#isOver || this.#isLong || this.#writes === 0)) return []
    const groups = [...this.#groups]
    this.#groups.clear()
    return groups
  }

  turnEnds(): void {
    this.#isOver = false
  }

  get #isLong(): boolean {
    return this.#clock.now() - this.#since >= WAIT_MS_MAX
  }
}
