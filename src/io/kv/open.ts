/** Opens the key-value store of a directory with the engine that the configuration names. */
import type { Kv } from './kv.ts'
import { openLevelKv } from './level.ts'
import { openReopening } from './reopening.ts'
import { openRocksKv } from './rocks.ts'

/** `auto`: RocksDB where its binary loads, else LevelDB. A directory stays with the engine it was made with. */
export type KvEngine = 'auto' | 'leveldb' | 'rocksdb'

type Opener = (directory: string) => Promise<Kv>
const OPENERS: Readonly<Record<'leveldb' | 'rocksdb', Opener>> = { leveldb: openLevelKv, rocksdb: openRocksKv }

export function openKv(engine: KvEngine, directory: string): Promise<Kv> {
  let chosen: Opener | null = engine === 'auto' ? null : OPENERS[engine]
  return openReopening(async () => {
    const kv = await (chosen ?? openEither)(directory)
    if (kv.engine !== 'memory') chosen = OPENERS[kv.engine]
    return kv
  })
}

function openEither(directory: string): Promise<Kv> {
  return openRocksKv(directory).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'LEVEL_DATABASE_NOT_OPEN') throw error
    return openLevelKv(directory)
  })
}
