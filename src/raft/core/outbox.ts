/**
 * What leaves a replica, in two lists that must never be mixed up. `messages` may go at once. `promises` speak of
 * durable state (votes, vote requests, append responses, the leader's acknowledgement to itself) and wait behind the
 * write that makes them true (P1, P2, P3). One counter-example, were a vote *request* not a promise:
 *
 *     e is committed on A and C; B holds e and term T only in memory.
 *     B asks C for its vote in T, claiming e. C grants; the grant dawdles. B crashes, and is back without e and T.
 *     B campaigns in T again. The old grant arrives: B leads without e.
 */
import type { PeerMessage } from './types.ts'

const NONE: PeerMessage[] = []

export class Outbox {
  #messages: PeerMessage[] = NONE
  #promises: PeerMessage[] = NONE

  get empty(): boolean {
    return this.#messages.length === 0 && this.#promises.length === 0
  }

  /** May leave at once. */
  send(message: PeerMessage): void {
    if (this.#messages === NONE) this.#messages = []
    this.#messages.push(message)
  }

  /** Leaves once everything that this replica has decided so far is durable. */
  promise(message: PeerMessage): void {
    if (this.#promises === NONE) this.#promises = []
    this.#promises.push(message)
  }

  /** Everything is durable already: the promises hold now. */
  releasePromises(): void {
    for (const promise of this.#promises) this.send(promise)
    this.#promises = NONE
  }

  takeMessages(): readonly PeerMessage[] {
    const taken = this.#messages
    this.#messages = NONE
    return taken
  }

  takePromises(): readonly PeerMessage[] {
    const taken = this.#promises
    this.#promises = NONE
    return taken
  }
}
