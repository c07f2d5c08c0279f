/**
 * A client of the caches: reads most of the time, on any node, so that copies are everywhere; else it writes, conditionally or
 * not, counts, loads what is not there, and takes away keys, tags and prefixes.
 *
 * Every value is a number: a put of its own thousand, so that increments of what it put still tell what they are based on.
 */
import { TricordError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { CacheRead, Caches, Condition, NewValue } from '../cache/types.ts'
import type { PutResult } from '../transaction/types.ts'
import type { Answer, AttemptOptions } from './attempts.ts'
import { UNKNOWN } from './cache-model.ts'
import type { Open } from './cache-history.ts'
import { CACHE, type CacheContext, LEVEL, type Request, TAGS, keysOf, levelsOf } from './cache-workload.ts'
import type { Running } from './cluster.ts'
import type { Dice } from './dice.ts'
import type { Client } from './workload.ts'

const PER_PUT = 1_000
const PER_CLIENT = 10_000
const TTLS_MS = [300, 1_500, 6_000]
const LOAD_WAITS_MS = [0, 500]
/** In place of a load token. */
const TRANSACTION = 'tx'
const DOUBTS_MAX = 8
const DECODER = new TextDecoder()
const ENCODER = new TextEncoder()

type Told = Answer<object>
type Loaded = Awaited<ReturnType<Caches['load']>>

export class CacheClient implements Client {
  readonly #id: string
  readonly #number: number
  readonly #dice: Dice
  readonly #context: CacheContext
  readonly #keys: readonly string[]
  /** The last version that it saw of each key. */
  readonly #versions = new Map<string, number>()
  #operations = 0

  constructor(number: number, dice: Dice, context: CacheContext) {
    this.#id = `cc${number}`
    this.#number = number
    this.#dice = dice
    this.#context = context
    this.#keys = keysOf(context.options)
  }

  act(done: () => void): void {
    const { options, cluster } = this.#context
    if (this.#operations >= options.opsMax) return void cluster.world.at(200, 'client rests', done)
    this.#operations++
    const key = this.#dice.pick(this.#keys)
    if (this.#dice.chance(options.readShare)) return this.#get(key, done)
    const turn = this.#dice.next()
    if (turn < 0.45) return this.#put(key, this.#condition(key), done)
    if (turn < 0.65) return this.#increment(key, done)
    if (turn < 0.75) return this.#delete(key, this.#condition(key), done)
    if (turn < 0.88) return this.#load(key, done)
    if (this.#context.writeback !== null && turn < 0.94) return this.#put(key, null, done, TRANSACTION)
    return this.#invalidate(key, done)
  }

  // What is asked.

  #get(key: string, done: () => void): void {
    const { history, attempts, cluster, options } = this.#context
    const open = history.begin(key)
    const { timeoutMs } = options
    attempts.look(
      (running) => {
        this.#meets(open, running)
        return running.caches.get(named(key), { timeoutMs })
      },
      timeoutMs,
      (seen) => {
        if (seen !== null) this.#seen(open, seen)
        cluster.world.log(`${this.#id} read ${key}: ${seen === null ? 'nobody knows' : said(seen)}`)
        done()
      },
      this.#at(key),
    )
  }

  #put(key: string, condition: Condition, done: () => void, token = '', since?: number, tags = this.#tags()): void {
    const { history, cluster, options } = this.#context
    const value = (this.#number * PER_CLIENT + this.#operations) * PER_PUT
    const isMortal = this.#dice.chance(options.ttlShare)
    const ttlMs = isMortal ? this.#dice.pick(TTLS_MS) : 0
    const livesUntil = isMortal ? cluster.world.now + ttlMs * this.#context.lifeShare : Infinity
    const what: NewValue = { value: ENCODER.encode(`${value}`), contentType: 'text/plain', ttlMs, slidingMs: 0, tags }
    const open = history.begin(key, since)
    const request: Request = (running, more) =>
      token === TRANSACTION
        ? transact(running, key, what, more)
        : running.caches.put(named(key), what, condition, token === '' ? null : token, more)
    const again = this.#again(key)
    const isLone = token === '' && again === ''
    this.#write(open, isLone, request, `put ${token === TRANSACTION ? 'in a transaction ' : ''}${key} ${value}`, again, (answer) => {
      const told = {
        kind: 'put',
        value,
        tags: [...tags, ...levelsOf(key, options)].join(' '),
        livesUntil,
        condition,
        token: token === TRANSACTION ? '' : token,
        at: cluster.world.now,
      } as const
      if (answer.type === 'reply') {
        const { version, created } = answer.reply as Awaited<ReturnType<Caches['put']>>
        this.#versions.set(key, version)
        const looked = condition !== null || created || !options.tagged
        history.end(open, { ...told, result: { version, created: looked ? created : null } }, true)
      } else if (answer.type === 'unknown') history.end(open, { ...told, result: UNKNOWN }, false)
      else if (isRefused(answer)) history.end(open, { ...told, result: this.#refusal(key, answer) }, true)
      done()
    })
  }

  #increment(key: string, done: () => void): void {
    const { history, cluster, options } = this.#context
    const open = history.begin(key)
    const by = this.#dice.integer(1, 3)
    const again = this.#again(key)
    this.#write(
      open,
      again === '',
      ({ caches }, more) => caches.increment(named(key), by, more),
      `increment ${key}`,
      again,
      (answer) => {
        const told = { kind: 'increment', by, tags: levelsOf(key, options).join(' '), at: cluster.world.now } as const
        if (answer.type === 'reply') {
          const { version, value } = answer.reply as Awaited<ReturnType<Caches['increment']>>
          this.#versions.set(key, version)
          history.end(open, { ...told, result: { version, value } }, true)
        } else if (answer.type === 'unknown') history.end(open, { ...told, result: UNKNOWN }, false)
        else if (isRefused(answer)) throw new Error(`an increment was refused with ${answer.code}`)
        done()
      },
    )
  }

  #delete(key: string, condition: Condition, done: () => void): void {
    const { history, cluster } = this.#context
    const open = history.begin(key)
    const again = this.#again(key)
    this.#write(
      open,
      again === '',
      ({ caches }, more) => caches.delete(named(key), condition, more),
      `delete ${key}`,
      again,
      (answer) => {
        const told = { kind: 'delete', condition, at: cluster.world.now } as const
        if (answer.type === 'reply') {
          const { version, existed } = answer.reply as Awaited<ReturnType<Caches['delete']>>
          history.end(open, { ...told, result: { version, existed } }, true)
        } else if (answer.type === 'unknown') history.end(open, { ...told, result: UNKNOWN }, false)
        else if (isRefused(answer)) history.end(open, { ...told, result: this.#refusal(key, answer) }, true)
        done()
      },
    )
  }

  #load(key: string, done: () => void): void {
    const { history, cluster, options } = this.#context
    const open = history.begin(key)
    const waitMs = this.#dice.pick(LOAD_WAITS_MS)
    const tags = this.#tags()
    const how = { waitMs, staleOk: this.#dice.chance(0.3), tags }
    this.#run(
      (running, more) => {
        this.#meets(open, running)
        return running.caches.load(named(key), how, more)
      },
      `load ${key}`,
      '',
      (answer) => {
        if (answer.type !== 'reply') return done()
        const outcome = answer.reply as Loaded
        if (outcome.type === 'value') {
          if (!outcome.stale) this.#seen(open, outcome.read)
          return done()
        }
        const { loadToken: token } = outcome
        open.alone = ''
        history.end(open, { kind: 'grant', token, tags: [...tags, ...levelsOf(key, options)].join(' '), at: cluster.world.now }, true)
        cluster.world.at(this.#dice.exponential(50), 'client has loaded', () => this.#put(key, null, done, token, open.call, tags))
      },
    )
  }

  /** What takes more than one command may have begun though it was refused, and done again it takes away what came since. */
  #invalidate(key: string, done: () => void): void {
    const { history, cluster, options, writeback } = this.#context
    const isDoubtful = writeback !== null && this.#keys.some((one) => history.doubts(one) >= DOUBTS_MAX)
    const keyed = isDoubtful
      ? 'key'
      : options.tagged
        ? this.#dice.pick(['key', 'tag', 'level', 'prefix', 'all'] as const)
        : this.#dice.pick(['key', 'prefix', 'all'] as const)
    const { what, keys, tag } = this.#meant(keyed, key)
    const opens = keys.map((one) => history.begin(one))
    const again = keyed === 'key' ? this.#again(key) : ''
    this.#run(
      ({ caches }, more) => caches.invalidate(CACHE, what, more),
      `invalidate ${keyed} ${tag}`,
      again,
      (answer) => {
        const known = answer.type === 'reply'
        const nothing = answer.type === 'not applied' && keyed === 'key'
        // What is dead by its tags is taken away, and counted, all the same.
        const removed = known && keyed === 'key' && !options.tagged ? (answer.reply as { readonly invalidated: number }).invalidated : null
        for (const open of opens) if (!nothing) history.end(open, { kind: 'invalidate', tag, at: cluster.world.now, removed }, known)
        done()
      },
    )
  }

  #meant(kind: 'key' | 'tag' | 'level' | 'prefix' | 'all', key: string) {
    const begin = (prefix: string): readonly string[] => this.#keys.filter((one) => one.startsWith(prefix))
    if (kind === 'key') return { what: { keys: [key] }, keys: [key], tag: '' } as const
    if (kind === 'level') return { what: { prefix: LEVEL }, keys: this.#keys, tag: LEVEL } as const
    if (kind === 'prefix') return { what: { prefix: key.slice(0, 1) }, keys: begin(key.slice(0, 1)), tag: '' } as const
    if (kind === 'all') return { what: { all: true }, keys: this.#keys, tag: '' } as const
    const tag = this.#dice.pick(TAGS)
    return { what: { tags: [tag] }, keys: this.#keys, tag } as const
  }

  // What is told.

  /** `isLone`: the node may do it without the log, where the cache is one of those. */
  #write(open: Open, isLone: boolean, request: Request, what: string, key: string, done: (answer: Told) => void): void {
    const { writeback, cluster } = this.#context
    const mayBeFull = cluster.options.chaos.weights.diskFull > 0
    const asked: Request = (running, more) => {
      if (isLone) this.#meets(open, running)
      return request(running, more)
    }
    const answered = (answer: Told): void => {
      if (writeback?.durability.mayHaveBeen('writeback', open.call) === false) open.alone = ''
      // What nobody may own goes through the log, too.
      open.onlyThere = isLone && !mayBeFull && writeback?.durability.mayHaveBeen('quorum', open.call) === false
      done(answer)
    }
    this.#run(asked, what, key, answered, this.#at(open.key))
  }

  /** What this life knows of the key may be what it wrote alone. */
  #meets(open: Open, running: Running): void {
    open.alone = this.#context.writeback?.lone.lifeOf(running) ?? ''
  }

  #at(key: string): NodeId | null {
    return this.#context.writeback?.favourites.of(key) ?? null
  }

  #run(request: Request, what: string, key: string, done: (answer: Told) => void, at: NodeId | null = null): void {
    const { attempts, options, cluster } = this.#context
    const how: AttemptOptions = { timeoutMs: options.timeoutMs, key, cancelAfterMs: Infinity, at }
    attempts.run(request, how, (answer) => {
      cluster.world.log(`${this.#id} ${what}: ${JSON.stringify(answer)}`)
      done(answer)
    })
  }

  #seen(open: Open, { entry }: CacheRead): void {
    const { history, cluster } = this.#context
    const at = cluster.world.now
    if (entry !== null) this.#versions.set(open.key, entry.version)
    history.end(open, { kind: 'read', version: entry?.version ?? 0, value: entry && numberIn(entry.value), at }, true)
  }

  #refusal(key: string, { code, details }: { readonly code: string; readonly details: Readonly<Record<string, unknown>> }) {
    if (code === 'STALE_TOKEN') return { staleToken: true } as const
    if (code !== 'VERSION_MISMATCH') throw new Error(`a write was refused with ${code}`)
    const mismatch = details['version'] as number
    if (mismatch !== 0) this.#versions.set(key, mismatch)
    return { mismatch }
  }

  /** The search for an order takes the longer, the more there is of which nobody knows whether it happened. */
  #again(key: string): string {
    const { options, writeback, history } = this.#context
    const isDoubtful = writeback !== null && history.doubts(key) >= DOUBTS_MAX
    return this.#dice.chance(options.retryShare) || isDoubtful ? `${this.#id}/${this.#operations}` : ''
  }

  #condition(key: string): Condition {
    const turn = this.#dice.next()
    if (turn < 0.5) return null
    if (turn < 0.65) return 'absent'
    return turn < 0.75 ? 'present' : (this.#versions.get(key) ?? null)
  }

  #tags(): readonly string[] {
    return this.#context.options.tagged ? TAGS.filter(() => this.#dice.chance(0.4)) : []
  }
}

function named(key: string) {
  return { ...CACHE, key }
}

function numberIn(value: Uint8Array): number {
  return Number(DECODER.decode(value))
}

function said({ entry, line, hit }: CacheRead): string {
  return `${entry === null ? 'nothing' : `${entry.version} ${numberIn(entry.value)}`} ${line}${hit ? ' hit' : ''}`
}

/** Where other nodes own the line again and again nothing was done. */
function isRefused(answer: Told): answer is Extract<Told, { type: 'refused' }> {
  return answer.type === 'refused' && answer.code !== 'OWNER_BUSY'
}

function transact({ transactions }: Running, key: string, value: NewValue, more: Parameters<Request>[1]): Promise<object> {
  return new Promise((resolve, reject) => {
    transactions.submit({ type: 'tx', ops: [{ type: 'cache_put', ...named(key), value }] }, more, (reply) => {
      if (reply instanceof TricordError) return reject(reply)
      resolve((reply.results[0] as PutResult).put)
    })
  })
}
