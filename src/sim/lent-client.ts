/**
 * A client that is lent copies which are never old (`lent-cache.ts`): each hit has to be what a read on any node would say at that
 * moment, so it is a read in the history of its key. It hangs up or is gone without a word, does not read, sleeps, is cut off and
 * does not know it, begins anew on any gateway; and it serves from what it has as long as the rules let it.
 */
import type { Members } from '../api/socket/call.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import type { CacheContext } from './cache-workload.ts'
import { keysOf } from './cache-workload.ts'
import type { Dice } from './dice.ts'
import { Inbox } from './inbox.ts'
import { LentCache, type Told } from './lent-cache.ts'
import { type LentAnswer, LentConnection, type LentConnectionClient } from './lent-connection.ts'
import { DRIFT_PPM_MAX } from './options.ts'
import { increment } from './own-increment.ts'
import type { Client } from './workload.ts'
import { SimFailure } from './world.ts'

const BEAT_MS: Millis = 300
const SUBSCRIBED_MS: Millis = 3_000
/** A connection that is gone is noticed after a while. */
const NOTICED_MEAN_MS = 600
const READS_MAX = 3
const PAUSES_MS = [50, 300, 1_000, 3_000]
const DECODER = new TextDecoder()
/** What gateways answer in bad times; anything else is a bug. */
const LATER = new Set(['NO_QUORUM', 'NO_LEADER', 'STARTING', 'OVERLOADED', 'UNKNOWN_OUTCOME', 'DISK_LOW'])

export class LentClient implements Client, LentConnectionClient {
  readonly id: string
  readonly keys: readonly string[]
  readonly inbox: Inbox
  readonly #dice: Dice
  readonly #context: CacheContext
  /** Of its clock. */
  readonly #rate: number
  #connection: LentConnection | null = null
  #cache = new LentCache(0)
  /** '': none, or it is being asked for. */
  #sub = ''
  #hasBegun = false
  #askedAt: Millis = 0
  #beatAt: Millis = 0
  /** In the time of the world; null: it has nothing to notice. */
  #noticesAt: Millis | null = null
  #reading = 0
  #operations = 0
  hits = 0

  constructor(number: number, dice: Dice, context: CacheContext) {
    this.id = `lent${number}`
    this.#dice = dice
    this.#context = context
    this.inbox = new Inbox(context.cluster.world)
    this.keys = keysOf(context.options)
    const { driftPpm, driftsMost } = context.cluster.options
    const ppm = Math.min(driftPpm, DRIFT_PPM_MAX)
    this.#rate = 1 + (driftsMost ? dice.pick([-ppm, ppm]) : dice.between(-ppm, ppm)) / 1e6
  }

  act(done: () => void): void {
    this.#operations++
    if (this.#isCut()) this.#hit(this.#dice.pick(this.keys))
    else if (this.#connection !== null && this.#sub !== '') return this.#use(this.#connection, done)
    else this.connect()
    done()
  }

  get gateway(): string {
    return this.#connection?.link.node.id ?? 'none'
  }

  get #now(): Millis {
    return this.#context.cluster.world.now * this.#rate
  }

  #use(connection: LentConnection, done: () => void): void {
    if (this.#now - this.#beatAt >= BEAT_MS) this.#beat()
    const turn = this.#dice.next()
    if (turn < 0.01) this.#hangUp(this.#dice.chance(0.3))
    else if (turn < 0.015) this.#beginAnew()
    else if (turn < 0.02) this.#subscribeAgain(connection)
    else if (turn < 0.025) connection.cut()
    else if (turn < 0.035) connection.link.stall(this.#dice.pick(PAUSES_MS))
    else if (turn < 0.05 || !connection.writable) connection.read(!connection.writable)
    else if (turn < 0.06) return this.#sleep(this.#dice.pick(PAUSES_MS), done)
    else if (turn < 0.1) return this.#increment(this.#dice.pick(this.keys), done)
    else this.#read(this.#dice.pick(this.keys))
    done()
  }

  // The connection.

  /** Nobody is at the other end any more, and it does not know yet. */
  #isCut(): boolean {
    const { world } = this.#context.cluster
    if (this.#connection === null || this.#connection.link.isOpen) return false
    this.#noticesAt ??= world.now + this.#dice.exponential(NOTICED_MEAN_MS)
    if (world.now < this.#noticesAt) return true
    this.#hangUp(false)
    return false
  }

  /** Where it has no subscription, and none is under way. */
  connect(): void {
    if (this.#isCut()) return
    const isAsking = this.#connection?.link.isOpen === true && this.#now - this.#askedAt < SUBSCRIBED_MS
    if (this.#sub !== '' || isAsking) return
    this.#hangUp(false)
    const { up, world } = this.#context.cluster
    const node = up.length > 0 ? this.#dice.pick(up) : null
    if (node?.running == null) return
    const connection = new LentConnection(world, this.#dice, node, node.running, this)
    this.#connection = connection
    this.#subscribe(connection)
  }

  #subscribe(connection: LentConnection): void {
    const from = this.#hasBegun && this.#dice.chance(0.7) ? this.#cache.seq : null
    this.#askedAt = this.#now
    connection.subscribe(from, (result) => {
      if (result instanceof TricordError) {
        if (!LATER.has(result.code)) throw new SimFailure(`lent: ${this.id} was refused with ${result.code}: ${result.message}`)
        return this.#hangUp(false)
      }
      const { sub, seq } = result as { readonly sub: string; readonly seq: number }
      if (seq === from) throw new SimFailure(`lent: ${this.id} came back with ${from}, and begins there, too`)
      this.#cache = new LentCache(seq)
      this.#sub = sub
      this.#beatAt = this.#now
      this.#hasBegun = true
    })
  }

  /** What was lent to the old one is dropped before. */
  #subscribeAgain(connection: LentConnection): void {
    this.#cache.gone()
    connection.unsubscribe(this.#sub)
    this.#sub = ''
    this.#subscribe(connection)
  }

  #hangUp(isSilent: boolean): void {
    this.#cache.gone()
    this.#connection?.end(isSilent)
    this.#connection = null
    this.#sub = ''
    this.#noticesAt = null
    this.#reading = 0
  }

  /** It crashed: nobody tells its gateway. */
  #beginAnew(): void {
    this.#hangUp(true)
    this.#hasBegun = false
  }

  // What comes.

  /** Dropped, then acknowledged at once. */
  heard(event: Members): void {
    if (event['sub'] !== this.#sub) return
    this.#cache.told(event as unknown as Told)
    this.#beat()
  }

  #beat(): void {
    const [cache, sentAt] = [this.#cache, this.#now]
    this.#beatAt = sentAt
    this.#connection?.beat(this.#sub, cache.seq, (result) => {
      if (result instanceof TricordError) return
      if (cache === this.#cache) cache.beaten((result as { readonly leaseMs: Millis }).leaseMs, sentAt)
    })
  }

  /** It awakes with what it has, and serves it before it hears of anything. */
  #sleep(ms: Millis, done: () => void): void {
    const serve = (): void => this.keys.forEach((key) => this.#hit(key))
    this.inbox.sleep(ms, 'lent client awakes', serve, done)
  }

  // What it does with it.

  #hit(key: string): boolean {
    const kept = this.#cache.get(key, this.#now)
    if (kept === undefined) return false
    const { history, cluster } = this.#context
    this.hits++
    const { version, value } = kept
    cluster.world.log(`${this.id} serves ${key}: ${version} ${String(value)}`)
    history.end(history.begin(key), { kind: 'read', version, value: value as number, at: cluster.world.now }, true)
    return true
  }

  #read(key: string): void {
    if (this.#hit(key) || this.#reading >= READS_MAX) return
    this.#reading++
    this.look(key, () => this.#reading--)
  }

  /** At its gateway, on its connection; `seen` is not called where that is gone. */
  look(key: string, seen: (answer: LentAnswer | null) => void): void {
    const connection = this.#connection
    if (connection === null) return seen(null)
    const { history, cluster, options, writeback } = this.#context
    const open = history.begin(key)
    open.alone = writeback?.lone.lifeOf(connection.running) ?? ''
    const sentAt = this.#now
    connection.get(key, options.timeoutMs, (answer) => {
      if (answer instanceof TricordError) return seen(null)
      const { entry } = answer.read
      const value = entry && Number(DECODER.decode(entry.value))
      history.end(open, { kind: 'read', version: entry?.version ?? 0, value, at: cluster.world.now }, true)
      const { lent } = answer
      if (entry !== null && lent !== null && lent.sub === this.#sub) {
        const { leaseMs, ttlMs } = lent
        this.#cache.answered(key, { version: entry.version, data: value, lent: true, leaseMs, ...(ttlMs !== null && { ttlMs }) }, sentAt)
      }
      seen(answer)
    })
  }

  /** All that may hold it back is over: it reads, and knows whether its gateway is there. */
  rouse(): void {
    if (this.#connection?.link.isOpen === false) this.#hangUp(false)
    this.#connection?.read(true)
  }

  #increment(key: string, done: () => void): void {
    const by = this.#dice.integer(1, 3)
    increment(this.#context, { key, by, idempotencyKey: `${this.id}/${this.#operations}` }, () => done())
  }
}
