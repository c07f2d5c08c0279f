/** Chance from the operating system: unguessable, for ids and secrets as well as for election timeouts. */
import { randomBytes, randomInt } from 'node:crypto'
import type { Random } from './random.ts'

export class SystemRandom implements Random {
  next(): number {
    return randomInt(2 ** 48 - 1) / (2 ** 48 - 1)
  }

  below(bound: number): number {
    return randomInt(bound)
  }

  bytes(length: number): Uint8Array {
    return randomBytes(length)
  }
}
