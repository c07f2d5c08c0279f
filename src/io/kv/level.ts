/** LevelDB behind the Kv interface: writes run on libuv's pool, so the event loop never waits for the disk. */
import { ClassicLevel } from 'classic-level'
import type { Kv, KvIterator, KvOp, KvPair, KvRange } from './kv.ts'

type Database = ClassicLevel<Uint8Array, Uint8Array>

const CACHE_BYTES = 16 * 1024 * 1024
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

export async function openLevelKv(directory: string): Promise<Kv> {
  const db: Database = new ClassicLevel(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    cacheSize: CACHE_BYTES,
    writeBufferSize: WRITE_BUFFER_BYTES,
  })
  await db.open()
  return new LevelKv(db)
}

class LevelKv implements Kv {
  readonly engine = 'leveldb'
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#db.get(key)
  }

  async batch(ops: readonly KvOp[], options: { readonly sync: boolean }): Promise<void> {
    const batch = ops.map(({ key, value }) => (value === null ? { type: 'del' as const, key } : { type: 'put' as const, key, value }))
    await this.#db.batch(batch, options)
  }

  iterate(range: KvRange): KvIterator {
    const iterator = this.#db.iterator(range)
    return {
      next: async (max) => (await iterator.nextv(max)) as readonly KvPair[],
      close: () => iterator.close(),
    }
  }

  async clear(range: KvRange): Promise<void> {
    await this.#db.clear(range)
  }

  async close(): Promise<void> {
    await this.#db.close()
  }
}
