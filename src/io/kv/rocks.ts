/**
 * RocksDB behind the Kv interface, by the optional package `@nxtedition/rocksdb` (x64 Linux, arm64 macOS). Its batches
 * run on the JavaScript thread: after each one the event loop gets its turn, or a busy writer would starve it.
 */
import { createRequire } from 'node:module'
import type { Kv, KvIterator, KvOp, KvPair, KvRange } from './kv.ts'

interface RocksIterator {
  nextv(max: number): Promise<KvPair[]>
  close(): Promise<void>
}
/** What is used of the package (abstract-level 1). */
interface RocksDatabase {
  open(options: { createIfMissing: boolean }): Promise<void>
  close(): Promise<void>
  getMany(keys: readonly Uint8Array[], options: object): Promise<(Uint8Array | undefined | null)[]>
  batch(ops: readonly object[], options: object): Promise<void>
  iterator(options: object): RocksIterator
  clear(options: object): Promise<void>
}

const BINARY = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Rejects where the package or its binary is not there for this machine. */
export async function openRocksKv(directory: string): Promise<Kv> {
  const { RocksLevel } = createRequire(import.meta.url)('@nxtedition/rocksdb') as {
    RocksLevel: new (location: string, options: object) => RocksDatabase
  }
  const db = new RocksLevel(directory, BINARY)
  await db.open({ createIfMissing: true })
  return new RocksKv(db)
}

class RocksKv implements Kv {
  readonly engine = 'rocksdb'
  readonly #db: RocksDatabase

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

  async batch(ops: readonly KvOp[], options: { readonly sync: boolean }): Promise<void> {
    const batch = ops.map(({ key, value }) =>
      value === null ? { type: 'del', key: Buffer.from(key) } : { type: 'put', key: Buffer.from(key), value: Buffer.from(value) },
    )
    await this.#db.batch(batch, { ...options, ...BINARY })
    await nextTurn()
  }

  iterate(range: KvRange): KvIterator {
    const iterator = this.#db.iterator({ ...bounds(range), keys: true, values: true, ...BINARY })
    return { next: (max) => fill(iterator, max), close: () => iterator.close() }
  }

  async clear(range: KvRange): Promise<void> {
    await this.#db.clear({ ...bounds(range), ...BINARY })
    await nextTurn()
  }

  async compact(): Promise<void> {}

  async close(): Promise<void> {
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
