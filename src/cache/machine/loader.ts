/**
 * Takes records back, in any order. In the order of their keys, which is the usual one, whatever a record refers to is there
 * already; one that comes before that waits for the end. There everything is put in the order that the numbers in it tell, so
 * that a machine made of records goes on as the one that wrote them.
 */
import { assert } from '../../base/assert.ts'
import { utf8Length } from '../../base/utf8.ts'
import { ByteReader } from '../../raft/bytes.ts'
import { readPlain } from '../../raft/plain.ts'
import type { CacheConfig, EntryName } from '../types.ts'
import { Cache } from './cache.ts'
import { SHARE_POLICIES } from './codes.ts'
import type { LineVersion, Share } from './commands.ts'
import { Entry, EntryUse } from './entry.ts'
import { GhostPage } from './ghosts.ts'
import { CACHE, CONFIG, COUNTERS, ENTRY, GHOSTS, HOLDER, LOAD, MARKER, OWNERSHIP, USE, WAITER } from './kinds.ts'
import { Load, LoadWaiter } from './loads.ts'
import { ConfigLine, Holder, Marker } from './marks.ts'
import { Ownership } from './owned-line.ts'
import { VERSION } from './records.ts'
import { S3Fifo } from './s3-fifo.ts'
import type { CacheTable } from './table.ts'

/** A name may begin with U+FEFF, which a decoder else swallows. */
const FROM_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

const NO_TAGS: readonly LineVersion[] = []

interface Early {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export class Loader {
  readonly #table: CacheTable
  #early: Early[] = []
  readonly #entries = new Map<number, Entry>()
  /** Of the entries that have some. */
  readonly #tags = new Map<Entry, readonly LineVersion[]>()
  readonly #ghosts: GhostPage[] = []
  readonly #loads: Load[] = []
  readonly #waiters: LoadWaiter[] = []

  constructor(table: CacheTable) {
    this.#table = table
  }

  /** One record. What no machine wrote is a bug or a damaged store: it asserts. */
  load(key: Uint8Array, value: Uint8Array): void {
    if (!this.#link(key, value)) this.#early.push({ key: Uint8Array.from(key), value: Uint8Array.from(value) })
  }

  finish(): void {
    const table = this.#table
    this.#early.sort((a, b) => (a.key[0] as number) - (b.key[0] as number))
    for (const { key, value } of this.#early) assert(this.#link(key, value), 'a cache record refers to one that is not there')
    this.#early = []
    restoreOrder(table.byNumber, ([a], [b]) => a - b)
    restoreOrder(table.owned, ([, a], [, b]) => a.own - b.own)
    const entries = [...this.#entries.values()]
    for (const entry of entries.sort((a, b) => a.at - b.at)) table.restoreOrder(entry, this.#tags.get(entry) ?? NO_TAGS)
    for (const entry of entries.sort((a, b) => a.used - b.used)) if (entry.own === 0) entry.cache.policy.restore(entry)
    this.#entries.clear()
    this.#tags.clear()
    this.#finishGhosts()
    this.#finishLoads()
    for (const cache of table.byNumber.values()) table.look(cache)
    table.restartJournal()
  }

  /** Whether what it refers to was there. */
  #link(key: Uint8Array, value: Uint8Array): boolean {
    const input = new ByteReader(value)
    assert(input.u8() === VERSION, 'a cache record of an unknown version')
    if (key[0] === ENTRY) {
      if (!this.#readEntry(numberOf(key), input)) return false
    } else if (key[0] === USE) {
      if (!this.#readUse(numberOf(key), input)) return false
    } else this.#read(key, input)
    assert(input.ok && input.left === 0, `a cache record cannot be read: kind ${key[0]}`)
    return true
  }

  #read(key: Uint8Array, input: ByteReader): void {
    const table = this.#table
    switch (key[0]) {
      case COUNTERS:
        table.lastVersion = input.varint()
        table.lastUsed = input.varint()
        table.lastCache = input.varint()
        table.lastToken = input.varint()
        table.lastOwn = input.varint()
        if (input.left > 0) table.room.bytesMax = input.varint()
        return
      case HOLDER:
        return addStored(table.holders, new Holder(textOf(key)), textOf(key))
      case CACHE:
        return this.#readCache(numberOf(key), input)
      case CONFIG:
        return this.#readConfig(textOf(key), input)
      case MARKER: {
        const marker = new Marker(textOf(key))
        marker.version = input.varint()
        if (input.left > 0) marker.unsweptSince = input.varint()
        if (marker.unsweptSince > 0) table.unswept.set(marker.line, marker)
        return addStored(table.markers, marker, marker.line)
      }
      case OWNERSHIP:
        return this.#readOwnership(textOf(key), input)
      case GHOSTS: {
        const page = new GhostPage(numberOf(key), numberOf(key, 1))
        while (input.left > 0) page.hashes.push(input.u32())
        this.#ghosts.push(page)
        return
      }
      case LOAD:
        this.#loads.push(new Load(...readLoad(input), numberOf(key)))
        return
      case WAITER:
        this.#waiters.push(new LoadWaiter(...readLoad(input), numberOf(key)))
        return
    }
    assert(false, `a cache record of an unknown kind: ${key[0]}`)
  }

  #readCache(number: number, input: ByteReader): void {
    const [namespace, name] = [input.text(), input.text()]
    const [bytes, entries, policy] = [input.varint(), input.varint(), SHARE_POLICIES[input.varint()]]
    assert(policy !== undefined, 'a cache of an unknown policy')
    const share: Share = { bytes, entries, policy, configVersion: input.varint() }
    const cache = new Cache(this.#table, number, namespace, name, share)
    cache.evictions = input.varint()
    cache.stored = true
    this.#table.linkCache(cache)
  }

  #readConfig(line: string, input: ByteReader): void {
    const version = input.varint()
    const made = new ConfigLine(line, readPlain(input) as unknown as CacheConfig)
    made.version = version
    addStored(this.#table.configs, made, line)
  }

  #readOwnership(line: string, input: ByteReader): void {
    const made = new Ownership(line, input.text(), input.varint(), input.varint(), input.varint())
    made.flushed = input.varint()
    addStored(this.#table.owned, made, line)
  }

  #finishGhosts(): void {
    for (const page of this.#ghosts.splice(0).sort((a, b) => a.number - b.number)) {
      const policy = this.#table.byNumber.get(page.cache)?.policy
      assert(policy instanceof S3Fifo, 'ghosts of a cache that has none')
      page.stored = true
      policy.ghosts.restore(page)
    }
  }

  #finishLoads(): void {
    const { loads } = this.#table
    for (const load of this.#loads.splice(0).sort((a, b) => a.token - b.token)) {
      load.stored = true
      loads.link(load)
    }
    for (const waiter of this.#waiters.splice(0).sort((a, b) => a.ticket - b.ticket)) {
      const load = loads.byLine.get(waiter.line)
      assert(load !== undefined, 'somebody waits for a load that is not there')
      waiter.stored = true
      loads.linkWaiter(load, waiter)
    }
  }

  #readEntry(born: number, input: ByteReader): boolean {
    const cache = this.#table.byNumber.get(input.varint())
    if (cache === undefined) return false
    const entry = new Entry(cache, input.text(), born)
    entry.version = input.varint()
    entry.at = input.varint()
    entry.slidingMs = input.varint()
    entry.staleMs = input.varint()
    entry.contentType = input.text()
    const tags = readTags(input)
    readUseOf(entry, input)
    // A copy: the record is lent.
    entry.value = input.bytes().slice()
    entry.bytes = utf8Length(entry.key) + entry.value.length
    entry.stored = true
    this.#entries.set(born, entry)
    if (tags.length > 0) this.#tags.set(entry, tags)
    this.#table.restore(entry)
    return true
  }

  #readUse(born: number, input: ByteReader): boolean {
    const entry = this.#entries.get(born)
    if (entry === undefined) return false
    readUseOf(entry, input)
    entry.use = new EntryUse(entry)
    entry.use.stored = true
    return true
  }
}

function addStored<K, T extends { stored: boolean }>(map: Map<K, T>, record: T, key: K): void {
  record.stored = true
  map.set(key, record)
}

function readTags(input: ByteReader): LineVersion[] {
  const tags: LineVersion[] = []
  for (let left = input.varint(); left > 0 && input.ok; left--) tags.push([input.text(), input.varint()])
  return tags
}

function readLoad(input: ByteReader): [name: EntryName, tags: readonly LineVersion[], deadline: number] {
  const name = { namespace: input.text(), cache: input.text(), key: input.text() }
  const deadline = input.varint()
  return [name, readTags(input), deadline]
}

function readUseOf(entry: Entry, input: ByteReader): void {
  entry.used = input.varint()
  entry.freq = input.varint()
  entry.queue = input.varint()
  const deadline = input.varint()
  entry.deadline = deadline === 0 ? Infinity : deadline - 1
  entry.isStale = input.varint() === 1
}

function textOf(key: Uint8Array): string {
  return FROM_TEXT.decode(key.subarray(1))
}

/** The nth number of a key. */
function numberOf(key: Uint8Array, nth = 0): number {
  const view = new DataView(key.buffer, key.byteOffset, key.length)
  return view.getUint32(1 + nth * 8) * 0x100000000 + view.getUint32(5 + nth * 8)
}

function restoreOrder<K, T>(map: Map<K, T>, compare: (a: readonly [K, T], b: readonly [K, T]) => number): void {
  const ordered = [...map].sort(compare)
  map.clear()
  for (const [key, item] of ordered) map.set(key, item)
}
