/**
 * A connection of a client that keeps copies: the gateway's own subscriptions (`api/socket/cache-subscriptions.ts`) at a node, and
 * the way between. What the gateway tells is in a frame a moment later, and arrives in order; where the connection ends before, never.
 *
 *   client ── subscribe, beat, unsubscribe ──> CacheSubscriptions ──watches──> homes
 *      ^── way ── frame, written ── push ──────────┘ └──> audit: what may be told
 *
 * A way that mangles loses, doubles and delays events, which no TCP does: whoever obeys the rules is not hurt by it.
 */
import type { Members } from '../api/socket/call.ts'
import { CacheSubscription } from '../api/socket/cache-subscription.ts'
import { CacheSubscriptions } from '../api/socket/cache-subscriptions.ts'
import type { SubscribeCacheBody } from '../api/cache-schemas.ts'
import { assert } from '../base/assert.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import { CACHE } from './cache-workload.ts'
import type { Running, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import { type Fate, GatewayLink } from './gateway-link.ts'
import type { Inbox } from './inbox.ts'
import type { WatchAudit } from './watch-audit.ts'
import type { World } from './world.ts'

/** Of events, each. */
const MANGLED_SHARE = 0.05
const STRAGGLE_MEAN_MS = 100

export interface WatchClient {
  readonly inbox: Inbox
  /** `pushedAt`: when the gateway said it. */
  heard(event: Members, pushedAt: Millis): void
}

export class WatchConnection {
  readonly #link: GatewayLink
  readonly #subscriptions: CacheSubscriptions
  readonly #world: World
  readonly #dice: Dice
  readonly #audit: WatchAudit
  readonly #client: WatchClient
  readonly #mangles: () => boolean

  constructor(world: World, dice: Dice, node: SimNode, running: Running, audit: WatchAudit, client: WatchClient, mangles: () => boolean) {
    this.#link = new GatewayLink(world, dice, node, client.inbox)
    this.#world = world
    this.#dice = dice
    this.#audit = audit
    this.#client = client
    this.#mangles = mangles
    this.#subscriptions = new CacheSubscriptions(running.watches, this)
  }

  get node(): SimNode {
    return this.#link.node
  }

  get life(): number {
    return this.#link.life
  }

  get writable(): boolean {
    return this.#link.writable
  }

  /** Neither ended by the client, nor with the node's life. */
  get isOpen(): boolean {
    return this.#link.isOpen
  }

  // What the client sends.

  subscribe(body: SubscribeCacheBody, answered: (result: Members | TricordError) => void): void {
    this.#link.call(() => {
      const answer = (result: Members): void => {
        this.#audit.subscribed(this, body, result)
        this.#link.out({ deliver: () => answered(result) })
      }
      this.#subscriptions.add(CACHE, body, answer).catch((error: unknown) => {
        if (error instanceof TricordError) this.#link.out({ deliver: () => answered(error) })
        else this.#world.fail(error)
      })
    })
  }

  unsubscribe(sub: string): void {
    this.#link.call(() => {
      this.#audit.left(this, sub)
      this.#subscriptions.remove(sub)
    })
  }

  beat(sub: string, answered: (state: Members) => void): void {
    this.#link.call(() => {
      const subscription = this.#subscriptions.get(sub)
      assert(subscription instanceof CacheSubscription, 'clients here are lent nothing')
      const state = subscription.state()
      this.#audit.beaten(this, state)
      this.#link.out({ deliver: () => answered({ ...state }) })
    })
  }

  read(reads: boolean): void {
    this.#link.read(reads, () => this.#subscriptions.writableChanged())
  }

  /** `isSilent`: nobody tells the gateway. */
  end(isSilent: boolean): void {
    this.#link.end(isSilent, () => this.#subscriptions.end())
  }

  // What the gateway sends.

  push(event: Members): void {
    const pushedAt = this.#world.now
    this.#audit.pushed(this, event)
    this.#link.out({ deliver: () => this.#client.heard(event, pushedAt), fates: () => this.#fates() })
  }

  /** Lost, late, doubled, or none of that. */
  #fates(): readonly Fate[] {
    const fate = this.#mangles() ? this.#dice.next() / MANGLED_SHARE : Infinity
    if (fate < 1) return []
    const [now, late] = [{ extraMs: 0 }, { extraMs: this.#dice.exponential(STRAGGLE_MEAN_MS) }]
    if (fate < 2) return [late]
    return fate < 3 ? [late, now] : [now]
  }
}
