/**
 * Chance from the operating system: unguessable, for ids and secrets as well as for election timeouts. Drawn by the page,
 * because one call for every few bytes was 4 % of a busy gateway; what was given out is wiped from the page.
 */
import { randomFillSync } from 'node:crypto'
import type { Random } from './random.ts'

const PAGE_BYTES = 4_096
const FRACTION_BYTES = 6

export class SystemRandom implements Random {
  readonly #page = Buffer.alloc(PAGE_BYTES)
  #used = PAGE_BYTES

  next(): number {
    const at = this.#take(FRACTION_BYTES)
    const value = this.#page.readUIntBE(at, FRACTION_BYTES)
    this.#page.fill(0, at, at + FRACTION_BYTES)
    return value / 2 ** (8 * FRACTION_BYTES)
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  bytes(length: number): Uint8Array {
    if (length > PAGE_BYTES) return randomFillSync(new Uint8Array(length))
    const at = this.#take(length)
    const drawn = new Uint8Array(this.#page.subarray(at, at + length))
    this.#page.fill(0, at, at + length)
    return drawn
  }

  /** Where `length` fresh bytes begin. */
  #take(length: number): number {
    if (this.#used + length > PAGE_BYTES) {
      randomFillSync(this.#page)
      this.#used = 0
    }
    const at = this.#used
    this.#used += length
    return at
  }
}
