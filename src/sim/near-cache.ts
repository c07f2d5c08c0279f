/**
 * The rules for whoever keeps copies of a cache outside of the nodes (docs/caches.md, "Hearing of changes"), as a pure core:
 * time comes in with each call, and reads and connections are somebody else's.
 *
 *   get ──hit──▶ held         get ──none──▶ begin ─▶ (a read is sent) ─▶ filled: kept, unless something was told meanwhile
 *   told: event, reset, beat  wrote: an own write was answered          gone, back: the connection
 */

export interface Held {
  /** Of what is not there: 0. */
  readonly version: number
  /** null: there is nothing. */
  readonly value: string | null
}

export type Told =
  | { readonly type: 'invalidate'; readonly seq: number; readonly key: string; readonly version: number }
  | { readonly type: 'reset'; readonly seq: number }
  | { readonly type: 'beat'; readonly seq: number; readonly cursor: string | null; readonly leaseMs: number }

interface Reading {
  count: number
  floor: number
}

export interface Ticket {
  readonly key: string
  readonly age: number
}

export class NearCache {
  readonly #needsLease: boolean
  readonly #held = new Map<string, Held>()
  readonly #reading = new Map<string, Reading>()
  /** Rises with each reset. */
  #age = 0
  #leaseUntil = -Infinity
  #isConnected = false
  seq = 0
  cursor: string | null = null

  /** `events`: without leases, what is held is served for as long as the connection seems to stand. */
  constructor(mode: 'events' | 'bounded' = 'bounded') {
    this.#needsLease = mode === 'bounded'
  }

  /** undefined: ask. */
  get(key: string, now: number): Held | undefined {
    return this.#isConnected && (!this.#needsLease || now < this.#leaseUntil) ? this.#held.get(key) : undefined
  }

  /** Whether it may be served or not: to be asked for by its version. */
  held(key: string): Held | undefined {
    return this.#held.get(key)
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  get leaseUntil(): number {
    return this.#leaseUntil
  }

  get size(): number {
    return this.#held.size
  }

  begin(key: string): Ticket {
    const reading = this.#reading.get(key)
    if (reading === undefined) this.#reading.set(key, { count: 1, floor: 0 })
    else reading.count += 1
    return { key, age: this.#age }
  }

  /** A read was answered; null: it failed. `isDirty`: by the owner of the line, before it was in the log (line `M`): it may be lost without a word. */
  filled({ key, age }: Ticket, found: Held | null, isDirty = false): void {
    const reading = this.#reading.get(key)
    const floor = reading?.floor ?? 0
    if (reading !== undefined && --reading.count === 0) this.#reading.delete(key)
    if (found === null || age !== this.#age) return
    if (isDirty) return void this.#held.delete(key)
    // "Nothing there" has no version that could be compared.
    const isNew = found.value === null ? floor === 0 : found.version >= floor
    const known = this.#held.get(key)
    if (isNew && (known === undefined || found.version >= known.version)) this.#held.set(key, found)
  }

  wrote(key: string, version: number): void {
    this.#over(key, version)
  }

  /** What came from the connection that is the current one. False: something is missing, come back with `seq` and `cursor`. */
  told(event: Told, now: number): boolean {
    if (!this.#isConnected) return false
    if (event.type === 'beat') {
      if (event.seq !== this.seq) return this.#missing(event.seq > this.seq)
      this.cursor = event.cursor ?? this.cursor
      this.#leaseUntil = Math.max(this.#leaseUntil, now + event.leaseMs)
      return true
    }
    if (event.seq <= this.seq) return true
    if (event.seq > this.seq + 1) return this.#missing(true)
    this.seq = event.seq
    if (event.type === 'reset') this.#reset()
    else this.#over(event.key, event.version)
    return true
  }

  /** The subscription is in force. No cursor: a reset comes, and until then nothing is better than the old one. */
  back(seq: number, cursor: string | null): void {
    this.#isConnected = true
    this.seq = seq
    this.cursor = cursor ?? this.cursor
  }

  gone(): void {
    this.#isConnected = false
    this.#leaseUntil = -Infinity
  }

  #missing(isMissing: boolean): boolean {
    if (isMissing) this.gone()
    return !isMissing
  }

  #over(key: string, version: number): void {
    const reading = this.#reading.get(key)
    if (reading !== undefined) reading.floor = Math.max(reading.floor, version)
    const held = this.#held.get(key)
    if (held !== undefined && held.version < version) this.#held.delete(key)
  }

  #reset(): void {
    this.#age += 1
    this.#held.clear()
  }
}
