/**
 * One subscription of a connection that keeps copies which are never old (mode `linearizable`): what it reads is lent to it, and what
 * changes is called back before the change is answered to anybody.
 *
 *   cache.get ──▶ lent, leaseMs          called back ──cache.invalidate seq+1──▶ peer ──cache.beat seq──▶ acknowledged, leaseMs
 *
 * The order of the connection is the order of things: what is answered as lent and called back afterwards comes in this order.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Borrowing, BorrowingListener, CacheCallOptions, CacheName, EntryName, LentRead, WatchWhat } from '../../cache/types.ts'
import type { WatchMetrics } from '../metrics.ts'
import type { Members } from './call.ts'
import type { Pushes } from './subscriptions.ts'

/** About what an event takes beside its key. */
const EVENT_BYTES = 100

export interface LentSubscriptionOptions {
  readonly sub: string
  readonly name: CacheName
  readonly what: WatchWhat
  /** A fresh one, whatever the peer has seen: none of an earlier subscription stands for anything here. */
  readonly seq: number
  /** It has come back, and may hold what it was lent before. */
  readonly resets: boolean
}

export class LentSubscription implements BorrowingListener {
  readonly options: LentSubscriptionOptions
  readonly keys: number
  readonly #named: ReadonlySet<string> | null
  readonly #pushes: Pushes
  readonly #metrics: WatchMetrics
  #borrowing: Borrowing | null = null
  #seq: number
  /** What each number of the peer is to the node, as far as it is not acknowledged. */
  #told: { readonly seq: number; readonly n: number }[] = []
  #acked = 0

  constructor(options: LentSubscriptionOptions, pushes: Pushes, metrics: WatchMetrics) {
    this.options = options
    this.#named = 'keys' in options.what ? new Set(options.what.keys) : null
    this.keys = this.#named?.size ?? 0
    this.#pushes = pushes
    this.#metrics = metrics
    this.#seq = options.seq
  }

  begin(borrowing: Borrowing): Members {
    this.#borrowing = borrowing
    this.#metrics.cacheSubscriptions.inc()
    const { sub, seq } = this.options
    return { sub, seq, mode: 'linearizable' }
  }

  start(): void {
    if (this.options.resets) this.calledBack(0, null)
    this.readAgain()
  }

  matches({ namespace, cache, key }: EntryName): boolean {
    const { name, what } = this.options
    if (name.namespace !== namespace || name.cache !== cache) return false
    return this.#named?.has(key) ?? (!('prefix' in what) || key.startsWith(what.prefix))
  }

  get(name: EntryName, options: CacheCallOptions): Promise<LentRead> {
    return (this.#borrowing as Borrowing).get(name, options)
  }

  calledBack(n: number, key: string | null): void {
    const { sub, name } = this.options
    const seq = ++this.#seq
    // Of another life of the node: what it numbered before is over.
    if (n === 0) [this.#told, this.#acked] = [[], 0]
    this.#told.push({ seq, n })
    const event = key === null ? { event: 'cache.reset', sub, seq } : { event: 'cache.invalidate', sub, seq, cache: name.cache, key }
    this.#pushes.push(event, EVENT_BYTES + (key?.length ?? 0))
    this.#metrics.cacheEvents.inc({ event: key === null ? 'reset' : 'invalidate' })
    if (!this.#pushes.writable) this.holdBack()
  }

  /** `seq`: the last that the peer has obeyed. */
  async beat(seq: number | undefined, timeoutMs: Millis): Promise<Members> {
    if (seq !== undefined && seq > this.#seq) {
      throw new TricordError('INVALID_ARGUMENT', `seq ${seq} has not been told yet: the last one is ${this.#seq}`)
    }
    while (this.#told[0] !== undefined && this.#told[0].seq <= (seq ?? 0)) this.#acked = (this.#told.shift() as { n: number }).n
    const leaseMs = (await this.#borrowing?.beat(this.#acked, timeoutMs)) ?? 0
    return { sub: this.options.sub, seq: this.#seq, leaseMs }
  }

  /** Its peer asks by itself: when an answer came is no measure of a lease. */
  tick(): void {}

  readAgain(): void {
    this.#borrowing?.resume()
  }

  holdBack(): void {
    this.#borrowing?.pause()
  }

  /** `isLeft`: by its own wish, so it reads nothing any more. A connection may end without the peer's knowing. */
  end(isLeft: boolean): void {
    if (this.#borrowing === null) return
    this.#borrowing.end(isLeft)
    this.#borrowing = null
    this.#metrics.cacheSubscriptions.dec()
  }
}
