/** A segment that cannot be allocated leaves nothing behind: no open file, no space taken. */
import { expect, test } from 'vitest'
import { createMemoryStorage } from '../storage-memory.ts'
import { DiskFullError, type File, type Storage } from '../storage.ts'
import { preallocate } from './segment.ts'

test('no space for a segment: the file is closed, and what was had of the disk is given back', async () => {
  const memory = createMemoryStorage()
  const closed: string[] = []
  const storage: Storage = {
    ...memory,
    async open(path): Promise<File> {
      const file = await memory.open(path)
      return {
        write: async (at, chunks) => {
          if (at >= 1 << 20) throw new DiskFullError('no space left')
          await file.write(at, chunks)
        },
        writeDurable: (at, chunks) => file.writeDurable(at, chunks),
        read: (at, length) => file.read(at, length),
        sync: () => file.sync(),
        size: () => file.size(),
        truncate: (length) => file.truncate(length),
        close: async () => {
          closed.push(path)
          await file.close()
        },
      }
    },
  }
  await expect(preallocate(storage, 'wal/spare', 4 << 20)).rejects.toThrow(DiskFullError)
  expect(closed).toEqual(['wal/spare'])
  expect((await memory.readFile('wal/spare'))?.length).toBe(0)
})
