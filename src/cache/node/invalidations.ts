/**
 * Invalidating by keys, tags, prefixes, or all. A tag or a declared level is one write of one line, and what carries it is dead
 * from then on; the sweep that follows takes the bodies away, partition by partition, and counts them. What a node owns
 * (`writeback`) is given back first: the log cannot take away what it does not have.
 *
 *   tags, declared level:  bump ──▶ dead everywhere ──▶ sweep, counted ──▶ swept: else the home of the line does it (`home-sweeps.ts`)
 *   keys, prefix, all:     sweep ──▶ gone
 *
 * Repeated under its key it is led from answer to answer through the same commands, and takes nothing away that was put since.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { LineId } from '../coherence/protocol.ts'
import { type Line, entryLine, levelLine, parseLine, tagLine } from '../line-id.ts'
import { MACHINE_LIMITS, type SweepWhat } from '../machine/commands.ts'
import { CACHE_LIMITS, type CacheCallOptions, type CacheConfig, type CacheName, type InvalidateWhat } from '../types.ts'
import type { Lines } from './lines.ts'
import { type Writes, allOf, ofPart, partOf, withoutKey } from './writes.ts'

const SAY_TIMEOUT_MS = 5_000
/** Lines are given back, and may be owned again at once: so often they are asked for. */
const ROUNDS_MAX = 3
/** From the beginning, where more is owned than a sweep tells of: what was owned before the first of them is less each time. */
const SWEEPS_MAX = MACHINE_LIMITS.ownedMax / MACHINE_LIMITS.sweepMax

export class Invalidations {
  readonly #lines: Lines
  readonly #writes: Writes

  constructor(lines: Lines, writes: Writes) {
    this.#lines = lines
    this.#writes = writes
  }

  /** How many entries are gone. */
  async invalidate(name: CacheName, what: InvalidateWhat, { levels }: CacheConfig, options: CacheCallOptions): Promise<number> {
    const { namespace, cache } = name
    // What it names lies where it lies: another call under this key might meet none of it.
    if (options.idempotencyKey !== undefined) await this.#writes.begin(name, options)
    if ('keys' in what) return this.#keys(name, what.keys, options)
    if ('all' in what) return this.#sweepAll(name, { all: true }, 0, options)
    if ('tags' in what) return this.#tags(name, new Set(what.tags), options)
    const { prefix } = what
    const line = levels.some((level) => prefix.endsWith(level)) ? levelLine(namespace, cache, prefix) : null
    const below = line === null ? 0 : await this.#bump(line, ofPart(options, 'level'))
    // By the prefix in any case: what was put under other levels, or lies too deep, does not carry the line.
    const removed = await this.#sweepAll(name, { prefix }, 0, options)
    if (line !== null) this.#swept(line, below)
    return removed
  }

  async #keys({ namespace, cache }: CacheName, keys: readonly string[], options: CacheCallOptions): Promise<number> {
    const places = new Map<number, string[]>()
    for (const key of new Set(keys)) {
      const partition = this.#writes.partitionOf(entryLine(namespace, cache, key))
      places.set(partition, [...(places.get(partition) ?? []), key])
    }
    const removed = [...places].map(([partition, own]) => this.#keysOf(partition, { namespace, cache }, own, options))
    return sum(await allOf(removed))
  }

  async #keysOf(partition: number, name: CacheName, keys: readonly string[], options: CacheCallOptions): Promise<number> {
    let removed = 0
    let left = keys
    for (let round = 0; left.length > 0 && round <= ROUNDS_MAX; round++) {
      const command = { type: 'cache_invalidate_keys', ...name, keys: left } as const
      // The last one has none: where all were in vain, whoever repeats the call has another one.
      const named = round === ROUNDS_MAX ? withoutKey(options) : ofPart(options, `round${round}`)
      const reply = await partOf(this.#writes.submit(partition, command, named), removed > 0)
      if (reply.type !== 'invalidated') return removed
      removed += reply.removed
      left = reply.owned
      await partOf(this.#giveBack(name, left, options), removed > 0)
    }
    if (left.length === 0) return removed
    throw ownedAgain()
  }

  /** A sweep tells of more than a command takes. */
  async #ownedKeys(partition: number, name: CacheName, keys: readonly string[], sweep: number, options: CacheCallOptions): Promise<number> {
    let removed = 0
    for (let at = 0; at < keys.length; at += CACHE_LIMITS.keysMax) {
      removed += await this.#keysOf(partition, name, keys.slice(at, at + CACHE_LIMITS.keysMax), ofPart(options, `owned${sweep}.${at}`))
    }
    return removed
  }

  async #tags(name: CacheName, tags: ReadonlySet<string>, options: CacheCallOptions): Promise<number> {
    const counts = [...tags].map(async (tag, nth) => {
      const line = tagLine(name.namespace, name.cache, tag)
      const named = ofPart(options, `tag${nth}`)
      const below = await this.#bump(line, named)
      const removed = await this.#sweepAll(name, { line }, below, named)
      this.#swept(line, below)
      return removed
    })
    return sum(await allOf(counts))
  }

  /** What carries an older version than this one is dead from now on. */
  async #bump(line: LineId, options: CacheCallOptions): Promise<number> {
    const reply = await this.#writes.submit(this.#writes.partitionOf(line), { type: 'cache_bump', lines: [line] }, options)
    const [version = 0] = reply.type === 'bumped' ? reply.versions : []
    return version
  }

  /** Nobody waits for it: where it is lost the home sweeps once more. */
  #swept(line: LineId, below: number): void {
    const command = { type: 'cache_swept', lines: [[line, below]] } as const
    this.#writes.submit(this.#writes.partitionOf(line), command, { timeoutMs: SAY_TIMEOUT_MS }).catch(() => {})
  }

  /** What carries the line in a version below, on one partition. */
  readonly sweepLine = async (partition: number, line: LineId, below: number, timeoutMs: Millis): Promise<void> => {
    const { namespace, cache } = parseLine(line) as Line
    await this.#sweep(partition, { namespace, cache }, { line }, below, { timeoutMs })
  }

  async #sweepAll({ namespace, cache }: CacheName, what: SweepWhat, below: number, options: CacheCallOptions): Promise<number> {
    const name = { namespace, cache }
    const counts = Array.from({ length: this.#writes.partitions }, (_, partition) => this.#sweep(partition, name, what, below, options))
    return sum(await allOf(counts, true))
  }

  async #sweep(partition: number, name: CacheName, what: SweepWhat, from: number, options: CacheCallOptions): Promise<number> {
    let removed = 0
    let [after, below] = [0, from]
    // Those that stay owned are told by several pages.
    const owned = new Set<string>()
    for (let [page, round] = [0, 0]; ; page++) {
      const command = { type: 'cache_sweep', ...name, what, below, after } as const
      const reply = await this.#writes.submit(partition, command, ofPart(options, `page${page}`))
      if (reply.type !== 'swept') return removed
      removed += reply.removed
      for (const key of reply.owned) owned.add(key)
      ;({ after, below } = reply)
      if (reply.more && ('line' in what || after > 0)) continue
      // By name they are newer than the sweep once they are flushed; by a line their tags say whether they are meant.
      if (!('line' in what)) {
        removed += await this.#ownedKeys(partition, name, [...owned], round, options)
        owned.clear()
        if (!reply.more) return removed
        if (round++ === SWEEPS_MAX) throw ownedAgain()
        continue
      }
      if (owned.size === 0 || round++ >= ROUNDS_MAX) return removed
      await this.#giveBack(name, [...owned], options)
      owned.clear()
      after = 0
    }
  }

  async #giveBack({ namespace, cache }: CacheName, keys: readonly string[], options: CacheCallOptions): Promise<void> {
    await Promise.all(keys.map((key) => giveBack(this.#lines, entryLine(namespace, cache, key), options)))
  }
}

/** Resolves once nobody owns the line: who reads it makes the home ask for it. */
export async function giveBack(lines: Lines, line: LineId, { timeoutMs }: CacheCallOptions): Promise<void> {
  lines.giveUp(line)
  await lines.read(line, timeoutMs)
}

/** What is there may be as old as it was: nobody may be told that it is gone. */
function ownedAgain(): TricordError {
  return new TricordError('OVERLOADED', 'a node that writes a key gave it back and took it again each time', {}, 'unknown')
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
