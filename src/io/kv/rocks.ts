/**
 * RocksDB behind the Kv interface, by the optional package `@nxtedition/rocksdb` (x64 Linux, arm64 macOS). Its batches
 * run on the JavaScript thread: after each one the event loop gets its turn, or a busy writer would starve it.
 *
 * The binding can neither flush nor compact. But an opening flushes the engine's log into a table of level 0, and two tables there
 * are merged with all that they overlap below. So marks at both ends of a range and an opening, twice, compact the range.
 */
import { createRequire } from 'node:module'
import type { KvIterator, KvOp, KvPair, KvRange } from './kv.ts'
import type { EngineKv } from './reopening.ts'

interface RocksIterator {
  nextv(max: number): Promise<KvPair[]>
  close(): Promise<void>
}
/** What is used of the package (abstract-level 1). */
interface RocksDatabase {
  open(options: object): Promise<void>
  close(): Promise<void>
  getMany(keys: readonly Uint8Array[], options: object): Promise<(Uint8Array | undefined | null)[]>
  batch(ops: readonly object[], options: object): Promise<void>
  iterator(options: object): RocksIterator
  clear(options: object): Promise<void>
}

const BINARY = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
/** A quarter of the budget is a write buffer; two of them are flushed as one table. */
const BUFFERS = 4
/** Tables of level 0 that start a compaction. */
const TABLES_TO_COMPACT = 2
const FIRST_KEY = new Uint8Array(1)
/** No key is as long as to come after it. */
const LAST_KEY = new Uint8Array(64).fill(0xff)
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Rejects where the package or its binary is not there for this machine. */
export async function openRocksKv(directory: string, writeBufferBytes: number): Promise<EngineKv> {
  const { RocksLevel } = createRequire(import.meta.url)('@nxtedition/rocksdb') as {
    RocksLevel: new (location: string, options: object) => RocksDatabase
  }
  const db = new RocksLevel(directory, BINARY)
  // By levels: there two tables of level 0 start a compaction.
  await db.open({ createIfMissing: true, compaction: 'level', memtableMemoryBudget: BUFFERS * writeBufferBytes })
  return new RocksKv(db)
}

class RocksKv implements EngineKv {
  readonly engine = 'rocksdb'
  readonly openingsToCompact = TABLES_TO_COMPACT
  readonly #db: RocksDatabase
  /** Writes, in the order of their calls. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(db: RocksDatabase) {
    this.#db = db
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const [value] = await this.getMany([key])
    return value
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const values = await this.#db.getMany(
      keys.map((key) => Buffer.from(key)),
      BINARY,
    )
    return values.map((value) => value ?? undefined)
  }

  batch(ops: readonly KvOp[], options: { readonly sync: boolean }): Promise<void> {
    return this.#inOrder(() => this.#write(ops, options))
  }

  async #write(ops: readonly KvOp[], options: { readonly sync: boolean }): Promise<void> {
    const batch = ops.map(({ key, value }) =>
      value === null ? { type: 'del', key: Buffer.from(key) } : { type: 'put', key: Buffer.from(key), value: Buffer.from(value) },
    )
    await this.#db.batch(batch, { ...options, ...BINARY })
    await nextTurn()
  }

  #inOrder(write: () => Promise<void>): Promise<void> {
    const written = this.#last.then(write)
    this.#last = written.catch(() => undefined)
    return written
  }

  iterate(range: KvRange): KvIterator {
    const iterator = this.#db.iterator({ ...bounds(range), keys: true, values: true, ...BINARY })
    return { next: (max) => fill(iterator, max), close: () => iterator.close() }
  }

  clear(range: KvRange): Promise<void> {
    return this.#inOrder(async () => {
      await this.#db.clear({ ...bounds(range), ...BINARY })
      await nextTurn()
    })
  }

  /** The marks alone: they write what is there, or delete what is not. */
  async compact({ gte = FIRST_KEY, lt = LAST_KEY }: KvRange): Promise<boolean> {
    await this.#inOrder(async () => {
      const values = await this.getMany([gte, lt])
      const marks = [gte, lt].map((key, i) => ({ key, value: values[i] ?? null }))
      await this.#write(marks, { sync: false })
    })
    return true
  }

  async close(): Promise<void> {
    await this.#last
    await this.#db.close()
  }
}

function bounds(range: KvRange): object {
  return { ...(range.gte && { gte: Buffer.from(range.gte) }), ...(range.lt && { lt: Buffer.from(range.lt) }) }
}

/** The inner `nextv` may give fewer than asked for before the end. */
async function fill(iterator: RocksIterator, max: number): Promise<readonly KvPair[]> {
  const page: KvPair[] = []
  while (page.length < max) {
    const more = await iterator.nextv(max - page.length)
    if (more.length === 0) break
    page.push(...more)
  }
  return page
}
