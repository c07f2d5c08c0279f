/**
 * How long a message waits after a delivery that came to nothing. Only operations whose result IEEE 754 fixes (no `**`, which
 * may differ from one engine to the next): every replica has to come to the same millisecond.
 */
import type { Millis } from '../base/ids.ts'
import type { Backoff } from './types.ts'

/** After the n-th failure, n at least 1. The jitter is drawn from the message and the failure, not from chance. */
export function backoffMs({ baseMs, factor, maxMs, jitter }: Backoff, failures: number, queue: number, seq: number): Millis {
  let wait = Math.min(baseMs, maxMs)
  if (factor > 1 && wait > 0) for (let nth = 1; nth < failures && wait < maxMs; nth++) wait = Math.min(maxMs, wait * factor)
  return Math.floor(wait * (1 + jitter * spread(queue, seq, failures)))
}

/** From -1 to 1, evenly. */
function spread(queue: number, seq: number, failures: number): number {
  let hash = mixed(0x9e3779b9, queue % 0x100000000)
  hash = mixed(hash, Math.floor(seq / 0x100000000))
  hash = mixed(hash, seq % 0x100000000)
  hash = mixed(hash, failures)
  return ((hash >>> 0) / 0xffffffff) * 2 - 1
}

function mixed(hash: number, word: number): number {
  let mix = Math.imul(hash ^ word, 0x85ebca6b)
  mix ^= mix >>> 13
  mix = Math.imul(mix, 0xc2b2ae35)
  return mix ^ (mix >>> 16)
}
