/**
 * The caches of a partition and what they share: the counter of changes, deadlines, the journal, what the next drain writes.
 *
 *   caches by the prefix of their lines, by number      tags: entries by what keeps them alive      expiry: by their deadlines
 *   markers, configs: lines of their own                crowded: caches that hold more than their share      room: all of them
 *   owned: lines that a node writes alone               loads: who loads what, and who waits for it
 *
 * Every change of a line goes through `note`: it has a place of its own (`at`), and the observer hears it.
 */
import { Changes } from '../../base/changes.ts'
import { Deadlines } from '../../base/deadlines.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import { utf8Length } from '../../base/utf8.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import { linePrefix, parseLine } from '../line-id.ts'
import { CACHE_LIMITS, type CacheName, type ChangeReason, type EntryName } from '../types.ts'
import { Cache } from './cache.ts'
import { type LineVersion, type Share } from './commands.ts'
import { Entry, EntryUse } from './entry.ts'
import { type Change, Journal } from './journal.ts'
import { Loads } from './loads.ts'
import type { ConfigLine, Holder, Marker } from './marks.ts'
import type { Ownership } from './owned-line.ts'
import { Room } from './room.ts'
import type { Stored } from './stored.ts'
import { TagIndex } from './tag-index.ts'

const JOURNAL_CHANGES = 8_192
/** Content types that are kept once, whatever the number of entries. */
const TYPES_MAX = 1_000

export interface ObservedChange extends Change {
  readonly previous: Held
  /** The ownership under which it was made; 0: none. */
  readonly own: number
}

export interface CacheObserver {
  /** Called inside `apply` and `advance`, on every replica, once the state is what it is after the change. */
  changed(change: ObservedChange): void
  /** Called inside `apply`, on every replica: less of what carries the line is to be swept, or nothing any more. */
  swept(line: LineId): void
}

export interface NewContent {
  /** Place among the changes. */
  readonly at: number
  readonly version: number
  readonly value: Uint8Array
  readonly contentType: string
  readonly deadline: Millis
  readonly slidingMs: Millis
  readonly staleMs: Millis
  readonly tags: readonly LineVersion[]
}

export class CacheTable {
  readonly observer: CacheObserver | null
  readonly changes = new Changes<Stored>()
  readonly #byPrefix = new Map<LineId, Cache>()
  /** Mostly the next one is the same: its name is compared sooner than hashed. */
  #lastFound: Cache | null = null
  readonly byNumber = new Map<number, Cache>()
  readonly markers = new Map<LineId, Marker>()
  /** Those that were invalidated, and are not known to be swept. */
  readonly unswept = new Map<LineId, Marker>()
  readonly configs = new Map<LineId, ConfigLine>()
  readonly holders = new Map<NodeId, Holder>()
  /** In the order in which they were given. */
  readonly owned = new Map<LineId, Ownership>()
  readonly loads = new Loads(this.changes)
  readonly tags = new TagIndex()
  readonly room = new Room(this.tags)
  readonly expiry = new Deadlines<Entry>()
  readonly #crowded = new Set<Cache>()
  /** And others that were once. */
  readonly #nearlyFull = new Set<Cache>()
  readonly #types = new Map<string, string>()
  journal = new Journal(JOURNAL_CHANGES, 0)
  lastVersion = 0
  lastUsed = 0
  lastCache = 0
  lastToken = 0
  lastOwn = 0
  countersChanged = false
  /** Of the entries that the next drain writes. */
  dirtyBytes = 0
  /** Of all entries. */
  bytes = 0

  constructor(observer: CacheObserver | null) {
    this.observer = observer
  }

  // ---- caches ----

  find({ namespace, cache }: CacheName): Cache | null {
    const last = this.#lastFound
    if (last !== null && last.name === cache && last.namespace === namespace) return last
    return this.#remember(this.#byPrefix.get(linePrefix('entry', namespace, cache)))
  }

  #remember(found: Cache | undefined): Cache | null {
    if (found !== undefined) this.#lastFound = found
    return found ?? null
  }

  /** null: there are too many. */
  make({ namespace, cache }: CacheName, share: Share): Cache | null {
    if (this.byNumber.size >= CACHE_LIMITS.cachesPerPartitionMax && !this.#dropEmpty()) return null
    this.lastCache += 1
    this.countersChanged = true
    const made = new Cache(this, this.lastCache, namespace, cache, share)
    this.linkCache(made)
    this.changes.touched(made)
    return made
  }

  /** Each of them that is not there, or is empty and may be dropped for another, takes a place. */
  hasRoomFor(names: readonly CacheName[]): boolean {
    const places = new Map(names.map((name) => [linePrefix('entry', name.namespace, name.cache), this.find(name)]))
    const taken = [...places.values()]
    if (!taken.includes(null)) return true
    let free = CACHE_LIMITS.cachesPerPartitionMax - this.byNumber.size
    for (const cache of this.byNumber.values()) if (cache.entries.size === 0) free += 1
    return taken.filter((cache) => cache === null || cache.entries.size === 0).length <= free
  }

  linkCache(cache: Cache): void {
    this.#byPrefix.set(cache.linePrefix, cache)
    this.byNumber.set(cache.number, cache)
    this.room.enter(cache)
  }

  #dropEmpty(): boolean {
    for (const cache of this.byNumber.values()) {
      if (cache.entries.size > 0) continue
      this.#byPrefix.delete(cache.linePrefix)
      this.byNumber.delete(cache.number)
      if (this.#lastFound === cache) this.#lastFound = null
      this.#crowded.delete(cache)
      this.#nearlyFull.delete(cache)
      this.room.leave(cache)
      cache.forget()
      this.changes.removed(cache)
      return true
    }
    return false
  }

  // ---- entries ----

  /** The entry of the key, stale or not. */
  entry(name: EntryName): Entry | null {
    return this.find(name)?.entries.get(name.key) ?? null
  }

  /** The entry of the line, stale or not; null where there is none, or it is no line of an entry. */
  entryOf(line: LineId): Entry | null {
    const last = this.#lastFound
    if (last !== null && line.startsWith(last.linePrefix)) return last.entries.get(line.slice(last.linePrefix.length)) ?? null
    const parsed = parseLine(line)
    return parsed?.kind === 'entry' ? this.entry({ ...parsed, key: parsed.name }) : null
  }

  #add(cache: Cache, key: string, content: NewContent): Entry {
    const entry = new Entry(cache, key, content.version)
    if (this.owned.size > 0) entry.own = this.owned.get(entry.line)?.own ?? 0
    entry.bytes = utf8Length(key)
    cache.bytes += entry.bytes
    this.bytes += entry.bytes
    cache.entries.set(key, entry)
    cache.ages.push(entry)
    this.#set(entry, content)
    this.room.added(entry)
    if (entry.own === 0) cache.policy.added(entry)
    return entry
  }

  /** Puts content under a key, in the place of what is there (stale or not), if anything is. */
  place(cache: Cache, key: string, there: Entry | null, content: NewContent): Entry {
    if (there === null) return this.#add(cache, key, content)
    this.#replace(there, content)
    return there
  }

  #replace(entry: Entry, content: NewContent): void {
    if (entry.isStale) entry.cache.staleEntries -= 1
    entry.isStale = false
    this.room.removed(entry)
    this.tags.unlink(entry)
    entry.cache.ages.toLast(entry)
    if (entry.place >= 0) this.expiry.remove(entry)
    this.#set(entry, content)
    this.room.added(entry)
    // After its record was marked: a use of its own need not be written.
    if (entry.own === 0) entry.cache.policy.wasUsed(entry)
  }

  #set(entry: Entry, { at, version, value, contentType, deadline, slidingMs, staleMs, tags }: NewContent): void {
    const { cache } = entry
    const more = value.length - entry.value.length
    entry.bytes += more
    cache.bytes += more
    this.bytes += more
    entry.at = at
    entry.version = version
    entry.value = value
    entry.contentType = this.#typeOf(contentType)
    entry.deadline = deadline
    entry.slidingMs = slidingMs
    entry.staleMs = staleMs
    this.tags.link(entry, tags)
    if (entry.own === 0 && deadline < Infinity) this.expiry.add(entry)
    this.touched(entry)
  }

  /** Takes back an entry of a record. */
  restore(entry: Entry): void {
    const { cache } = entry
    entry.contentType = this.#typeOf(entry.contentType)
    cache.entries.set(entry.key, entry)
    cache.bytes += entry.bytes
    this.bytes += entry.bytes
  }

  /** For each of them, in the order of the changes, once all records are there; its policy has it later. */
  restoreOrder(entry: Entry, tags: readonly LineVersion[]): void {
    const { cache } = entry
    if (this.owned.size > 0) entry.own = this.owned.get(entry.line)?.own ?? 0
    cache.ages.push(entry)
    if (entry.isStale) cache.staleEntries += 1
    this.tags.link(entry, tags)
    this.room.added(entry)
    if (entry.own === 0 && entry.deadline < Infinity) this.expiry.add(entry)
  }

  /** The entry is a node's alone: nothing evicts, expires or sweeps it. */
  pin(entry: Entry, own: number): void {
    if (entry.own === 0) {
      entry.cache.policy.removed(entry, false)
      if (entry.place >= 0) this.expiry.remove(entry)
    }
    this.room.removed(entry)
    entry.own = own
    this.room.added(entry)
  }

  unpin(entry: Entry): void {
    this.room.removed(entry)
    entry.own = 0
    this.room.added(entry)
    entry.cache.policy.added(entry)
    this.useChanged(entry)
    if (entry.deadline < Infinity) this.expiry.add(entry)
  }

  /** Takes an entry out, without a word to anybody. */
  drop(entry: Entry, isEvicted = false): void {
    const { cache } = entry
    this.room.removed(entry)
    cache.entries.delete(entry.key)
    cache.ages.remove(entry)
    if (entry.own === 0) cache.policy.removed(entry, isEvicted)
    if (entry.isStale) cache.staleEntries -= 1
    cache.bytes -= entry.bytes
    this.bytes -= entry.bytes
    if (entry.place >= 0) this.expiry.remove(entry)
    this.tags.unlink(entry)
    this.#forgetUse(entry)
    this.dirtyBytes -= entry.dirtyBytes
    entry.dirtyBytes = 0
    this.changes.removed(entry)
  }

  /** Takes an entry away; returns the version of that change, 0 where nobody could see it any more. */
  remove(entry: Entry, reason: ChangeReason, time: Millis): number {
    const previous = this.before(entry, time)
    this.drop(entry, reason === 'evict')
    return entry.isStale ? 0 : this.note(entry.line, this.nextVersion(), reason, previous)
  }

  /** The record of an entry has to be written, with its value. */
  touched(entry: Entry): void {
    this.changes.touched(entry)
    this.dirtyBytes += entry.value.length - entry.dirtyBytes
    entry.dirtyBytes = entry.value.length
    this.#forgetUse(entry)
  }

  /** Only how it is used has changed. */
  useChanged(entry: Entry): void {
    if (entry.dirtyAt >= 0) return
    entry.use ??= new EntryUse(entry)
    this.changes.touched(entry.use)
  }

  #forgetUse(entry: Entry): void {
    if (entry.use !== null) this.changes.removed(entry.use)
    entry.use = null
  }

  #typeOf(contentType: string): string {
    const known = this.#types.get(contentType)
    if (known !== undefined) return known
    if (this.#types.size >= TYPES_MAX) this.#types.clear()
    this.#types.set(contentType, contentType)
    return contentType
  }

  // ---- changes ----

  nextVersion(): number {
    this.countersChanged = true
    this.lastVersion += 1
    return this.lastVersion
  }

  stamp(): number {
    this.countersChanged = true
    this.lastUsed += 1
    return this.lastUsed
  }

  /** What the observer will hear was there before; made for it alone. */
  before(entry: Entry | null, time: Millis): Held {
    return this.observer === null || entry === null ? NOTHING_HELD : entry.held(time)
  }

  /** Says that a line has changed; returns `at`. */
  note(line: LineId, at: number, reason: ChangeReason, previous: Held, version = at, own = 0): number {
    this.journal.push({ at, version, line, reason })
    this.observer?.changed({ at, version, line, reason, previous, own })
    return at
  }

  restartJournal(): void {
    this.journal = new Journal(JOURNAL_CHANGES, this.lastVersion)
  }

  /** What the line holds now. */
  read(line: LineId, time: Millis): Held {
    const entry = this.entryOf(line)
    if (entry !== null) return entry.held(time)
    return this.markers.get(line)?.held() ?? this.configs.get(line)?.held() ?? NOTHING_HELD
  }

  // ---- shares ----

  /** To be called where a cache may hold more than its share, or less. */
  look(cache: Cache): void {
    if (cache.isCrowded) this.#crowded.add(cache)
    if (cache.isNearlyFull) this.#nearlyFull.add(cache)
  }

  /** Caches that hold more than their share, in the order of their numbers. */
  crowded(): readonly Cache[] {
    for (const cache of this.#crowded) if (!cache.isCrowded) this.#crowded.delete(cache)
    return this.#crowded.size === 0 ? NONE : [...this.#crowded].sort((a, b) => a.number - b.number)
  }

  /** Caches of which something will have to go before long. */
  nearlyFull(): readonly Cache[] {
    for (const cache of this.#nearlyFull) if (!cache.isNearlyFull) this.#nearlyFull.delete(cache)
    const fattest = this.room.isNearlyFull ? this.room.fattest() : null
    if (fattest === null || this.#nearlyFull.has(fattest)) return this.#nearlyFull.size === 0 ? NONE : [...this.#nearlyFull]
    return [...this.#nearlyFull, fattest]
  }

  nextDeadline(): Millis {
    if (this.crowded().length > 0 || this.room.isOver) return 0
    return Math.min(this.expiry.first()?.deadline ?? Infinity, this.loads.nextDeadline())
  }
}

const NONE: readonly Cache[] = []
