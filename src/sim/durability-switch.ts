/**
 * A cache whose `durability` is switched to and fro while it is used, and what is known of it: whether a write may have been an
 * owner's. One of which nobody knows whether it came may come at any time later.
 */
import type { Millis } from '../base/ids.ts'
import type { CacheConfig } from '../cache/types.ts'
import type { Attempts } from './attempts.ts'
import type { CacheHistory } from './cache-history.ts'
import { CACHE, type Request } from './cache-workload.ts'
import type { Dice } from './dice.ts'
import type { Client } from './workload.ts'

type Durability = CacheConfig['durability']

const TIMEOUT_MS: Millis = 2_000

export class DurabilitySwitch implements Client {
  readonly #attempts: Attempts<Request, object>
  readonly #history: CacheHistory
  readonly #dice: Dice
  #now: Durability = 'writeback'
  /** Some switch may still come. */
  #inDoubt = false
  #busy = false
  /** When each could last be in force. */
  readonly #lastAt = { writeback: 0, quorum: -1 }

  constructor(attempts: Attempts<Request, object>, history: CacheHistory, dice: Dice) {
    this.#attempts = attempts
    this.#history = history
    this.#dice = dice
  }

  /** Whether this may have been in force when something was done that was called then and is over now. */
  mayHaveBeen(durability: Durability, call: number): boolean {
    return this.#now === durability || this.#inDoubt || this.#busy || this.#lastAt[durability] >= call
  }

  /** A configuration of which nobody knows whether it came may come at any time. */
  doubt(): void {
    this.#inDoubt = true
  }

  act(done: () => void): void {
    const durability = this.#dice.pick(['writeback', 'writeback', 'quorum'] as const)
    const request: Request = ({ caches }, more) => caches.configure(CACHE, { durability }, more)
    this.#busy = true
    this.#attempts.run(request, { timeoutMs: TIMEOUT_MS, key: '', cancelAfterMs: Infinity }, (answer) => {
      this.#lastAt[this.#now] = this.#history.now
      if (answer.type === 'reply') this.#now = durability
      else if (answer.type !== 'not applied') this.#inDoubt = true
      this.#lastAt[durability] = this.#history.now
      this.#busy = false
      done()
    })
  }
}
