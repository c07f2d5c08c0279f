import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KvDamagedError } from '../../src/io/kv/damage.ts'
import type { Kv } from '../../src/io/kv/kv.ts'
import { openLevelKv } from '../../src/io/kv/level.ts'
import { createMemoryKv } from '../../src/io/kv/memory.ts'
import { openKv } from '../../src/io/kv/open.ts'
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

const BLOCK = 4_096
const BUFFER_BYTES = 1024 * 1024

/** A store with a table on disk; then `damage` is done to the file whose name matches. */
async function damagedStore(
  engine: 'leveldb' | 'rocksdb',
  file: RegExp,
  damage: (path: string) => Promise<void>,
): Promise<() => Promise<void>> {
  const above = await mkdtemp(join(tmpdir(), 'tricord-kv-'))
  const directory = join(above, 'kv')
  // What is in the engine's own log goes into a table when it is opened again.
  for (let life = 0; life < 2; life++) {
    const kv = await openKv(engine, directory)
    const value = new Uint8Array(BLOCK).map((_, at) => (at * at * 31) >>> 5)
    const ops = Array.from({ length: 500 }, (_, at) => ({ key: Buffer.from(`${life}-${at}`), value }))
    await kv.batch(ops, { sync: true })
    await kv.close()
  }
  const name = (await readdir(directory)).find((candidate) => file.test(candidate)) ?? ''
  await damage(join(directory, name))
  return async () => {
    try {
      const kv = await openKv(engine, directory)
      const iterator = kv.iterate({})
      try {
        while ((await iterator.next(100)).length > 0);
      } finally {
        await iterator.close()
        await kv.close()
      }
    } finally {
      await rm(above, { recursive: true })
    }
  }
}

const flip = async (path: string, share: number, length: number): Promise<void> => {
  const bytes = await readFile(path)
  const from = Math.floor(bytes.length * share)
  for (let at = from; at < Math.min(bytes.length, from + length); at++) bytes[at] = ~(bytes[at] ?? 0)
  await writeFile(path, bytes)
}
const DAMAGES = [
  ['a table that rotted', /\.(ldb|sst)$/, (path: string) => flip(path, 0.5, 3 * BLOCK)],
  ['a table that ends too early', /\.(ldb|sst)$/, (path: string) => truncate(path, 1_000)],
  ['a table that is gone', /\.(ldb|sst)$/, (path: string) => rm(path)],
  ['a manifest that rotted', /^MANIFEST/, (path: string) => flip(path, 0.3, 64)],
  ['a manifest that is gone', /^MANIFEST/, (path: string) => rm(path)],
  ['a pointer to the manifest that rotted', /^CURRENT$/, (path: string) => writeFile(path, 'hello')],
] as const

function testDamage(engine: 'leveldb' | 'rocksdb'): void {
  test.each(DAMAGES)(`${engine} tells of %s as of damage`, async (_what, file, damage) => {
    const read = await damagedStore(engine, file, damage)
    await expect(read()).rejects.toThrow(KvDamagedError)
  })

  test(`${engine}: a store that another has open is not damaged`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tricord-kv-'))
    const kv = await openKv(engine, directory)
    await expect(openKv(engine, directory)).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' })
    await kv.close()
    await rm(directory, { recursive: true })
  })
}

testDamage('leveldb')
testKv('memory', async () => ({ kv: createMemoryKv(), dispose: async () => undefined }))
testKv(
  'leveldb',
  onDisk((directory) => openLevelKv(directory, BUFFER_BYTES)),
)
// The package has binaries for these two platforms only; elsewhere there is nothing to test.
if (`${process.platform}-${process.arch}` === 'linux-x64' || `${process.platform}-${process.arch}` === 'darwin-arm64') {
  testKv(
    'rocksdb',
    onDisk((directory) => openRocksKv(directory, BUFFER_BYTES)),
  )
  testDamage('rocksdb')
}
