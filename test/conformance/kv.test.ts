import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kv } from '../../src/io/kv/kv.ts'
import { openLevelKv } from '../../src/io/kv/level.ts'
import { createMemoryKv } from '../../src/io/kv/memory.ts'
import { openRocksKv } from '../../src/io/kv/rocks.ts'
import { testKv } from './kv.ts'

const onDisk = (open: (directory: string) => Promise<Kv>) => async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tricord-kv-'))
  const kv = await open(join(directory, 'kv'))
  const dispose = async () => {
    await kv.close()
    await rm(directory, { recursive: true })
  }
  return { kv, dispose }
}

testKv('memory', async () => ({ kv: createMemoryKv(), dispose: async () => undefined }))
testKv('leveldb', onDisk(openLevelKv))
// The package has binaries for these two platforms only; elsewhere there is nothing to test.
if (`${process.platform}-${process.arch}` === 'linux-x64' || `${process.platform}-${process.arch}` === 'darwin-arm64') {
  testKv('rocksdb', onDisk(openRocksKv))
}
