/** Lines that are written here and read there, again and again: each write costs a message and an answer, each read two. */
import type { Millis } from '../../base/ids.ts'
import type { LineId } from '../coherence/protocol.ts'

const WINDOW_MS: Millis = 10_000
const TIMES = 5
const LINES_MAX = 4_096

export class PingPong {
  /** In the order of their last invalidation; of each the times of the last ones. */
  readonly #lines = new Map<LineId, readonly Millis[]>()

  invalidated(line: LineId, now: Millis): void {
    const before = this.#lines.get(line) ?? []
    this.#lines.delete(line)
    this.#lines.set(line, [...before.slice(1 - TIMES), now])
    if (this.#lines.size <= LINES_MAX) return
    for (const oldest of this.#lines.keys()) return void this.#lines.delete(oldest)
  }

  count(now: Millis): number {
    let count = 0
    for (const [line, times] of this.#lines) {
      if ((times.at(-1) as Millis) <= now - WINDOW_MS) this.#lines.delete(line)
      else if (times.length >= TIMES && (times[0] as Millis) > now - WINDOW_MS) count++
    }
    return count
  }
}
