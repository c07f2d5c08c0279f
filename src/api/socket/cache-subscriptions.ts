/** The subscriptions of one connection to the changes of caches, and their limits. */
import { hash } from 'node:crypto'
import { TricordError } from '../../base/errors.ts'
import type { CacheName, EntryName, WatchWhat } from '../../cache/types.ts'
import type { Timer } from '../../io/clock.ts'
import type { SubscribeCacheBody } from '../cache-schemas.ts'
import type { WatchGateway } from '../gateway.ts'
import { CacheSubscription, LEASE_MS, type WatchMode } from './cache-subscription.ts'
import { LentSubscription } from './lent-subscription.ts'
import type { Members } from './call.ts'
import type { Pushes } from './subscriptions.ts'

const CACHE_SUBSCRIPTIONS_MAX = 100
const TRACKED_KEYS_MAX = 10_000
type Subscription = CacheSubscription | LentSubscription

const BEATS_PER_LEASE = 3
/** Until homes have confirmed that they are. */
const FIRST_BEAT_MS = 100

export class CacheSubscriptions {
  readonly #gateway: WatchGateway
  readonly #pushes: Pushes
  readonly #subscriptions = new Map<string, Subscription>()
  /** Of those that are being opened, too. */
  #count = 0
  #keys = 0
  #last = 0
  #beat: Timer | null = null
  #ended = false

  constructor(gateway: WatchGateway, pushes: Pushes) {
    this.#gateway = gateway
    this.#pushes = pushes
  }

  /** `answer` is given what to answer, and then the subscription is under way. Rejects with a TricordError. */
  async add(name: CacheName, body: SubscribeCacheBody, answer: (result: Members) => void): Promise<void> {
    const what = whatOf(body)
    const keys = 'keys' in what ? what.keys.length : 0
    if (this.#count >= CACHE_SUBSCRIPTIONS_MAX) throw quota(`${CACHE_SUBSCRIPTIONS_MAX} subscriptions of caches`)
    if (this.#keys + keys > TRACKED_KEYS_MAX) throw quota(`${TRACKED_KEYS_MAX} keys in its subscriptions`)
    this.#count += 1
    this.#keys += keys
    try {
      if (body.mode === 'linearizable') await this.#lend(name, what, body, answer)
      else await this.#open(name, what, body, answer)
    } catch (error) {
      this.#release(keys)
      throw error
    }
  }

  /** The one that may keep the entry; null: none. */
  borrower(name: EntryName): LentSubscription | null {
    for (const one of this.#subscriptions.values()) if (one instanceof LentSubscription && one.matches(name)) return one
    return null
  }

  /** Throws NOT_FOUND. */
  get(sub: string): Subscription {
    const subscription = this.#subscriptions.get(sub)
    if (!subscription) throw new TricordError('NOT_FOUND', `this connection has no subscription ${sub}`)
    return subscription
  }

  remove(sub: string): void {
    const subscription = this.get(sub)
    subscription.end(true)
    this.#subscriptions.delete(sub)
    this.#release(subscription.keys)
  }

  /** The peer reads again, or does not any more. */
  writableChanged(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (this.#pushes.writable) subscription.readAgain()
      else subscription.holdBack()
    }
  }

  /** The connection ended. */
  end(): void {
    this.#ended = true
    this.#beat?.cancel()
    for (const subscription of this.#subscriptions.values()) subscription.end(false)
    this.#subscriptions.clear()
  }

  async #open(name: CacheName, what: WatchWhat, body: SubscribeCacheBody, answer: (result: Members) => void): Promise<void> {
    const { backend, settings, pastSubscriptions: pasts, metrics } = this.#gateway
    const filter = hash('sha256', JSON.stringify([name.namespace, name.cache, what]), 'base64url')
    const mode: WatchMode = body.mode === 'events' ? 'events' : 'bounded'
    const beginning = pasts.beginning(filter, body, backend.invalidations)
    const sub = `c${++this.#last}`
    const options = { sub, name, mode, filter, beginning, keys: 'keys' in what ? what.keys.length : 0 }
    const subscription = new CacheSubscription(options, this.#pushes, pasts, metrics)
    const stream = await backend.invalidations.open(name, what, beginning.cursor, subscription, settings.commandTimeoutMs)
    if (this.#ended) return stream.end()
    this.#subscriptions.set(sub, subscription)
    answer(subscription.begin(stream))
    subscription.start()
    backend.clock.after(FIRST_BEAT_MS, () => subscription.tick())
    this.#beat ??= this.#beatAgain()
  }

  async #lend(name: CacheName, what: WatchWhat, { from }: SubscribeCacheBody, answer: (result: Members) => void): Promise<void> {
    const { backend, settings, pastSubscriptions: pasts, metrics } = this.#gateway
    const options = { sub: `c${++this.#last}`, name, what, seq: pasts.firstSeq(), resets: from !== undefined }
    const subscription = new LentSubscription(options, this.#pushes, metrics)
    const borrowing = await backend.lendings.open(subscription, settings.commandTimeoutMs)
    if (this.#ended) return borrowing.end(true)
    this.#subscriptions.set(options.sub, subscription)
    answer(subscription.begin(borrowing))
    subscription.start()
  }

  #release(keys: number): void {
    this.#count -= 1
    this.#keys -= keys
  }

  #beatAgain(): Timer {
    return this.#gateway.backend.clock.after(LEASE_MS / BEATS_PER_LEASE, () => {
      for (const subscription of this.#subscriptions.values()) subscription.tick()
      this.#beat = this.#subscriptions.size === 0 ? null : this.#beatAgain()
    })
  }
}

function whatOf({ keys, prefix }: SubscribeCacheBody): WatchWhat {
  if (keys !== undefined) return { keys: [...new Set(keys)].sort() }
  return prefix === undefined ? { all: true } : { prefix }
}

function quota(what: string): TricordError {
  return new TricordError('QUOTA', `this connection has ${what}: end one, or open another connection`)
}
