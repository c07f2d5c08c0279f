/**
 * A seeded generator (sfc32 by Chris Doty-Humphrey, PractRand's own): fast, 128 bits of state, the same numbers on every
 * machine. Chance in the simulator and in tests; never for secrets.
 */

export class Prng {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = 0
    this.#b = seed >>> 0
    this.#c = Math.floor(seed / 2 ** 32) >>> 0
    for (let i = 0; i < 15; i++) this.#draw()
  }

  next(): number {
    return this.#draw() / 2 ** 32
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#draw() & 0xff)
  }

  /** A generator of its own stream: what one part draws does not shift what another sees. */
  fork(): Prng {
    return new Prng(this.#draw() * 2 ** 21 + (this.#draw() >>> 11))
  }

  #draw(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }
}
