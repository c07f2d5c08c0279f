/** Opens the key-value store of a directory with the engine that the configuration names. */
import type { Kv } from './kv.ts'
import { openLevelKv } from './level.ts'
import { openRocksKv } from './rocks.ts'

/** `auto`: RocksDB where its binary loads, else LevelDB. A directory stays with the engine it was made with. */
export type KvEngine = 'auto' | 'leveldb' | 'rocksdb'

export async function openKv(engine: KvEngine, directory: string): Promise<Kv> {
  switch (engine) {
    case 'leveldb':
      return openLevelKv(directory)
    case 'rocksdb':
      return openRocksKv(directory)
    case 'auto':
      return openRocksKv(directory).catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'LEVEL_DATABASE_NOT_OPEN') throw error
        return openLevelKv(directory)
      })
  }
}
