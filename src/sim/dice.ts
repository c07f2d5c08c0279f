/**
 * Chance as the simulator needs it: the seeded generator of `base`, the distributions faults are drawn from, and `fork`.
 * A fork is decided by the seed and its label alone, so one more draw in one part never shifts what another part sees:
 * a seed stays nearly the same story when the code under test changes a little.
 */
import { Prng } from '../base/prng.ts'
import type { Random } from '../io/random.ts'

export class Dice implements Random {
  readonly seed: number
  readonly #prng: Prng

  constructor(seed: number) {
    this.seed = seed
    this.#prng = new Prng(seed)
  }

  next(): number {
    return this.#prng.next()
  }

  below(bound: number): number {
    return this.#prng.below(bound)
  }

  bytes(length: number): Uint8Array {
    return this.#prng.bytes(length)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  /** Uniform integer in [low, high], both included. */
  integer(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** Exponential with the given mean: most are short, a few are long. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  shuffle<T>(items: readonly T[]): T[] {
    const mixed = [...items]
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T]
    }
    return mixed
  }

  fork(label: string): Dice {
    return new Dice((Math.imul(this.seed ^ hashText(label), 0x9e3779b1) >>> 0) * 2 ** 20 + (hashText(`${label}/${this.seed}`) >>> 12))
  }
}

/** FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

export function hashBytes(bytes: Uint8Array, seed = 0x811c9dc5): number {
  let hash = seed
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash >>> 0
}
