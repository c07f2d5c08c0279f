/** Pieces of a slab never overlap, and large ones have memory of their own. */
import { expect, test } from 'vitest'
import { allot } from './slab.ts'

test('what was allotted keeps its bytes, whatever is allotted after it', () => {
  const pieces = Array.from({ length: 2_000 }, (_, nth) => allot(nth % 97).fill(nth % 251))
  for (const [nth, piece] of pieces.entries()) {
    expect(piece.length).toBe(nth % 97)
    expect(piece.every((byte) => byte === nth % 251)).toBe(true)
  }
})

test('a large one is not cut from anything', () => {
  const large = allot(10_000)
  expect(large.length).toBe(10_000)
  expect(large.buffer.byteLength).toBe(10_000)
})
