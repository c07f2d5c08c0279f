/**
 * What a node does for those who ask its cache. A read looks at the entry and at the lines that keep it alive (`seen.ts`). A write
 * looks at the configuration and the tags, then goes through the log of the key's partition; its answer waits at the gate of the home
 * until no node can serve what was before.
 *
 *   get   entry ─▶ its tags and levels
 *   put   config ─▶ tags and levels ─▶ log ─▶ gate ─▶ answer
 */
import { TricordError } from '../../base/errors.ts'
import { type Eventually, after } from '../../base/eventually.ts'
import type { Millis } from '../../base/ids.ts'
import { refusalOf, unreadable } from '../../raft/unreadable.ts'
import type { LineId } from '../coherence/protocol.ts'
import { configLine, levelLine, lineOf, tagLine } from '../line-id.ts'
import { encodeCommand } from '../machine/codec.ts'
import type { DeleteCommand, IncrementCommand, LoadCommand, PutCommand } from '../machine/commands.ts'
import {
  CACHE_LIMITS,
  type CacheCallOptions,
  type CacheConfig,
  type CacheName,
  type CacheRead,
  type CacheWritten,
  type Condition,
  type EntryName,
  type LoadCallOptions,
  type LoadOutcome,
  type NewValue,
} from '../types.ts'
import { configIn } from './configs.ts'
import { giveBack } from './invalidations.ts'
import type { Lines } from './lines.ts'
import type { WriteOwned } from './partition-copies.ts'
import { writeLocally } from './local-write.ts'
import { foundAt, seenOf, versionsOf } from './seen.ts'
import type { Tally } from './tally.ts'
import { type Done, type Writes, ofPart } from './writes.ts'

/** Tries to write a line through the log that others own again and again. */
const OWNED_MAX = 5
/** Tries to write what is given other tags each time it was looked at. */
const UNJUDGED_MAX = 16

export interface HowToLoad {
  readonly waitMs: Millis
  readonly staleOk: boolean
  readonly tags: readonly string[]
}

/** As a command is before it was looked whether what it meets is alive. */
const UNSEEN = { dead: 0, known: null, own: 0 } as const

export class Operations {
  readonly #lines: Lines
  readonly #writes: Writes
  readonly #tally: Tally

  constructor(lines: Lines, writes: Writes, tally: Tally) {
    this.#lines = lines
    this.#tally = tally
    this.#writes = writes
  }

  /** At once where everything is at hand. */
  get(name: EntryName, { timeoutMs }: CacheCallOptions): Eventually<CacheRead> {
    const line = lineOf(name)
    const counts = this.#tally.ofCache(name.namespace, name.cache)
    const hit = this.#lines.hit(line)
    if (hit === null) {
      counts.misses += 1
      return after(this.#lines.read(line, timeoutMs), (held) =>
        after(foundAt(this.#lines, line, held, timeoutMs), ({ entry }) => ({ entry, line: 'I', hit: false })),
      )
    }
    counts.hits += 1
    const { held, state } = hit
    const seen = foundAt(this.#lines, line, held, timeoutMs)
    if (seen instanceof Promise) return seen.then(({ entry }) => ({ entry, line: state, hit: true }))
    return { entry: seen.entry, line: state, hit: true }
  }

  async put(
    name: EntryName,
    value: NewValue,
    condition: Condition,
    loadToken: string | null,
    options: CacheCallOptions,
  ): Promise<CacheWritten> {
    const [command, config] = await this.#putCommand(name, value, condition, loadToken, options)
    const reply = await this.#write(command, config, options)
    if (reply.type !== 'put') throw unreadable('another answer to a put')
    return { version: reply.version, created: reply.created }
  }

  /**
   * The command of an unconditional put, as bytes: for who joins it with others. `isOwned`: the log has refused it for that. What was
   * owned once is so whatever the cache's configuration says now.
   */
  async planPut(name: EntryName, value: NewValue, isOwned: boolean, options: CacheCallOptions): Promise<Uint8Array> {
    const [command, config] = await this.#putCommand(name, value, null, null, options)
    if (isOwned || config.durability === 'writeback') await giveBack(this.#lines, lineOf(name), options)
    return encodeCommand({ ...command, ...(await this.#judged(command, options.timeoutMs)) })
  }

  async #putCommand(
    name: EntryName,
    value: NewValue,
    condition: Condition,
    loadToken: string | null,
    { timeoutMs }: CacheCallOptions,
  ): Promise<readonly [command: PutCommand, config: CacheConfig]> {
    const [config, version] = await this.config(name, timeoutMs)
    const lines = [...levelLines(name, config), ...value.tags.map((tag) => tagLine(name.namespace, name.cache, tag))]
    const { namespace, cache, key } = name
    const command: PutCommand = {
      type: 'cache_put',
      namespace,
      cache,
      key,
      value: value.value,
      contentType: value.contentType,
      ttlMs: lifeOf(value, config),
      slidingMs: value.slidingMs,
      tags: await versionsOf(this.#lines, lines, timeoutMs),
      condition,
      loadToken: loadToken === null ? null : tokenOf(loadToken),
      share: this.#writes.shareOf(config, version),
      ...UNSEEN,
    }
    return [command, config]
  }

  async delete(name: EntryName, condition: Condition, options: CacheCallOptions): Promise<{ existed: boolean; version: number }> {
    const [config] = await this.config(name, options.timeoutMs)
    const reply = await this.#write({ type: 'cache_delete', ...entryNameOf(name), condition, ...UNSEEN }, config, options)
    if (reply.type !== 'deleted') throw unreadable('another answer to a delete')
    return { existed: reply.existed, version: reply.version }
  }

  async increment(name: EntryName, by: number, options: CacheCallOptions): Promise<{ value: number; version: number }> {
    const [config, version] = await this.config(name, options.timeoutMs)
    const command = {
      type: 'cache_increment',
      ...entryNameOf(name),
      by,
      ttlMs: config.ttlMs === 0 ? null : config.ttlMs,
      tags: await versionsOf(this.#lines, levelLines(name, config), options.timeoutMs),
      share: this.#writes.shareOf(config, version),
      ...UNSEEN,
    } as const
    const reply = await this.#write(command, config, options)
    if (reply.type !== 'incremented') throw unreadable('another answer to an increment')
    return { value: reply.value, version: reply.version }
  }

  async load(name: EntryName, how: HowToLoad, options: LoadCallOptions): Promise<LoadOutcome> {
    const [first, dead, isHere] = await this.#find(name, options.timeoutMs)
    this.#tally.ofCache(name.namespace, name.cache)[isHere ? 'hits' : 'misses'] += 1
    if (first !== null) return { type: 'value', stale: false, read: first }
    const reply = await this.#askToLoad(name, how, dead, options)
    if (reply.type !== 'found') return outcomeOf(reply)
    // The machine does not see whether the tags of what was put are current.
    const [read, deadStill] = await this.#find(name, options.timeoutMs)
    if (read !== null) return { type: 'value', stale: false, read: { ...read, line: 'I', hit: false } }
    // Under a key of its own: who repeats the call is led here again, and has its token, not another's OWNER_BUSY.
    const again = await this.#askToLoad(name, { ...how, waitMs: 0 }, deadStill, ofPart(options, 'again'))
    if (again.type !== 'found') return outcomeOf(again)
    throw new TricordError('OWNER_BUSY', 'the value came and went: ask again', { retryAfterMs: 0 })
  }

  /** What lives there; else the version of what is there though it is dead. Whether the copy here said so. */
  async #find(name: EntryName, timeoutMs: Millis): Promise<readonly [read: CacheRead | null, dead: number, hit: boolean]> {
    const line = lineOf(name)
    const hit = this.#lines.hit(line)
    const held = hit === null ? await this.#lines.read(line, timeoutMs) : hit.held
    const { entry, dead } = await foundAt(this.#lines, line, held, timeoutMs)
    return [entry === null ? null : { entry, line: hit?.state ?? 'I', hit: hit !== null }, dead, hit !== null]
  }

  async #askToLoad(name: EntryName, { waitMs, staleOk, tags }: HowToLoad, dead: number, options: LoadCallOptions): Promise<Done> {
    const { timeoutMs } = options
    const [config] = await this.config(name, timeoutMs)
    const lines = [...levelLines(name, config), ...tags.map((tag) => tagLine(name.namespace, name.cache, tag))]
    const versions = await versionsOf(this.#lines, lines, timeoutMs)
    const command = { type: 'cache_load', ...entryNameOf(name), waitMs, staleOk, tags: versions, dead } as const
    return this.#throughLog(command, { ...options, timeoutMs: timeoutMs + waitMs })
  }

  /** The configuration of a cache, and its version; 0: none was given. */
  async config({ namespace, cache }: CacheName, timeoutMs: Millis): Promise<readonly [config: CacheConfig, version: number]> {
    const held = await this.#lines.read(configLine(namespace, cache), timeoutMs)
    return [configIn(held), held.version]
  }

  /**
   * In a cache with `writeback` the node becomes the line's owner and writes it alone. What has to be found again under a key, or
   * lives longer by being read, goes through the log there as well.
   */
  async #write(command: PutCommand | DeleteCommand | IncrementCommand, config: CacheConfig, options: CacheCallOptions): Promise<Done> {
    const isLogged =
      options.idempotencyKey !== undefined || ('loadToken' in command && (command.loadToken !== null || command.slidingMs > 0))
    if (config.durability === 'quorum' || isLogged) return this.#throughLog(command, options)
    let looked: { readonly version: number; readonly dead: number } | null = null
    const write: WriteOwned = (held, version) => {
      if (held.slidingMs > 0) return null
      // What was asked for counts for what it was asked of: a tag that is being invalidated is not kept, and is never at hand.
      if (looked?.version === held.version) return writeLocally(held, { ...command, dead: looked.dead }, version)
      const seen = seenOf(this.#lines, held, options.timeoutMs)
      if (seen instanceof Promise) return seen.then(({ dead }) => void (looked = { version: held.version, dead }))
      return writeLocally(held, { ...command, dead: seen.dead }, version)
    }
    const reply = await this.#lines.writeOwned(lineOf(command), options.timeoutMs, write)
    if (reply === null) return this.#throughLog(command, options)
    if (reply.type === 'refused') throw refusalOf(reply)
    return reply
  }

  /** What another owns, or this node itself, is given back first; what has got other tags is looked at again. */
  async #throughLog(command: PutCommand | DeleteCommand | IncrementCommand | LoadCommand, options: LoadCallOptions): Promise<Done> {
    let [owned, unjudged] = [0, 0]
    for (let round = 0; ; round++) {
      const whole = command.type === 'cache_load' ? command : { ...command, ...(await this.#judged(command, options.timeoutMs)) }
      const reply = await this.#writes.entry(whole, round === 0 ? options : ofPart(options, round))
      if (reply.type === 'unjudged') {
        if (unjudged++ < UNJUDGED_MAX) continue
        throw new TricordError('OVERLOADED', 'the key is given other tags faster than they are looked at', { retryAfterMs: 0 })
      }
      if (reply.type !== 'owned') return reply
      if (owned++ === OWNED_MAX)
        throw new TricordError('OWNER_BUSY', 'other nodes write this key all the time: try again', { retryAfterMs: 100 })
      await giveBack(this.#lines, lineOf(command), options)
    }
  }

  /**
   * What a write has to know before it goes into the log: the machine of the key's partition does not see its tags. Without a
   * condition only `created` depends on it: a copy here says it for nothing, and no other node is asked.
   */
  async #judged(command: PutCommand | DeleteCommand | IncrementCommand, timeoutMs: Millis): Promise<Pick<PutCommand, 'dead' | 'known'>> {
    const line = lineOf(command)
    const isAsked = command.type !== 'cache_put' || command.condition !== null
    if (!isAsked && this.#lines.stateOf(line) === 'I') return { dead: 0, known: null }
    const held = await this.#lines.read(line, timeoutMs)
    const { dead, killer } = await seenOf(this.#lines, held, timeoutMs)
    // What is alive carries its tags as they are.
    return { dead, known: !isAsked ? null : killer === null ? held.tags : [killer] }
  }
}

/** Of a load that found nothing alive. */
function outcomeOf(reply: Done): LoadOutcome {
  if (reply.type === 'load') return { type: 'load', loadToken: String(reply.token), leaseMs: reply.leaseMs }
  if (reply.type !== 'stale') throw unreadable('another answer to a load')
  const { version, value } = reply
  if (value === null) throw new TricordError('OWNER_BUSY', 'another loads it, and what was there is gone', { retryAfterMs: 0 })
  return { type: 'value', stale: true, read: { entry: { version, ...value }, line: 'I', hit: false } }
}

/** The prefixes of a key that can be invalidated by one write, the shortest first. */
function levelLines({ namespace, cache, key }: EntryName, { levels }: CacheConfig): readonly LineId[] {
  const lines: LineId[] = []
  for (let end = 1; end < key.length && lines.length < CACHE_LIMITS.prefixesMax; end++) {
    if (levels.some((level) => key.endsWith(level, end))) lines.push(levelLine(namespace, cache, key.slice(0, end)))
  }
  return lines
}

function lifeOf({ ttlMs, slidingMs }: NewValue, config: CacheConfig): Millis | null {
  const ms = ttlMs ?? (slidingMs > 0 ? 0 : config.ttlMs)
  return ms === 0 ? null : ms
}

/** As far as 15 digits go; no partition ever counts further. */
function tokenOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new TricordError('STALE_TOKEN', 'this is no load token that is valid now')
  return Number(text)
}

function entryNameOf({ namespace, cache, key }: EntryName): EntryName {
  return { namespace, cache, key }
}
