/**
 * The caches of a partition, written to be read: one list of entries, everything found by looking through it. What the machine
 * says and changes is held against it (`run.ts`). Without limits on how much happens at once: lists of steps stay below them.
 */
import type { Held, LineId } from '../../src/cache/coherence/protocol.ts'
import { configLine, entryLine, parseLine } from '../../src/cache/line-id.ts'
import type {
  CacheCommand,
  CacheReply,
  DeleteCommand,
  FlushCommand,
  IncrementCommand,
  LineVersion,
  LoadCommand,
  PutCommand,
  Share,
  SweepCommand,
} from '../../src/cache/machine/commands.ts'
import { CARRIED_BYTES, ENTRY_BYTES, ROOM_UNBOUNDED } from '../../src/cache/machine/room.ts'
import { GROUP_BYTES } from '../../src/cache/machine/tag-index.ts'
import type { ObservedChange } from '../../src/cache/machine/table.ts'
import {
  type CacheConfig,
  type CacheName,
  type ChangeReason,
  type Condition,
  DEFAULT_CONFIG,
  type EntryName,
} from '../../src/cache/types.ts'
import { NaivePolicy } from './naive-policy.ts'

const LEASE_MS = 10_000
const STALE_MS_MAX = 60_000
const NOTHING: Held = { version: 0, value: null, contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }
const TEXT = new TextEncoder()
const FROM_TEXT = new TextDecoder()

type Write = PutCommand | DeleteCommand | IncrementCommand

export interface NaiveEntry {
  readonly line: LineId
  readonly cache: NaiveCache
  readonly key: string
  at: number
  version: number
  value: Uint8Array
  contentType: string
  deadline: number
  slidingMs: number
  staleMs: number
  isStale: boolean
  tags: readonly LineVersion[]
}
type Content = Omit<NaiveEntry, 'line' | 'cache' | 'key' | 'isStale'>

export interface NaiveCache {
  readonly prefix: LineId
  share: Share
  readonly policy: NaivePolicy
  evictions: number
}

interface Patient {
  readonly line: LineId
  readonly name: EntryName
  readonly tags: readonly LineVersion[]
  readonly deadline: number
}
interface NaiveLoad extends Patient {
  readonly token: number
  waiters: (Patient & { readonly ticket: number })[]
}
export interface NaiveOwner {
  readonly line: LineId
  readonly node: string
  readonly own: number
  readonly versionFirst: number
  versionMax: number
  flushed: number
}

export class NaiveModel {
  time = 0
  ticket = 0
  version = 0
  tokens = 0
  owns = 0
  entries: NaiveEntry[] = []
  readonly caches: NaiveCache[] = []
  readonly markers = new Map<LineId, number>()
  /** Since which version. */
  readonly unswept = new Map<LineId, number>()
  readonly configs = new Map<LineId, { version: number; config: CacheConfig }>()
  readonly nodes = new Set<string>()
  loads: NaiveLoad[] = []
  owners: NaiveOwner[] = []
  roomBytes: number = ROOM_UNBOUNDED
  readonly changes: ObservedChange[] = []
  readonly settledLog: { readonly ticket: number; readonly reply: CacheReply }[] = []

  run(ticket: number, command: CacheCommand): CacheReply | null {
    this.ticket = ticket
    switch (command.type) {
      case 'cache_put':
        return this.#put(command)
      case 'cache_delete':
        return this.#guarded(command, command.own, () => this.#delete(command))
      case 'cache_increment':
        return this.#guarded(command, command.own, () => this.#increment(command))
      case 'cache_touch':
        return { type: 'touched', touched: command.keys.filter((key) => this.#touch({ ...command, key })).length }
      case 'cache_bump':
        return { type: 'bumped', versions: command.lines.map((line) => this.#bump(line)) }
      case 'cache_configure':
        return this.#configure(command, command.config)
      case 'cache_invalidate_keys':
        return this.#invalidate(command, command.keys)
      case 'cache_sweep':
        return this.#sweep(command)
      case 'cache_swept':
        for (const [line, below] of command.lines) this.#markSwept(line, below)
        return { type: 'noted' }
      case 'cache_limits': {
        const cache = this.#cache(command)
        if (cache !== undefined) this.#limit(cache, command.share, null)
        return { type: 'limited' }
      }
      case 'cache_begin':
        return { type: 'begun' }
      case 'cache_room':
        this.roomBytes = command.bytes
        this.#makeRoom(null)
        return { type: 'limited' }
      case 'cache_load':
        return this.#guarded(command, 0, () => this.#load(command))
      case 'cache_hold':
      case 'cache_unhold':
        if (command.type === 'cache_hold') this.nodes.add(command.node)
        else this.nodes.delete(command.node)
        return { type: 'held' }
      case 'cache_own':
        return this.#own(command.line, command.node, command.count)
      case 'cache_flush':
        return this.#flush(command)
      case 'cache_release':
        return this.#release(command.line, command.own)
    }
  }

  // ---- what can be seen ----

  entry(name: EntryName): NaiveEntry | undefined {
    return this.entries.find(({ line }) => line === lineOf(name))
  }

  read(line: LineId): Held {
    const config = this.configs.get(line)
    if (config !== undefined) {
      return { ...NOTHING, version: config.version, value: TEXT.encode(JSON.stringify(config.config)), contentType: 'application/json' }
    }
    if (this.markers.has(line)) return { ...NOTHING, version: this.markers.get(line) as number }
    const entry = this.entries.find((each) => each.line === line)
    return entry === undefined ? NOTHING : this.#held(entry)
  }

  #held({ isStale, version, value, contentType, deadline, slidingMs, tags }: NaiveEntry): Held {
    if (isStale) return NOTHING
    return { version, value, contentType, ttlLeftMs: deadline === Infinity ? null : Math.max(1, deadline - this.time), slidingMs, tags }
  }

  status(name: CacheName): unknown {
    const cache = this.#cache(name)
    if (cache === undefined) return { entries: 0, bytes: 0, memoryBytes: 0, evictions: 0 }
    const all = this.#of(cache)
    const memoryBytes = all.reduce((sum, entry) => sum + weightOf(entry), 0)
    return { entries: all.filter(({ isStale }) => !isStale).length, bytes: sizeOf(all), memoryBytes, evictions: cache.evictions }
  }

  nextDeadline(): number {
    const waiters = this.loads.flatMap((load) => load.waiters)
    const mortal = this.entries.filter((entry) => !this.#isOwned(entry))
    return Math.min(...[...mortal, ...this.loads, ...waiters].map(({ deadline }) => deadline), Infinity)
  }

  // ---- time ----

  advance(time: number): void {
    this.time = time
    for (;;) {
      const waiters = this.loads.flatMap((load) => load.waiters)
      const deadline = Math.min(...[...this.loads, ...waiters].map((each) => each.deadline), Infinity)
      if (deadline > time) break
      const over = this.loads.filter((load) => load.deadline === deadline).sort((a, b) => a.token - b.token)[0]
      if (over !== undefined) this.#passOn(over.line)
      else
        this.cancel(
          (waiters.filter((each) => each.deadline === deadline).sort((a, b) => a.ticket - b.ticket)[0] as { ticket: number }).ticket,
        )
    }
    const due = this.entries.filter((entry) => !this.#isOwned(entry) && entry.deadline <= time)
    for (;;) {
      const next = due.sort((a, b) => a.deadline - b.deadline || bornOf(a) - bornOf(b))[0]
      if (next === undefined || next.deadline > time) break
      if (!this.#endLife(next)) due.shift()
    }
  }

  /** Whether something of it stays. */
  #endLife(entry: NaiveEntry): boolean {
    if (entry.isStale || entry.staleMs === 0) {
      this.#remove(entry, 'expire')
      return false
    }
    const previous = this.#held(entry)
    entry.isStale = true
    entry.deadline += entry.staleMs
    this.#note(entry.line, (this.version += 1), 'expire', previous)
    return true
  }

  cancel(ticket: number): void {
    for (const load of this.loads) {
      if (!load.waiters.some((waiter) => waiter.ticket === ticket)) continue
      load.waiters = load.waiters.filter((waiter) => waiter.ticket !== ticket)
      this.settledLog.push({ ticket, reply: refusal('OWNER_BUSY') })
    }
  }

  // ---- writes ----

  #guarded(name: EntryName, own: number, then: () => CacheReply | null): CacheReply | null {
    const owner = this.owners.find(({ line }) => line === lineOf(name))
    if (owner === undefined) return own === 0 ? then() : refusal('FENCED', { own: 0 })
    return owner.own === own ? then() : ownedBy(owner)
  }

  #put(command: PutCommand): CacheReply | null {
    return this.#guarded(command, command.own, () => {
      const line = lineOf(command)
      if (this.#isUnjudged(command, command.tags)) return { type: 'unjudged' }
      const load = this.loads.find((each) => each.line === line)
      if (command.loadToken !== null && load?.token !== command.loadToken) return refusal('STALE_TOKEN')
      const byLoad = command.loadToken === null ? null : (load as NaiveLoad)
      const current = this.#alive(command, command.tags)
      const wrong = mismatch(command.condition, current)
      if (wrong !== null) return wrong
      const life = command.ttlMs ?? (command.slidingMs > 0 ? (command.slidingMs * 9) / 8 : Infinity)
      const known = new Map(byLoad?.tags ?? [])
      const { value, contentType, slidingMs } = command
      const tags = [...known, ...command.tags.filter(([carried]) => !known.has(carried))]
      if (!this.#hasRoom(line, { key: command.key, value, contentType, tags })) {
        if (byLoad !== null) this.#passOn(line)
        return refusal('QUOTA')
      }
      const version = this.#write(command, command.share, command.own, {
        value,
        contentType,
        slidingMs,
        deadline: this.time + life,
        staleMs: byLoad === null ? 0 : Math.min(command.ttlMs ?? slidingMs, STALE_MS_MAX),
        tags,
      })
      return { type: 'put', version, created: current === undefined }
    })
  }

  #increment(command: IncrementCommand): CacheReply {
    if (this.#isUnjudged(command, command.tags)) return { type: 'unjudged' }
    const current = this.#alive(command, command.tags)
    const text = current === undefined ? '0' : FROM_TEXT.decode(current.value)
    if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) return refusal('INVALID_ARGUMENT')
    const value = Number(text) + command.by
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return refusal('INVALID_ARGUMENT')
    const fresh = { deadline: this.time + (command.ttlMs ?? Infinity), slidingMs: 0, staleMs: 0, tags: command.tags }
    const { deadline, slidingMs, staleMs, tags } = current ?? fresh
    const content = { value: TEXT.encode(String(value)), contentType: 'application/json', deadline, slidingMs, staleMs, tags }
    if (!this.#hasRoom(lineOf(command), { key: command.key, ...content })) return refusal('QUOTA')
    return { type: 'incremented', value, version: this.#write(command, command.share, command.own, content) }
  }

  #delete(command: DeleteCommand): CacheReply {
    if (this.#isUnjudged(command, [])) return { type: 'unjudged' }
    const current = this.#alive(command, [])
    const wrong = mismatch(command.condition, current)
    if (wrong !== null) return wrong
    const there = this.entry(command)
    const version = there === undefined ? 0 : this.#remove(there, 'delete')
    if (command.own !== 0) this.#outrun(lineOf(command))
    this.#passOn(lineOf(command))
    return { type: 'deleted', version: current === undefined ? 0 : version, existed: current !== undefined }
  }

  #write(name: EntryName, share: Share, own: number, content: Omit<Content, 'at' | 'version'>): number {
    const line = lineOf(name)
    const there = this.entry(name)
    const previous = there === undefined ? NOTHING : this.#held(there)
    const version = (this.version += 1)
    const cache = this.#cacheOrNew(name, share)
    this.#setShare(cache, share)
    const entry = this.#place(cache, name.key, { ...content, at: version, version })
    if (own !== 0) this.#outrun(line)
    this.#note(line, version, 'put', previous, version, own)
    this.#findForWaiting(entry)
    this.#evict(cache, entry)
    this.#makeRoom(entry)
    return version
  }

  #place(cache: NaiveCache, key: string, content: Content): NaiveEntry {
    const line = cache.prefix + key
    const there = this.entries.find((entry) => entry.line === line)
    if (there === undefined) {
      const made = { line, cache, key, isStale: false, ...content }
      BORN.set(made, content.version)
      this.entries.push(made)
      if (!this.#isOwned(made)) cache.policy.added(line)
      return made
    }
    Object.assign(there, content, { isStale: false })
    if (!this.#isOwned(there)) cache.policy.wasUsed(line)
    return there
  }

  #touch(name: EntryName): boolean {
    const entry = this.entry(name)
    if (entry === undefined || entry.isStale || this.#isOwned(entry)) return false
    entry.cache.policy.wasUsed(entry.line)
    if (entry.slidingMs > 0) entry.deadline = Math.max(entry.deadline, this.time + (entry.slidingMs * 9) / 8)
    return true
  }

  #alive({ dead, known, ...name }: Write, tags: readonly LineVersion[]): NaiveEntry | undefined {
    const entry = this.entry(name)
    const seen = [...tags, ...(known ?? [])]
    const isOld = entry?.tags.some(([carried, version]) => seen.some(([line, newer]) => line === carried && newer > version))
    return entry === undefined || entry.isStale || entry.version <= dead || isOld === true ? undefined : entry
  }

  #isUnjudged(command: Write, tags: readonly LineVersion[]): boolean {
    if (command.known === null) return false
    const seen = new Set([...tags, ...command.known].map(([line]) => line))
    return this.#alive(command, tags)?.tags.some(([carried]) => !seen.has(carried)) === true
  }

  // ---- lines, invalidations ----

  #bump(line: LineId): number {
    const previous = { ...NOTHING, version: this.markers.get(line) ?? 0 }
    this.version += 1
    this.markers.set(line, this.version)
    if (!this.unswept.has(line)) this.unswept.set(line, this.version)
    return this.#note(line, this.version, 'invalidate', previous)
  }

  unsweptOf(line: LineId): { readonly since: number; readonly version: number } | null {
    const since = this.unswept.get(line)
    return since === undefined ? null : { since, version: this.markers.get(line) as number }
  }

  #markSwept(line: LineId, below: number): void {
    const left = this.unsweptOf(line)
    if (left === null || below < left.since) return
    if (below >= left.version) this.unswept.delete(line)
    else this.unswept.set(line, below)
  }

  #configure(name: CacheName, change: Partial<CacheConfig>): CacheReply {
    const line = configLine(name.namespace, name.cache)
    const previous = this.read(line)
    const there = this.configs.get(line)
    const config = { ...DEFAULT_CONFIG, ...there?.config, ...change }
    this.version += 1
    this.configs.set(line, { version: this.version, config })
    this.#note(line, this.version, 'put', previous)
    return { type: 'configured', version: this.version, created: there === undefined, config }
  }

  #invalidate(name: CacheName, keys: readonly string[]): CacheReply {
    const owned: string[] = []
    let removed = 0
    for (const key of keys) {
      const entry = this.entry({ ...name, key })
      if (this.owners.some(({ line }) => line === lineOf({ ...name, key }))) {
        owned.push(key)
        continue
      }
      if (entry !== undefined && this.#remove(entry, 'invalidate') > 0) removed += 1
      this.#passOn(lineOf({ ...name, key }))
    }
    return { type: 'invalidated', removed, owned }
  }

  #sweep({ namespace, cache, what, below: given, after: from }: SweepCommand): CacheReply {
    const below = 'line' in what || given > 0 ? given : this.version + 1
    const prefix = entryLine(namespace, cache, 'prefix' in what ? what.prefix : '')
    if ('line' in what) {
      const parsed = parseLine(what.line)
      if (parsed?.namespace !== namespace || parsed.cache !== cache) return refusal('INVALID_ARGUMENT')
    }
    const older = (tags: readonly LineVersion[]) =>
      Math.min(...tags.filter(([line]) => 'line' in what && line === what.line).map(([, version]) => version), Infinity)
    for (const load of [...this.loads].sort((a, b) => a.token - b.token)) {
      if ('line' in what ? older(load.tags) < below : load.line.startsWith(prefix)) this.#passOn(load.line)
    }
    const inCache = this.entries.filter((entry) => entry.line.startsWith(entryLine(namespace, cache, ''))).sort((a, b) => a.at - b.at)
    const all = 'line' in what ? this.entries : inCache
    const hit = all.filter((entry) => ('line' in what ? older(entry.tags) < below : entry.line.startsWith(prefix) && bornOf(entry) < below))
    if ('line' in what) hit.sort((a, b) => older(a.tags) - older(b.tags) || a.at - b.at)
    const after = 'line' in what ? 0 : Math.max(0, ...inCache.map((entry) => entry.at))
    const [owned, free] = [hit.filter((entry) => this.#isOwned(entry)), hit.filter((entry) => !this.#isOwned(entry))]
    const removed = free.filter((entry) => this.#remove(entry, 'invalidate') > 0).length
    const hasEntry = (line: LineId) => this.entries.some((entry) => entry.line === line)
    const isTold = ({ line, versionFirst }: NaiveOwner) =>
      'line' in what
        ? line.startsWith(entryLine(namespace, cache, '')) && !hasEntry(line)
        : from === 0 && line.startsWith(prefix) && versionFirst < below
    const told = this.owners.filter(isTold).map(({ line }) => line)
    const keys = told.sort().map((line) => parseLine(line)?.name ?? '')
    const met = owned.filter(({ line }) => !told.includes(line)).map(({ key }) => key)
    return { type: 'swept', removed, more: false, after, below, owned: [...keys, ...met] }
  }

  // ---- loads ----

  #load({ waitMs, staleOk, tags, dead, ...name }: LoadCommand): CacheReply | null {
    const line = lineOf(name)
    const entry = this.entry(name)
    const isOld = entry?.tags.some(([carried, version]) => tags.some(([known, newer]) => known === carried && newer > version))
    const valid = entry === undefined || entry.version <= dead || isOld === true ? undefined : entry
    if (valid !== undefined && !valid.isStale) return { type: 'found', version: valid.version, value: null }
    const load = this.loads.find((each) => each.line === line)
    if (load === undefined) return this.#grant(line, name, tags, [])
    if (valid !== undefined && staleOk) return { type: 'stale', version: valid.version, value: null }
    if (waitMs === 0) return refusal('OWNER_BUSY')
    load.waiters.push({ line, name, tags, deadline: this.time + waitMs, ticket: this.ticket })
    return null
  }

  #grant(line: LineId, name: EntryName, tags: readonly LineVersion[], waiters: NaiveLoad['waiters']): CacheReply {
    this.tokens += 1
    this.loads.push({ line, name, tags, waiters, deadline: this.time + LEASE_MS, token: this.tokens })
    return { type: 'load', token: this.tokens, leaseMs: LEASE_MS }
  }

  #passOn(line: LineId): void {
    const load = this.loads.find((each) => each.line === line)
    this.loads = this.loads.filter((each) => each !== load)
    const next = load?.waiters[0]
    if (load === undefined || next === undefined) return
    this.settledLog.push({ ticket: next.ticket, reply: this.#grant(line, next.name, next.tags, load.waiters.slice(1)) })
  }

  /** Who knows of a newer version of what the value carries waits on. */
  #findForWaiting({ line, version, tags }: NaiveEntry): void {
    const load = this.loads.find((each) => each.line === line)
    if (load === undefined) return
    const isOld = (waiter: Patient) => tags.some(([carried, at]) => waiter.tags.some(([known, newer]) => known === carried && newer > at))
    for (const waiter of load.waiters) {
      if (!isOld(waiter)) this.settledLog.push({ ticket: waiter.ticket, reply: { type: 'found', version, value: null } })
    }
    load.waiters = load.waiters.filter(isOld)
    this.#passOn(line)
  }

  #settleLoad(line: LineId, reply: CacheReply): void {
    const load = this.loads.find((each) => each.line === line)
    this.loads = this.loads.filter((each) => each !== load)
    for (const { ticket } of load?.waiters ?? []) this.settledLog.push({ ticket, reply })
  }

  // ---- ownership ----

  #own(line: LineId, node: string, count: number): CacheReply {
    const wasOwned = this.owners.some((owner) => owner.line === line)
    const there = this.entries.find((each) => each.line === line)
    if (!wasOwned && this.#pinned(line) + (there ? heaviest(there) : 0) > this.roomBytes / 2) return refusal('QUOTA')
    this.owners = this.owners.filter((owner) => owner.line !== line)
    const owner = { line, node, own: (this.owns += 1), versionFirst: this.version + 1, versionMax: this.version + count, flushed: 0 }
    this.version += count
    const entry = this.entries.find((each) => each.line === line)
    if (entry?.isStale) this.#remove(entry, 'delete')
    else if (!wasOwned) entry?.cache.policy.removed(line, false)
    this.owners.push(owner)
    this.#settleLoad(line, ownedBy(owner))
    return { type: 'own', own: owner.own, versionFirst: owner.versionFirst, versionMax: owner.versionMax }
  }

  #flush({ line, own, version, value, share, contentType, ttlMs, slidingMs, tags }: FlushCommand): CacheReply {
    const owner = this.owners.find((each) => each.line === line)
    if (owner?.own !== own) return refusal('FENCED', { own: owner?.own ?? 0 })
    if (version <= owner.flushed) return { type: 'flushed', version }
    if (owner.versionMax === 0) return refusal('FENCED', { own })
    if (version < owner.versionFirst || version > owner.versionMax) return refusal('INVALID_ARGUMENT')
    if (value !== null && !this.#hasRoom(line, { key: parseLine(line)?.name ?? '', value, contentType, tags })) return refusal('QUOTA')
    owner.flushed = version
    const entry = this.entries.find((each) => each.line === line)
    const previous = entry === undefined ? NOTHING : this.#held(entry)
    const at = (this.version += 1)
    const { namespace, cache: named, name: key } = parseLine(line) as { namespace: string; cache: string; name: string }
    const cache = this.#cacheOrNew({ namespace, cache: named }, share)
    this.#setShare(cache, share)
    if (value === null) this.entries = this.entries.filter((each) => each !== entry)
    else
      this.#place(cache, key, { at, version, value, contentType, slidingMs, staleMs: 0, tags, deadline: this.time + (ttlMs ?? Infinity) })
    this.#note(line, at, value === null ? 'delete' : 'put', previous, version, own)
    this.#evict(cache, null)
    this.#makeRoom(null)
    return { type: 'flushed', version }
  }

  #release(line: LineId, own: number): CacheReply {
    const owner = this.owners.find((each) => each.line === line)
    if (owner?.own !== own) return { type: 'released', released: false }
    this.owners = this.owners.filter((each) => each !== owner)
    const entry = this.entries.find((each) => each.line === line)
    if (entry !== undefined) {
      entry.cache.policy.added(line)
      if (entry.deadline <= this.time) this.#endLife(entry)
      this.#evict(entry.cache, entry)
      this.#makeRoom(entry)
    }
    return { type: 'released', released: true }
  }

  #outrun(line: LineId): void {
    for (const owner of this.owners) if (owner.line === line) owner.versionMax = 0
  }

  #isOwned(entry: NaiveEntry): boolean {
    return this.owners.some(({ line }) => line === entry.line)
  }

  // ---- shares ----

  #cache({ namespace, cache }: CacheName): NaiveCache | undefined {
    return this.caches.find(({ prefix }) => prefix === entryLine(namespace, cache, ''))
  }

  #cacheOrNew(name: CacheName, share: Share): NaiveCache {
    const made = { prefix: entryLine(name.namespace, name.cache, ''), share, policy: new NaivePolicy(share.policy), evictions: 0 }
    const cache = this.#cache(name) ?? made
    if (cache === made) this.caches.push(made)
    return cache
  }

  #setShare(cache: NaiveCache, share: Share): void {
    if (share.configVersion < cache.share.configVersion) return
    cache.share = share
    cache.policy.become(share.policy)
  }

  #limit(cache: NaiveCache, share: Share, spared: NaiveEntry | null): void {
    this.#setShare(cache, share)
    this.#evict(cache, spared)
  }

  #evict(cache: NaiveCache, spared: NaiveEntry | null): void {
    const isOver = () => sizeOf(this.#of(cache)) > cache.share.bytes || this.#of(cache).length > cache.share.entries
    while (isOver() && this.#of(cache).filter((entry) => !this.#isOwned(entry)).length > 1) {
      const line = cache.policy.victim(spared?.line ?? null)
      this.#remove(this.entries.find((entry) => entry.line === line) as NaiveEntry, 'evict')
      cache.evictions += 1
    }
  }

  /** What all of them take, a line of a tag once however many carry it. */
  memory(): number {
    const groups = new Map(
      this.entries.flatMap(({ tags }) => tags.map(([line, version]) => [`${version} ${line}`, lineBytes(line)] as const)),
    )
    return [...this.entries.map(weightOf), ...groups.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  /** The cache that holds most gives first, of two that hold the same the older one. What was just put goes last. */
  #makeRoom(spared: NaiveEntry | null): void {
    while (this.memory() > this.roomBytes) {
      const loose = this.entries.filter((entry) => !this.#isOwned(entry))
      const holds = (cache: NaiveCache) => loose.filter((entry) => entry.cache === cache).reduce((sum, entry) => sum + weightOf(entry), 0)
      const others = loose.length > 1 ? loose.filter((entry) => entry !== spared) : loose
      if (others.length === 0) return
      const cache = this.caches.filter((each) => others.some((entry) => entry.cache === each)).sort((a, b) => holds(b) - holds(a))[0]
      if (cache === undefined) return
      const line = cache.policy.victim(loose.length > 1 ? (spared?.line ?? null) : null)
      this.#remove(this.entries.find((entry) => entry.line === line) as NaiveEntry, 'evict')
      cache.evictions += 1
    }
  }

  /** Owned entries count with their lines as if nobody else carried them. `but`: what is written over. */
  #pinned(but: LineId | null): number {
    return this.entries.filter((entry) => this.#isOwned(entry) && entry.line !== but).reduce((sum, entry) => sum + heaviest(entry), 0)
  }

  #hasRoom(line: LineId, entry: Pick<NaiveEntry, 'key' | 'value' | 'contentType' | 'tags'>): boolean {
    return this.#pinned(line) + heaviest(entry) <= this.roomBytes
  }

  #of(cache: NaiveCache): NaiveEntry[] {
    return this.entries.filter((entry) => entry.cache === cache)
  }

  /** Its version; 0 where nobody could see it. */
  #remove(entry: NaiveEntry, reason: ChangeReason): number {
    const previous = this.#held(entry)
    if (!this.#isOwned(entry)) entry.cache.policy.removed(entry.line, reason === 'evict')
    this.entries = this.entries.filter((each) => each !== entry)
    return entry.isStale ? 0 : this.#note(entry.line, (this.version += 1), reason, previous)
  }

  #note(line: LineId, at: number, reason: ChangeReason, previous: Held, version = at, own = 0): number {
    this.changes.push({ at, version, line, reason, previous, own })
    return at
  }
}

/** What made the entry: breaks ties among those that expire at once. */
const BORN = new WeakMap<NaiveEntry, number>()

function bornOf(entry: NaiveEntry): number {
  return BORN.get(entry) as number
}

function sizeOf(entries: readonly NaiveEntry[]): number {
  return entries.reduce((sum, { key, value }) => sum + TEXT.encode(key).length + value.length, 0)
}

type Weighed = Pick<NaiveEntry, 'key' | 'value' | 'contentType' | 'tags'>

function weightOf({ key, value, contentType, tags }: Weighed): number {
  return ENTRY_BYTES + TEXT.encode(key).length + value.length + contentType.length + tags.length * CARRIED_BYTES
}

function lineBytes(line: LineId): number {
  return GROUP_BYTES + line.length
}

function heaviest(entry: Weighed): number {
  return entry.tags.reduce((sum, [line]) => sum + lineBytes(line), weightOf(entry))
}

function lineOf({ namespace, cache, key }: EntryName): LineId {
  return entryLine(namespace, cache, key)
}

function ownedBy({ line, node, own }: NaiveOwner): CacheReply {
  return { type: 'owned', line, node, own }
}

function mismatch(condition: Condition, current: NaiveEntry | undefined): CacheReply | null {
  const version = current?.version ?? 0
  const is = condition === 'absent' ? version === 0 : condition === 'present' ? version > 0 : version === condition
  return condition === null || is ? null : refusal('VERSION_MISMATCH', { version })
}

function refusal(code: string, details: object = {}): CacheReply {
  return { type: 'refused', code, details } as unknown as CacheReply
}
