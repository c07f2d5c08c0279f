/** An engine that loses its place when the disk is full, as LevelDB does: what it takes afterwards is gone at the next opening. */
import { describe, expect, test } from 'vitest'
import { DiskFullError } from '../storage.ts'
import type { Kv, KvOp } from './kv.ts'
import { createMemoryKv } from './memory.ts'
import { openReopening } from './reopening.ts'
import type { Room } from './reserve.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string): KvOp[] => [{ key: bytes(key), value: bytes(key) }]

class Disk {
  full = false
  openings = 0
  readonly kept: KvOp[] = []

  open = async (): Promise<Kv> => {
    if (this.full) throw new Error('cannot open', { cause: new Error('IO error: LOG: No space left on device') })
    this.openings++
    const memory = createMemoryKv()
    for (const op of this.kept) await memory.batch([op], { sync: true })
    let lost = false
    return {
      engine: 'leveldb',
      get: (key) => memory.get(key),
      getMany: (keys) => memory.getMany(keys),
      iterate: (range) => memory.iterate(range),
      clear: (range) => memory.clear(range),
      compact: (range) => memory.compact(range),
      close: () => memory.close(),
      batch: async (ops, options) => {
        if (this.full) {
          lost = true
          throw new Error('IO error: 000003.log: No space left on device')
        }
        await memory.batch(ops, options)
        if (!lost) this.kept.push(...ops)
      },
    }
  }
}

const has = async (kv: Kv, key: string): Promise<boolean> => (await kv.get(bytes(key))) !== undefined

test('after a full disk the store is opened again before anything else is written', async () => {
  const disk = new Disk()
  const kv = await openReopening(disk.open)
  await kv.batch(put('a'), { sync: true })
  disk.full = true
  await expect(kv.batch(put('b'), { sync: true })).rejects.toThrow(DiskFullError)
  await expect(kv.batch(put('b'), { sync: true })).rejects.toThrow(DiskFullError)
  disk.full = false
  const reading = kv.get(bytes('a'))
  await Promise.all([kv.batch(put('b'), { sync: true }), kv.batch(put('c'), { sync: true })])
  expect(await reading).toEqual(bytes('a'))
  expect(disk.openings).toBe(2)
  await kv.close()
  const again = await openReopening(disk.open)
  expect(await Promise.all(['a', 'b', 'c'].map((key) => has(again, key)))).toEqual([true, true, true])
})

test('it waits for those who read', async () => {
  const disk = new Disk()
  const kv = await openReopening(disk.open)
  await kv.batch(put('a'), { sync: true })
  const reader = kv.iterate({})
  disk.full = true
  await expect(kv.batch(put('b'), { sync: true })).rejects.toThrow(DiskFullError)
  disk.full = false
  await expect(kv.batch(put('b'), { sync: true })).rejects.toThrow(/readers/)
  expect(await reader.next(10)).toHaveLength(1)
  await reader.close()
  await kv.batch(put('b'), { sync: true })
  const after = kv.iterate({})
  expect(await after.next(10)).toHaveLength(2)
  await after.close()
})

test('another error is the caller’s, and the store is not opened again for it', async () => {
  const disk = new Disk()
  const kv = await openReopening(async () => ({ ...(await disk.open()), batch: () => Promise.reject(new Error('Corruption: bad block')) }))
  await expect(kv.batch(put('a'), { sync: true })).rejects.toThrow('Corruption')
  await expect(kv.batch(put('a'), { sync: true })).rejects.toThrow('Corruption')
  expect(disk.openings).toBe(1)
})

test('an opening without space is given room, and room is taken again behind it', async () => {
  const disk = new Disk()
  const did: string[] = []
  const room: Room = {
    async give() {
      did.push('give')
      disk.full = false
      return did.length < 4
    },
    async take() {
      did.push('take')
    },
  }
  const kv = await openReopening(disk.open, room)
  disk.full = true
  await expect(kv.batch(put('a'), { sync: true })).rejects.toThrow(DiskFullError)
  await kv.batch(put('a'), { sync: true })
  expect([did, disk.openings]).toEqual([['take', 'give', 'take'], 2])
  disk.full = true
  await expect(kv.batch(put('b'), { sync: true })).rejects.toThrow(DiskFullError)
  await expect(kv.batch(put('b'), { sync: true })).rejects.toThrow(DiskFullError)
  expect(did).toEqual(['take', 'give', 'take', 'give'])
})

describe('compaction', () => {
  test('of an engine that compacts when it is opened: closed and opened as often as it needs, unless somebody reads', async () => {
    const disk = new Disk()
    const kv = await openReopening(async () => ({ ...(await disk.open()), openingsToCompact: 2 }))
    await kv.batch(put('a'), { sync: true })
    const reader = kv.iterate({})
    expect(await kv.compact({})).toBe(false)
    await reader.close()
    expect(disk.openings).toBe(1)
    const writing = kv.batch(put('b'), { sync: true })
    const compacting = kv.compact({})
    const reading = kv.get(bytes('b'))
    expect(await Promise.all([writing, compacting, reading])).toEqual([undefined, true, undefined])
    expect([disk.openings, await has(kv, 'a'), await has(kv, 'b')]).toEqual([3, true, true])
    expect(await kv.compact({}, () => false)).toBe(false)
    expect(disk.openings).toBe(3)
  })

  test('that finds no room breaks the store, which is opened again by the next try, though nobody writes', async () => {
    const disk = new Disk()
    let fails = true
    const compact = async (): Promise<boolean> => {
      if (fails) throw new Error('IO error: 000007.ldb: No space left on device')
      return true
    }
    const kv = await openReopening(async () => ({ ...(await disk.open()), compact }))
    await expect(kv.compact({})).rejects.toThrow(DiskFullError)
    fails = false
    expect([await kv.compact({}), disk.openings]).toEqual([false, 2])
    expect(await kv.compact({})).toBe(true)
    await kv.batch(put('a'), { sync: true })
    expect(disk.openings).toBe(2)
  })

  test('under which the store is opened again has not been done', async () => {
    const disk = new Disk()
    let end = (): void => {}
    let wanted = (): boolean => false
    const compact: Kv['compact'] = (_range, stillWanted) => {
      wanted = stillWanted ?? wanted
      return new Promise((_resolve, reject) => (end = () => reject(new Error('iterator is not open'))))
    }
    const kv = await openReopening(async () => ({ ...(await disk.open()), compact }))
    const compacting = kv.compact({})
    expect(wanted()).toBe(true)
    disk.full = true
    await expect(kv.batch(put('a'), { sync: true })).rejects.toThrow(DiskFullError)
    expect(wanted()).toBe(false)
    disk.full = false
    await kv.batch(put('a'), { sync: true })
    end()
    expect(await compacting).toBe(false)
  })
})
