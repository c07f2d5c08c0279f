/**
 * What gateways ask for the clients that keep copies (docs/caches.md): reads that may be kept, what is called back, and leases.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis } from '../../base/ids.ts'
import { encodeRead } from '../calls.ts'
import { lineOf } from '../line-id.ts'
import type { CacheRead, EntryName } from '../types.ts'
import type { Coherence } from './coherence.ts'
import type { Operations } from './operations.ts'

export class Lendings {
  readonly #coherence: Coherence
  readonly #operations: Operations

  constructor(coherence: Coherence, operations: Operations) {
    this.#coherence = coherence
    this.#operations = operations
  }

  /** By the names of the calls, see calls.ts. */
  handlers(): Readonly<Record<string, (...args: never[]) => unknown>> {
    const { loans } = this.#coherence
    return {
      lend_open: (borrower: string) => loans.open(borrower),
      lend_get: (borrower: string, namespace: string, cache: string, key: string, timeoutMs: Millis) =>
        this.#get(borrower, { namespace, cache, key }, timeoutMs),
      lend_wait: async (borrower: string, heard: number, waitMs: Millis): Promise<Plain> =>
        (await loans.wait(borrower, heard, waitMs)).map(({ n, name }): Plain => [n, name]),
      lend_beat: (borrower: string, acked: number) => loans.beat(borrower, acked),
      lend_leave: (borrower: string, isCertain: boolean) => loans.leave(borrower, isCertain),
    }
  }

  async #get(borrower: string, name: EntryName, timeoutMs: Millis): Promise<Plain> {
    const read = await this.#operations.get(name, { timeoutMs })
    return [encodeRead(read), this.#lend(borrower, name, read)]
  }

  /** [after, leaseMs, ttlMs] where it may be kept. */
  #lend(borrower: string, name: EntryName, { entry }: CacheRead): Plain {
    if (entry === null) return null
    const wanted = this.#coherence.wanted(lineOf(name), entry.version)
    const lent = wanted === null ? null : this.#coherence.loans.lend(borrower, name.key, wanted)
    return lent === null ? null : [lent.after, lent.leaseMs, entry.ttlLeftMs]
  }
}
