/**
 * Lines that are written here and read there, again and again: each write costs a message and an answer, each read two. A home tells of
 * each message that takes a copy back; those of one invalidation count once, however many copies there were and however often they were
 * asked for.
 *
 *   second   … 7   8   9  10 …        a line bounces while the last ten hold five invalidations
 *   of a       0   2   1   2
 *
 * Bounded: of the lines that were invalidated last, some 700 bytes each.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { LineId } from '../coherence/protocol.ts'

export const PING_PONG_WINDOW_MS: Millis = 10_000
const BUCKET_MS: Millis = 1_000
const BUCKETS = PING_PONG_WINDOW_MS / BUCKET_MS
const TIMES = 5
const LINES_MAX = 4_096
/** Of a line whose copies are taken back. */
const NODES_MAX = 16

/** A line that bounces now. */
export interface Bounced {
  readonly line: LineId
  /** Within the window. */
  readonly invalidations: number
  /** Whose copies were taken back in it, sorted. */
  readonly nodes: readonly NodeId[]
}

interface Seen {
  /** The number of its last invalidation. */
  t: number
  /** Of the last one. */
  second: number
  /** Invalidations by second, around. */
  readonly buckets: number[]
  /** When the copy of each was last taken back, in seconds. */
  readonly nodes: Map<NodeId, number>
}

export class PingPong {
  /** In the order of their last invalidation. */
  readonly #lines = new Map<LineId, Seen>()

  /** The invalidation `t` of the line takes the copy of the node back. */
  invalidated(line: LineId, t: number, node: NodeId, now: Millis): void {
    const second = Math.floor(now / BUCKET_MS)
    const seen = this.#lines.get(line) ?? { t: 0, second, buckets: Array<number>(BUCKETS).fill(0), nodes: new Map<NodeId, number>() }
    if (seen.nodes.has(node) || seen.nodes.size < NODES_MAX) seen.nodes.set(node, second)
    if (seen.t === t) return
    seen.t = t
    forget(seen, second)
    seen.buckets[second % BUCKETS] = (seen.buckets[second % BUCKETS] ?? 0) + 1
    this.#lines.delete(line)
    this.#lines.set(line, seen)
    if (this.#lines.size <= LINES_MAX) return
    for (const oldest of this.#lines.keys()) return void this.#lines.delete(oldest)
  }

  /** Those that bounce now, of the lines that are asked for, the worst first. */
  bouncing(now: Millis, isMeant: (line: LineId) => boolean): readonly Bounced[] {
    const second = Math.floor(now / BUCKET_MS)
    const found: Bounced[] = []
    for (const [line, seen] of this.#lines) {
      forget(seen, second)
      const invalidations = seen.buckets.reduce((sum, one) => sum + one, 0)
      if (invalidations === 0) this.#lines.delete(line)
      else if (invalidations >= TIMES && isMeant(line)) found.push({ line, invalidations, nodes: [...seen.nodes.keys()].sort() })
    }
    return found.sort(worstFirst)
  }
}

export function worstFirst(a: Bounced, b: Bounced): number {
  return b.invalidations - a.invalidations || (a.line < b.line ? -1 : 1)
}

/** What is out of the window by this second. */
function forget(seen: Seen, second: number): void {
  for (let at = Math.max(seen.second, second - BUCKETS) + 1; at <= second; at++) seen.buckets[at % BUCKETS] = 0
  seen.second = second
  for (const [node, last] of seen.nodes) if (last <= second - BUCKETS) seen.nodes.delete(node)
}
