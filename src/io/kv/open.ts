/** Opens the key-value store of a directory with the engine that the configuration names. */
import type { Kv } from './kv.ts'
import { openLevelKv } from './level.ts'
import { type EngineKv, openReopening } from './reopening.ts'
import { NO_ROOM, type Room } from './reserve.ts'
import { openRocksKv } from './rocks.ts'

/** `auto`: RocksDB where its binary loads, else LevelDB. A directory stays with the engine it was made with. */
export type KvEngine = 'auto' | 'leveldb' | 'rocksdb'

export interface KvOptions {
  /** Of a batch of changes in memory, and in the engine's log, until they become a table. */
  readonly writeBufferBytes?: number
  /** For an opening on a full disk. */
  readonly room?: Room
}

const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

type Opener = (directory: string, writeBufferBytes: number) => Promise<EngineKv>
const OPENERS: Readonly<Record<'leveldb' | 'rocksdb', Opener>> = { leveldb: openLevelKv, rocksdb: openRocksKv }

export function openKv(engine: KvEngine, directory: string, options: KvOptions = {}): Promise<Kv> {
  const { writeBufferBytes = WRITE_BUFFER_BYTES, room = NO_ROOM } = options
  let chosen: Opener | null = engine === 'auto' ? null : OPENERS[engine]
  return openReopening(async () => {
    const kv = await (chosen ?? openEither)(directory, writeBufferBytes)
    if (kv.engine !== 'memory') chosen = OPENERS[kv.engine]
    return kv
  }, room)
}

function openEither(directory: string, writeBufferBytes: number): Promise<EngineKv> {
  return openRocksKv(directory, writeBufferBytes).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'LEVEL_DATABASE_NOT_OPEN') throw error
    return openLevelKv(directory, writeBufferBytes)
  })
}
