/**
 * The claims that wait for one lock, in the one order of the machine (vkey, then ticket).
 *
 * Invariants: (1) sorted, no two alike; (2) `mask` is the set of modes that wait.
 */
import { assert } from '../base/assert.ts'
import { MODES } from './types.ts'
import type { Claim } from './waiter.ts'
import type { ModeMask } from './modes.ts'

export class Queue {
  readonly claims: Claim[] = []
  mask: ModeMask = 0
  #counts = MODES.map(() => 0)

  add(claim: Claim): void {
    this.claims.splice(this.#place(claim), 0, claim)
    this.#counts[claim.mode] = (this.#counts[claim.mode] as number) + 1
    this.mask |= 1 << claim.mode
  }

  remove(claim: Claim): void {
    const at = this.#place(claim)
    assert(this.claims[at] === claim, 'claim is not in its queue')
    // Nearly always the first, and a queue may be long: shift moves nothing.
    if (at === 0) this.claims.shift()
    else this.claims.splice(at, 1)
    const left = (this.#counts[claim.mode] as number) - 1
    this.#counts[claim.mode] = left
    if (left === 0) this.mask &= ~(1 << claim.mode)
  }

  /** Whether a request ordered before (vkey, ticket) waits in one of these modes. */
  conflictsBefore(vkey: number, ticket: number, modes: ModeMask): boolean {
    if ((this.mask & modes) === 0) return false
    for (const claim of this.claims) {
      if (!claim.waiter.precedes(vkey, ticket)) return false
      if (((1 << claim.mode) & modes) !== 0) return true
    }
    return false
  }

  /** Where the claim is, or belongs. */
  #place(claim: Claim): number {
    const { vkey, ticket } = claim.waiter
    let low = 0
    let high = this.claims.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.claims[middle] as Claim).waiter.precedes(vkey, ticket)) low = middle + 1
      else high = middle
    }
    return low
  }
}
