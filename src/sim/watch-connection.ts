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
import type { WatchAudit } from './watch-audit.ts'
import type { World } from './world.ts'

const FRAME_MS = 1
const WAY_MEAN_MS = 1
/** Of events, each. */
const MANGLED_SHARE = 0.05
const STRAGGLE_MEAN_MS = 100

export interface WatchClient {
  /** Something arrives; it may be asleep. */
  arrived(work: () => void): void
  /** `pushedAt`: when the gateway said it. */
  heard(event: Members, pushedAt: Millis): void
}

interface Frame {
  readonly deliver: () => void
  readonly isEvent: boolean
}

export class WatchConnection {
  readonly node: SimNode
  readonly life: number
  /** While the peer does not read, nothing is told. */
  writable = true
  readonly #subscriptions: CacheSubscriptions
  readonly #world: World
  readonly #dice: Dice
  readonly #audit: WatchAudit
  readonly #client: WatchClient
  readonly #mangles: () => boolean
  #frames: Frame[] = []
  #isFrameDue = false
  #arrivesAt: Millis = 0
  #isOver = false

  constructor(world: World, dice: Dice, node: SimNode, running: Running, audit: WatchAudit, client: WatchClient, mangles: () => boolean) {
    this.node = node
    this.life = node.lives
    this.#world = world
    this.#dice = dice
    this.#audit = audit
    this.#client = client
    this.#mangles = mangles
    this.#subscriptions = new CacheSubscriptions(running.watches, this)
  }

  /** Neither ended by the client, nor with the node's life. */
  get isOpen(): boolean {
    return !this.#isOver && this.node.up && this.node.lives === this.life
  }

  // What the client sends.

  subscribe(body: SubscribeCacheBody, answered: (result: Members | TricordError) => void): void {
    this.#run(() => {
      const answer = (result: Members): void => {
        this.#audit.subscribed(this, body, result)
        this.#out({ deliver: () => answered(result), isEvent: false })
      }
      this.#subscriptions.add(CACHE, body, answer).catch((error: unknown) => {
        if (error instanceof TricordError) this.#out({ deliver: () => answered(error), isEvent: false })
        else this.#world.fail(error)
      })
    })
  }

  unsubscribe(sub: string): void {
    this.#run(() => {
      this.#audit.left(this, sub)
      this.#subscriptions.remove(sub)
    })
  }

  beat(sub: string, answered: (state: Members) => void): void {
    this.#run(() => {
      const subscription = this.#subscriptions.get(sub)
      assert(subscription instanceof CacheSubscription, 'clients here are lent nothing')
      const state = subscription.state()
      this.#audit.beaten(this, state)
      this.#out({ deliver: () => answered({ ...state }), isEvent: false })
    })
  }

  read(reads: boolean): void {
    this.#run(() => {
      this.writable = reads
      this.#subscriptions.writableChanged()
      this.#frame()
    })
  }

  end(): void {
    this.#run(() => {
      this.#isOver = true
      this.#subscriptions.end()
    })
    this.#frames = []
    this.#isOver = true
  }

  // What the gateway sends.

  push(event: Members): void {
    const pushedAt = this.#world.now
    this.#audit.pushed(this, event)
    this.#out({ deliver: () => this.#client.heard(event, pushedAt), isEvent: true })
  }

  #run(work: () => void): void {
    this.#world.at(FRAME_MS, 'watch call', () => {
      if (this.isOpen) this.node.life?.run(() => this.isOpen && work())
    })
  }

  #out(frame: Frame): void {
    this.#frames.push(frame)
    this.#frame()
  }

  #frame(): void {
    if (this.#isFrameDue || !this.writable || this.#frames.length === 0) return
    this.#isFrameDue = true
    this.#world.at(FRAME_MS, 'watch frame', () => this.node.life?.run(() => this.#flush()))
  }

  #flush(): void {
    this.#isFrameDue = false
    if (!this.isOpen || !this.writable) return
    const frames = this.#frames
    this.#frames = []
    for (const frame of frames) this.#send(frame)
  }

  #send({ deliver, isEvent }: Frame): void {
    const fate = isEvent && this.#mangles() ? this.#dice.next() / MANGLED_SHARE : Infinity
    if (fate < 1) return
    this.#arrivesAt = Math.max(this.#arrivesAt, this.#world.now + this.#dice.exponential(WAY_MEAN_MS))
    const lateMs = this.#dice.exponential(STRAGGLE_MEAN_MS)
    if (fate < 3) this.#arrive(this.#arrivesAt + lateMs, deliver)
    if (fate >= 2) this.#arrive(this.#arrivesAt, deliver)
  }

  #arrive(at: Millis, deliver: () => void): void {
    this.#world.at(at - this.#world.now, 'watch arrival', () => {
      if (!this.#isOver) this.#client.arrived(deliver)
    })
  }
}
