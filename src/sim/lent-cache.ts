/**
 * The rules for whoever keeps copies that are never old (docs/caches.md), as a pure core: time comes in with each call.
 *
 *   get ──hit──▶ value         get ──none──▶ (cache.get is sent) ─▶ answered: kept where it is lent
 *   told: drop it, then acknowledge with the next beat       beaten: the lease, from when the beat was sent
 */

export interface Kept {
  readonly version: number
  readonly value: unknown
  /** On this clock. */
  readonly until: number
}

export interface Answered {
  readonly version: number
  readonly data: unknown
  readonly lent: boolean
  readonly leaseMs?: number
  readonly ttlMs?: number
}

export type Told =
  | { readonly event: 'cache.invalidate'; readonly seq: number; readonly key: string }
  | { readonly event: 'cache.reset'; readonly seq: number }

export class LentCache {
  readonly #kept = new Map<string, Kept>()
  #leaseUntil = -Infinity
  /** The last that was obeyed: what the next beat acknowledges. */
  seq: number

  constructor(seq: number) {
    this.seq = seq
  }

  get(key: string, now: number): Kept | undefined {
    const kept = this.#kept.get(key)
    return now < this.#leaseUntil && kept !== undefined && now < kept.until ? kept : undefined
  }

  get size(): number {
    return this.#kept.size
  }

  get leaseUntil(): number {
    return this.#leaseUntil
  }

  /** In the order in which answers and events come. `sentAt`: when it was asked. */
  answered(key: string, { version, data, lent, leaseMs = 0, ttlMs = Infinity }: Answered, sentAt: number): void {
    if (!lent) return
    this.#kept.set(key, { version, value: data, until: sentAt + ttlMs })
    this.beaten(leaseMs, sentAt)
  }

  beaten(leaseMs: number, sentAt: number): void {
    this.#leaseUntil = Math.max(this.#leaseUntil, sentAt + leaseMs)
  }

  told(event: Told): void {
    if (event.seq !== this.seq + 1) throw new Error(`${event.seq} came after ${this.seq}`)
    this.seq = event.seq
    if (event.event === 'cache.reset') this.#kept.clear()
    else this.#kept.delete(event.key)
  }

  /** No connection: nothing of it is lent any more. */
  gone(): void {
    this.#kept.clear()
    this.#leaseUntil = -Infinity
  }
}
