/**
 * Takes records back, in any order. What refers to another waits for the end; there everything is linked in the order that
 * the numbers in it tell, so that a machine made of records goes on as the one that wrote them.
 */
import { assert } from '../../base/assert.ts'
import { ByteReader } from '../../raft/bytes.ts'
import { readPlain } from '../../raft/plain.ts'
import type { CacheConfig } from '../types.ts'
import { Cache } from './cache.ts'
import { SHARE_POLICIES } from './codes.ts'
import { utf8Length } from './command-reader.ts'
import type { LineVersion, Share } from './commands.ts'
import { Entry, EntryUse } from './entry.ts'
import { CACHE, CONFIG, COUNTERS, ENTRY, HOLDER, MARKER, USE } from './kinds.ts'
import { ConfigLine, Holder, Marker } from './marks.ts'
import { VERSION } from './records.ts'
import type { CacheTable } from './table.ts'

/** A name may begin with U+FEFF, which a decoder else swallows. */
const FROM_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

interface Use {
  readonly used: number
  readonly freq: number
  readonly queue: number
  readonly deadline: number
  readonly isStale: boolean
}

interface LoadedEntry {
  readonly cache: number
  readonly key: string
  readonly version: number
  readonly slidingMs: number
  readonly staleMs: number
  readonly contentType: string
  readonly tags: readonly LineVersion[]
  readonly use: Use
  readonly value: Uint8Array
}

export class Loader {
  readonly #table: CacheTable
  readonly #entries = new Map<number, LoadedEntry>()
  readonly #uses = new Map<number, Use>()

  constructor(table: CacheTable) {
    this.#table = table
  }

  /** One record. What no machine wrote is a bug or a damaged store: it asserts. */
  load(key: Uint8Array, value: Uint8Array): void {
    const input = new ByteReader(value)
    assert(input.u8() === VERSION, 'a cache record of an unknown version')
    this.#read(key, input)
    assert(input.ok && input.left === 0, `a cache record cannot be read: kind ${key[0]}`)
  }

  finish(): void {
    const table = this.#table
    restoreOrder(table.byNumber)
    const loaded = [...this.#entries].sort(([, a], [, b]) => a.version - b.version)
    const entries = loaded.map(([born, each]) => this.#link(born, each))
    this.#entries.clear()
    for (const born of this.#uses.keys()) assert(false, `the use of an entry that is not there: ${born}`)
    for (const entry of entries.sort((a, b) => a.used - b.used)) entry.cache.policy.restore(entry)
    for (const cache of table.byNumber.values()) table.look(cache)
    table.restartJournal()
  }

  #read(key: Uint8Array, input: ByteReader): void {
    const table = this.#table
    switch (key[0]) {
      case COUNTERS:
        table.lastVersion = input.varint()
        table.lastUsed = input.varint()
        table.lastCache = input.varint()
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
        return addStored(table.markers, marker, marker.line)
      }
      case ENTRY:
        this.#entries.set(numberOf(key), readEntry(input))
        return
      case USE:
        this.#uses.set(numberOf(key), readUse(input))
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

  #link(born: number, loaded: LoadedEntry): Entry {
    const cache = this.#table.byNumber.get(loaded.cache)
    assert(cache !== undefined, 'an entry of a cache that is not there')
    const entry = new Entry(cache, loaded.key, born)
    const { version, slidingMs, staleMs, contentType, value } = loaded
    Object.assign(entry, { version, slidingMs, staleMs, contentType, value, ...(this.#uses.get(born) ?? loaded.use) })
    entry.stored = true
    if (this.#uses.delete(born)) {
      entry.use = new EntryUse(entry)
      entry.use.stored = true
    }
    entry.bytes = utf8Length(loaded.key) + value.length
    this.#table.relink(entry, loaded.tags)
    return entry
  }
}

function addStored<K, T extends { stored: boolean }>(map: Map<K, T>, record: T, key: K): void {
  record.stored = true
  map.set(key, record)
}

function readEntry(input: ByteReader): LoadedEntry {
  const [cache, key] = [input.varint(), input.text()]
  const [version, slidingMs, staleMs] = [input.varint(), input.varint(), input.varint()]
  const contentType = input.text()
  const tags: LineVersion[] = []
  for (let left = input.varint(); left > 0 && input.ok; left--) tags.push([input.text(), input.varint()])
  return { cache, key, version, slidingMs, staleMs, contentType, tags, use: readUse(input), value: input.bytes().slice() }
}

function readUse(input: ByteReader): Use {
  const [used, freq, queue, deadline] = [input.varint(), input.varint(), input.varint(), input.varint()]
  return { used, freq, queue, deadline: deadline === 0 ? Infinity : deadline - 1, isStale: input.varint() === 1 }
}

function textOf(key: Uint8Array): string {
  return FROM_TEXT.decode(key.subarray(1))
}

function numberOf(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.length)
  return view.getUint32(1) * 0x100000000 + view.getUint32(5)
}

function restoreOrder<T>(map: Map<number, T>): void {
  const ordered = [...map].sort(([a], [b]) => a - b)
  map.clear()
  for (const [number, item] of ordered) map.set(number, item)
}
