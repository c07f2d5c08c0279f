import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { createFileStorage } from '../../src/io/storage-file.ts'
import { createMemoryStorage } from '../../src/io/storage-memory.ts'
import { testStorage } from './storage.ts'

const directory = () => mkdtemp(join(tmpdir(), 'tricord-storage-'))

testStorage('memory', async () => ({ storage: createMemoryStorage(), dispose: async () => undefined }))
testStorage('file', async () => {
  const root = await directory()
  return { storage: createFileStorage(root, 'leveldb'), dispose: () => rm(root, { recursive: true }) }
})

test('a directory that is made is durable in those above it, or what is synced in it could be lost with its name', async () => {
  const above = await directory()
  const probe = await open(join(above, 'probe'), 'w')
  const synced: number[] = []
  const spy = vi.spyOn(Object.getPrototypeOf(probe) as typeof probe, 'sync').mockImplementation(async function (this: typeof probe) {
    synced.push((await this.stat()).ino)
  })
  const inode = async (path: string): Promise<number> => (await stat(join(above, path))).ino
  const storage = createFileStorage(join(above, 'node', 'data'), 'leveldb')
  const file = await storage.open('wal/spare')
  expect(new Set(synced)).toEqual(new Set([await inode('.'), await inode('node'), await inode('node/data')]))
  synced.length = 0
  await storage.syncDirectory('wal')
  expect(synced).toEqual([await inode('node/data/wal')])
  spy.mockRestore()
  await file.close()
  await probe.close()
  await rm(above, { recursive: true })
})
