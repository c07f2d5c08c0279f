/**
 * One subscription of a connection to the changes of a cache: numbers what its stream tells, and beats.
 *
 *   stream ──invalidated──▶ cache.invalidate seq+1, seq+2 …       every second: cache.beat (seq, cursor, leaseMs)
 *          ──reset────────▶ cache.reset seq+1
 *
 * While the peer does not read, the stream is paused: nothing is kept for it but its place, from which it goes on. What it has
 * missed by then beyond what homes remember is told as a reset.
 */
import type { Millis } from '../../base/ids.ts'
import type { CacheName, Invalidation, InvalidationListener, InvalidationStream } from '../../cache/types.ts'
import type { WatchMetrics } from '../metrics.ts'
import type { Members } from './call.ts'
import type { Beginning, PastSubscription, PastSubscriptions } from './past-subscriptions.ts'
import type { Pushes } from './subscriptions.ts'

export const LEASE_MS: Millis = 3_000
/** What clocks of machines may differ by, over a lease. */
const DRIFT_MS: Millis = 60
/** About what an event takes beside its key. */
const EVENT_BYTES = 140

export type WatchMode = 'events' | 'bounded'

export interface CacheSubscriptionOptions {
  readonly sub: string
  readonly name: CacheName
  readonly mode: WatchMode
  /** How many keys of the connection's share it takes. */
  readonly keys: number
  readonly filter: string
  readonly beginning: Beginning
}

export class CacheSubscription implements InvalidationListener {
  readonly options: CacheSubscriptionOptions
  readonly keys: number
  readonly #pushes: Pushes
  readonly #pasts: PastSubscriptions
  readonly #metrics: WatchMetrics
  #stream: InvalidationStream | null = null
  #past: PastSubscription | null = null
  #seq: number
  #toldCursor = ''

  constructor(options: CacheSubscriptionOptions, pushes: Pushes, pasts: PastSubscriptions, metrics: WatchMetrics) {
    this.options = options
    this.keys = options.keys
    this.#pushes = pushes
    this.#pasts = pasts
    this.#metrics = metrics
    this.#seq = options.beginning.seq
  }

  /**
   * What the subscription answers; whatever comes is told after it. A cursor is told only if who comes back to it, having heard of
   * nothing else, misses nothing: not if a reset has yet to come.
   */
  begin(stream: InvalidationStream): Members {
    this.#stream = stream
    this.#metrics.cacheSubscriptions.inc()
    const { sub, filter, mode, beginning } = this.options
    const { seq, resets, lineage } = beginning
    const cursor = beginning.cursor ?? stream.cursor()
    this.#past = this.#pasts.began(filter, lineage, { seq: resets ? seq + 1 : seq, cursor })
    if (resets) return { sub, seq, mode }
    this.#toldCursor = cursor
    return { sub, seq, cursor, mode }
  }

  start(): void {
    if (this.options.beginning.resets) this.reset()
    this.readAgain()
    // So that it is known by the first beat.
    if (this.options.mode !== 'events') this.#leaseMs()
  }

  /** The number of the last event, how far it is, and for how long that is good enough. */
  state(): { readonly sub: string; readonly seq: number; readonly cursor: string; readonly leaseMs?: Millis } {
    const { sub, mode } = this.options
    const cursor = this.#stream?.cursor() ?? ''
    const head = { sub, seq: this.#seq, cursor }
    return mode === 'events' ? head : { ...head, leaseMs: this.#leaseMs() }
  }

  invalidated(events: readonly Invalidation[]): void {
    const { sub, name } = this.options
    for (const { key, version, reason } of events) {
      this.#push({ event: 'cache.invalidate', sub, seq: ++this.#seq, cache: name.cache, key, version, reason }, key.length)
    }
    this.#metrics.cacheEvents.inc({ event: 'invalidate' }, events.length)
    if (!this.#pushes.writable) this.#stream?.pause()
  }

  reset(): void {
    this.#push({ event: 'cache.reset', sub: this.options.sub, seq: ++this.#seq }, 0)
    this.#metrics.cacheEvents.inc({ event: 'reset' })
  }

  /** What the peer asks for. */
  async beat(): Promise<Members> {
    return this.state()
  }

  /** From time to time it is told. What says nothing is left out. */
  tick(): void {
    if (this.#stream === null || !this.#pushes.writable) return
    const { cursor, ...state } = this.state()
    if (this.#past !== null) this.#pasts.mark(this.#past, { seq: this.#seq, cursor })
    const hasMoved = cursor !== this.#toldCursor
    if (state.leaseMs === 0 || (state.leaseMs === undefined && !hasMoved)) return
    this.#toldCursor = cursor
    this.#push({ event: 'cache.beat', ...state, ...(hasMoved && { cursor }) }, hasMoved ? cursor.length : 0)
  }

  readAgain(): void {
    this.#stream?.resume()
  }

  holdBack(): void {
    this.#stream?.pause()
  }

  /** `isLeft`: by its own wish, so it does not come back. */
  end(isLeft: boolean): void {
    if (this.#stream === null) return
    this.#stream.end()
    this.#stream = null
    this.#metrics.cacheSubscriptions.dec()
    if (this.#past === null) return
    if (isLeft) this.#pasts.left(this.#past)
    else this.#pasts.over(this.#past)
  }

  #leaseMs(): Millis {
    return Math.max(0, Math.floor(LEASE_MS - DRIFT_MS - (this.#stream?.ageMs() ?? Infinity)))
  }

  #push(event: Members, bytes: number): void {
    if (this.#past !== null) this.#past.last = this.#seq
    this.#pushes.push(event, EVENT_BYTES + bytes)
  }
}
