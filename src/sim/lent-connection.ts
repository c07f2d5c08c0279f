/**
 * A connection of a client that is lent copies: the gateway's own subscriptions with mode `linearizable` at a node, and reads by them.
 * An answer is lent or not as it leaves (`api/socket/cache-operations.ts`), and everything comes in the order in which it left.
 */
import { CacheSubscriptions } from '../api/socket/cache-subscriptions.ts'
import type { Members } from '../api/socket/call.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import type { CacheRead } from '../cache/types.ts'
import { CACHE } from './cache-workload.ts'
import type { Running, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import { GatewayLink } from './gateway-link.ts'
import type { Inbox } from './inbox.ts'
import type { World } from './world.ts'

const BEAT_TIMEOUT_MS: Millis = 2_000

export interface LentAnswer {
  readonly read: CacheRead
  /** Null: it is not to be kept. `sub`: by whose lease. */
  readonly lent: { readonly sub: string; readonly leaseMs: Millis; readonly ttlMs: Millis | null } | null
}

export interface LentConnectionClient {
  readonly inbox: Inbox
  heard(event: Members): void
}

export class LentConnection {
  readonly link: GatewayLink
  readonly running: Running
  readonly #world: World
  readonly #client: LentConnectionClient
  readonly #subscriptions: CacheSubscriptions

  constructor(world: World, dice: Dice, node: SimNode, running: Running, client: LentConnectionClient) {
    this.link = new GatewayLink(world, dice, node, client.inbox)
    this.running = running
    this.#world = world
    this.#client = client
    this.#subscriptions = new CacheSubscriptions(running.watches, this)
  }

  /** `from`: the last number that it heard; null: it begins. */
  subscribe(from: number | null, answered: (result: Members | TricordError) => void): void {
    const body = { all: true, mode: 'linearizable', ...(from !== null && { from }) } as const
    this.link.call(() => {
      const answer = (result: Members): void => this.#out(() => answered(result))
      this.#subscriptions.add(CACHE, body, answer).catch((error: unknown) => this.#fail(error, answered))
    })
  }

  unsubscribe(sub: string): void {
    this.link.call(() => this.#subscriptions.remove(sub))
  }

  beat(sub: string, seq: number, answered: (result: Members | TricordError) => void): void {
    this.link.call(() => {
      const fail = (error: unknown): void => this.#fail(error, answered)
      try {
        const state = this.#subscriptions.get(sub).beat(seq, BEAT_TIMEOUT_MS)
        state.then((result) => this.#out(() => answered(result)), fail)
      } catch (error) {
        fail(error)
      }
    })
  }

  get(key: string, timeoutMs: Millis, answered: (result: LentAnswer | TricordError) => void): void {
    const name = { ...CACHE, key }
    this.link.call(() => {
      const borrower = this.#subscriptions.borrower(name)
      const fail = (error: unknown): void => this.#fail(error, answered)
      if (borrower === null) {
        this.running.caches.get(name, { timeoutMs }).then((read) => this.#out(() => answered({ read, lent: null })), fail)
        return
      }
      borrower.get(name, { timeoutMs }).then(({ read, lent }) => {
        const terms = lent()
        this.#out(() => answered({ read, lent: terms && { sub: borrower.options.sub, ...terms } }))
      }, fail)
    })
  }

  get writable(): boolean {
    return this.link.writable
  }

  read(reads: boolean): void {
    this.link.read(reads, () => this.#subscriptions.writableChanged())
  }

  /** `isSilent`: nobody tells the gateway. */
  end(isSilent: boolean): void {
    this.link.end(isSilent, () => this.#subscriptions.end())
  }

  /** Its gateway takes it for broken. */
  cut(): void {
    this.link.cut(() => this.#subscriptions.end())
  }

  push(event: Members): void {
    this.#out(() => this.#client.heard(event))
  }

  #fail(error: unknown, answered: (result: TricordError) => void): void {
    if (error instanceof TricordError) this.#out(() => answered(error))
    else this.#world.fail(error)
  }

  #out(deliver: () => void): void {
    this.link.out({ deliver })
  }
}
