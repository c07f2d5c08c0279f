/**
 * Small buffers cut from larger ones. Each `Uint8Array` of its own is memory outside of the heap that the collector has to
 * visit: ten times the cost of a view, for bytes that are gone a turn later. What is kept for long is no use of this: it
 * would keep its neighbours too.
 */
const SLAB_BYTES = 16 * 1024
/** Larger ones are made as they are. */
const PIECE_BYTES_MAX = SLAB_BYTES / 8

let slab = new Uint8Array(SLAB_BYTES)
let used = 0

/** A buffer for bytes that are soon written and soon forgotten; what it holds at first may be anything. */
export function allot(length: number): Uint8Array {
  if (length > PIECE_BYTES_MAX) return new Uint8Array(length)
  if (used + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  const piece = slab.subarray(used, used + length)
  used += length
  return piece
}
