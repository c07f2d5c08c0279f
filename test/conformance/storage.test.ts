import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DirectoryLockedError, createFileStorage } from '../../src/io/storage-file.ts'
import { createMemoryStorage } from '../../src/io/storage-memory.ts'
import { testStorage } from './storage.ts'

const directory = () => mkdtemp(join(tmpdir(), 'tricord-storage-'))

testStorage('memory', async () => ({ storage: createMemoryStorage(), dispose: async () => undefined }))
testStorage('file', async () => {
  const root = await directory()
  return { storage: createFileStorage(root, 'leveldb'), dispose: () => rm(root, { recursive: true }) }
})

test('a directory in use is refused; the lock of a dead process is taken over; closing gives it back', async () => {
  const root = await directory()
  const PARENT = process.ppid
  await writeFile(join(root, 'LOCK'), `${PARENT}\n`)
  const storage = createFileStorage(root, 'leveldb')
  await expect(storage.lock()).rejects.toThrow(DirectoryLockedError)
  await expect(storage.lock()).rejects.toThrow(String(PARENT))
  // No process has this id: Linux and macOS stay below 2^22.
  await writeFile(join(root, 'LOCK'), '4194999\n')
  await storage.lock()
  await storage.close()
  await createFileStorage(root, 'leveldb').lock()
  await rm(root, { recursive: true })
})
