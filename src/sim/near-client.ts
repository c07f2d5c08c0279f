/**
 * A client that keeps copies of its own (`near-cache.ts`): it reads from them while it may, and from any node where it may not,
 * hangs up, does not read, sleeps, begins anew, and comes back on any gateway.
 *
 *   every second one knows of no cursors: it begins "from": 0, and comes back with the last number alone
 *
 *   events   serves while the connection stands     bounded, pushed   leases count from when beats come
 *                                                   bounded, asked    from when it asked
 */
import type { Members } from '../api/socket/call.ts'
import type { SubscribeCacheBody } from '../api/cache-schemas.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import type { CacheRead } from '../cache/types.ts'
import { CACHE, type CacheContext, keysOf } from './cache-workload.ts'
import type { Dice } from './dice.ts'
import { Inbox } from './inbox.ts'
import { type Held, NearCache, type Told } from './near-cache.ts'
import type { NearHistory } from './near-history.ts'
import { DRIFT_PPM_MAX } from './options.ts'
import { increment } from './own-increment.ts'
import type { WatchAudit } from './watch-audit.ts'
import { type WatchClient, WatchConnection } from './watch-connection.ts'
import type { Client } from './workload.ts'
import { SimFailure } from './world.ts'

const READS_MAX = 3
const SLEEPS_MS = [50, 1_000, 5_000, 10_000]
/** Of its connections: the gateway does not hear that they are over. */
const SILENT_SHARE = 0.7
const DECODER = new TextDecoder()
/** What gateways answer in bad times; anything else is a bug. */
const LATER = new Set(['NO_QUORUM', 'NO_LEADER', 'STARTING', 'OVERLOADED', 'UNKNOWN_OUTCOME'])

export interface NearContext extends CacheContext {
  readonly hits: NearHistory
  readonly audit: WatchAudit
  readonly mangles: () => boolean
}

export class NearClient implements Client, WatchClient {
  readonly id: string
  readonly keys: readonly string[]
  readonly inbox: Inbox
  readonly kind: 'events' | 'pushed' | 'asked'
  readonly #hasCursors: boolean
  readonly #dice: Dice
  readonly #context: NearContext
  readonly #what: Pick<SubscribeCacheBody, 'keys' | 'prefix' | 'all'>
  /** Of its clock. */
  readonly #rate: number
  #connection: WatchConnection | null = null
  #sub: string | null = null
  #isSubscribing = false
  #hasBegun = false
  near: NearCache
  /** When the read was answered that a copy comes from, by key. */
  #filledAt = new Map<string, Millis>()
  /** What it wrote itself, or was told. */
  #known = new Map<string, number>()
  /** Of the lease that lasts longest. */
  #wayMs: Millis = 0
  #reading = 0
  #operations = 0

  constructor(number: number, dice: Dice, context: NearContext) {
    this.id = `near${number}`
    this.#hasCursors = number % 2 === 1
    this.#dice = dice
    this.#context = context
    this.inbox = new Inbox(context.cluster.world)
    this.kind = dice.pick(['events', 'pushed', 'pushed', 'asked', 'asked'] as const)
    const keys = keysOf(context.options)
    const some = dice.shuffle(keys).slice(0, dice.integer(1, keys.length))
    this.#what = dice.pick([{ all: true }, { prefix: (keys[0] as string).slice(0, 1) }, { keys: some }] as const)
    const { prefix = '', keys: named = keys } = this.#what as { readonly prefix?: string; readonly keys?: readonly string[] }
    this.keys = named.filter((key) => key.startsWith(prefix))
    const ppm = Math.min(context.cluster.options.driftPpm, DRIFT_PPM_MAX)
    this.#rate = 1 + dice.between(-ppm, ppm) / 1e6
    this.near = new NearCache(this.kind === 'events' ? 'events' : 'bounded')
  }

  act(done: () => void): void {
    this.#operations++
    const connection = this.#connection
    const turn = this.#dice.next()
    if (!this.isInForce || connection === null || turn < 0.02) this.connect()
    else if (turn < 0.03) this.#beginAnew()
    else if (turn < 0.05) connection.read(!connection.writable)
    else if (turn < 0.06) return this.#sleep(this.#dice.pick(SLEEPS_MS), done)
    else if (turn < 0.2) this.ask()
    else if (turn < 0.23) return this.#increment(this.#dice.pick(this.keys), done)
    else this.#read(this.#dice.pick(this.keys))
    done()
  }

  /** It hears what it asked for, as far as it knows. */
  get isInForce(): boolean {
    return this.#connection?.isOpen === true && this.#sub !== null && this.near.isConnected
  }

  /** The node that it is connected to. */
  get gateway(): string {
    return this.#connection?.node.id ?? 'none'
  }

  get now(): Millis {
    return this.#context.cluster.world.now * this.#rate
  }

  // The subscription.

  /** Where it is not under way: on the connection that there is, or on another, at any gateway. */
  connect(): void {
    const stands = this.#connection?.isOpen === true
    if (stands && this.#isSubscribing && this.#dice.chance(0.95)) return
    if (stands && !this.#isSubscribing && !this.near.isConnected && this.#dice.chance(0.5)) return this.#subscribe()
    this.#hangUp()
    const { up, world } = this.#context.cluster
    const node = up.length > 0 ? this.#dice.pick(up) : null
    if (node?.running == null) return
    const { audit, mangles } = this.#context
    this.#connection = new WatchConnection(world, this.#dice, node, node.running, audit, this, mangles)
    this.#subscribe()
  }

  /** All that may hold it back is over. */
  rouse(): void {
    if (this.#connection?.writable === false) this.#connection.read(true)
  }

  /** For how long what it holds may be served. */
  ask(): void {
    const [connection, sub, near] = [this.#connection, this.#sub, this.near]
    if (this.kind !== 'asked' || connection === null || sub === null) return
    const sentAt = this.now
    connection.beat(sub, (state) => {
      if (this.#sub !== sub || this.#connection !== connection || this.near !== near) return
      const { seq, cursor, leaseMs = 0 } = state as { readonly seq: number; readonly cursor: string; readonly leaseMs?: Millis }
      near.told({ type: 'beat', seq, cursor, leaseMs }, sentAt)
    })
  }

  #hangUp(): void {
    this.#connection?.end(this.#dice.chance(SILENT_SHARE))
    this.#connection = null
    this.#sub = null
    this.#isSubscribing = false
    this.near.gone()
  }

  #beginAnew(): void {
    this.#hangUp()
    this.#hasBegun = false
    this.near = new NearCache(this.kind === 'events' ? 'events' : 'bounded')
    this.#filledAt = new Map()
    this.#known = new Map()
  }

  #subscribe(): void {
    const connection = this.#connection as WatchConnection
    const [near, old] = [this.near, this.#sub]
    const { seq, cursor } = near
    const hasBegun = this.#hasBegun || !this.#hasCursors
    const resumes = hasBegun && { from: seq, ...(cursor !== null && this.#dice.chance(0.8) && this.#hasCursors && { cursor }) }
    this.#sub = null
    this.#isSubscribing = true
    near.gone()
    connection.subscribe({ ...this.#what, mode: this.kind === 'events' ? 'events' : 'bounded', ...resumes }, (result) => {
      if (this.#connection !== connection || this.near !== near) return
      this.#isSubscribing = false
      if (result instanceof TricordError) {
        if (!LATER.has(result.code)) throw new SimFailure(`near: ${this.id} was refused with ${result.code}: ${result.message}`)
        return this.#hangUp()
      }
      const given = result as { readonly sub: string; readonly seq: number; readonly cursor?: string }
      near.back(given.seq, given.cursor ?? null)
      this.#sub = given.sub
      this.#hasBegun = true
      if (old !== null) connection.unsubscribe(old)
    })
  }

  // What comes.

  heard(event: Members, pushedAt: Millis): void {
    if (event['sub'] !== this.#sub || this.#connection?.isOpen !== true) return
    const { now } = this
    const told = toldOf(event, this.kind === 'pushed')
    if (told.type === 'beat' && now + told.leaseMs > this.near.leaseUntil) this.#wayMs = this.#context.cluster.world.now - pushedAt
    const before = this.near.seq
    if (!this.near.told(told, now)) this.#context.cluster.world.log(`${this.id} misses something after ${before}`)
    // Where it is told that a key may be over, the version is that of the partition.
    if (told.type === 'invalidate' && event['reason'] === 'put' && this.near.seq > before) this.#know(told.key, told.version)
  }

  #know(key: string, version: number): void {
    this.#known.set(key, Math.max(this.#known.get(key) ?? 0, version))
  }

  /** It awakes with what it has, before it hears of anything. */
  #sleep(ms: Millis, done: () => void): void {
    const serve = (): void => this.keys.forEach((key) => this.#hit(key))
    this.inbox.sleep(ms, 'near client awakes', serve, done)
  }

  // What it does with it.

  #hit(key: string): boolean {
    const held = this.near.get(key, this.now)
    if (held === undefined) return false
    const known = this.#known.get(key) ?? 0
    if (held.value !== null && held.version < known)
      throw new SimFailure(`near: ${this.id} served version ${held.version} of ${key}, and knew of ${known}`)
    if (this.kind === 'events') return true
    const at = this.#context.cluster.world.now
    const filledAt = this.#filledAt.get(key) ?? 0
    this.#context.hits.hit({ client: this.id, key, version: held.version, filledAt, at, wayMs: this.kind === 'pushed' ? this.#wayMs : 0 })
    return true
  }

  #read(key: string): void {
    if (this.#hit(key) || this.#reading >= READS_MAX || !this.#hasBegun) return
    const { near } = this
    const ticket = near.begin(key)
    this.#reading++
    this.look(key, (seen) => {
      this.#reading--
      const found = seen === null ? null : heldOf(seen)
      near.filled(ticket, found, seen?.line === 'M')
      if (near === this.near && found !== null && near.held(key) === found) this.#filledAt.set(key, this.#context.cluster.world.now)
    })
  }

  /** At any node; where nodes write alone, mostly at the one that does. */
  look(key: string, done: (seen: CacheRead | null) => void): void {
    const { attempts, options, writeback } = this.#context
    const { timeoutMs } = options
    attempts.look(({ caches }) => caches.get({ ...CACHE, key }, { timeoutMs }), timeoutMs, done, writeback?.favourites.of(key) ?? null)
  }

  #increment(key: string, done: () => void): void {
    const { near } = this
    const by = this.#dice.integer(1, 3)
    increment(this.#context, { key, by, idempotencyKey: `${this.id}/${this.#operations}` }, (version) => {
      if (version !== null) {
        near.wrote(key, version)
        if (near === this.near) this.#know(key, version)
      }
      done()
    })
  }
}

function toldOf(event: Members, countsFromArrival: boolean): Told {
  const seq = event['seq'] as number
  if (event['event'] === 'cache.reset') return { type: 'reset', seq }
  if (event['event'] === 'cache.invalidate')
    return { type: 'invalidate', seq, key: String(event['key']), version: event['version'] as number }
  const { cursor = null, leaseMs = 0 } = event as { readonly cursor?: string; readonly leaseMs?: Millis }
  return { type: 'beat', seq, cursor, leaseMs: countsFromArrival ? leaseMs : 0 }
}

export function heldOf({ entry }: CacheRead): Held {
  return entry === null ? { version: 0, value: null } : { version: entry.version, value: DECODER.decode(entry.value) }
}
