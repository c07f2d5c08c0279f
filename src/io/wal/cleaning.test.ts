/** A log that one group would keep from getting smaller: its entries written again, or a record that it is damaged. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SystemClock } from '../clock-system.ts'
import type { Storage } from '../storage.ts'
import { createMemoryStorage } from '../storage-memory.ts'
import { openWal } from './open.ts'
import { SEGMENT_HEADER_BYTES, segmentPath } from './segment.ts'
import type { Recovered, Wal, WalRecord } from './wal.ts'

const clock = new SystemClock()
const SEGMENT = 4_096
const STUCK = 1
const BUSY = 2
const SECTOR = 512

const entry = (group: number, index: number, bytes: number, term = 1): WalRecord => ({
  kind: 'entry',
  group,
  index,
  term,
  type: 0,
  data: new Uint8Array(bytes).fill(index),
})
const create = (group: number, replica = 1024 + group): WalRecord => ({ kind: 'create', group, replica })
const mark = (group: number, index: number): WalRecord => ({
  kind: 'snapshot',
  group,
  index,
  term: 1,
  generation: 1,
  reset: false,
  config: new Uint8Array(3),
})

function open(storage: Storage): Promise<Recovered> {
  const fatal = (error: Error): never => {
    throw error
  }
  return openWal(storage, clock, { directory: 'wal', segmentBytes: SEGMENT, onFatal: fatal, onDiskFull: () => undefined })
}

const write = (wal: Wal, ...records: WalRecord[]): Promise<number> => new Promise((resolve) => wal.append(records, resolve))

/** The busy group goes on from `from`, and lets go of what is behind it. */
async function work(wal: Wal, from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index++) {
    await write(wal, entry(BUSY, index, 1_000), mark(BUSY, index))
    wal.release(BUSY, index)
  }
}

async function images(storage: Storage): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  for (const name of await storage.list('wal')) {
    if (name.endsWith('.wal')) found.set(`wal/${name}`, Uint8Array.from((await storage.readFile(`wal/${name}`)) ?? []))
  }
  return found
}

async function diskOf(files: ReadonlyMap<string, Uint8Array>): Promise<Storage> {
  const storage = createMemoryStorage()
  for (const [path, bytes] of files) await storage.replace(path, bytes)
  return storage
}

const entriesOf = (recovered: Recovered, group: number) =>
  recovered.groups.find((one) => one.group === group)?.entries.map(({ index, term, data }) => [index, term, data.length])

describe('entries written again', () => {
  const TAIL = [1, 2, 3, 4].map((index) => entry(STUCK, index, 300 * index))

  test('let the segments go that they kept', async () => {
    const storage = createMemoryStorage()
    const { wal } = await open(storage)
    await write(wal, create(STUCK), create(BUSY), ...TAIL)
    expect(wal.keepers).toEqual([])
    await work(wal, 1, 20)
    expect([wal.stats.segments > 5, wal.keepers]).toEqual([true, [STUCK]])
    const { segments } = wal.stats
    expect(wal.stats.segmentBytes).toBe(segments * SEGMENT)
    await write(wal, ...TAIL)
    expect([wal.stats.segments <= 2, wal.stats.segmentBytes]).toEqual([true, wal.stats.segments * SEGMENT])
    await work(wal, 21, 20)
    expect(wal.keepers).toEqual([STUCK])
    await wal.close()
    const again = await open(storage)
    expect(entriesOf(again, STUCK)).toEqual(TAIL.map((_, at) => [at + 1, 1, 300 * (at + 1)]))
    expect([again.damaged, again.findings]).toEqual([[], []])
    expect(again.wal.stats.segmentBytes).toBe([...(await images(storage)).values()].reduce((sum, { length }) => sum + length, 0))
  })

  test('a crash between any two sectors of it leaves them all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.infiniteStream(fc.boolean()), async (busy, survives) => {
        const storage = createMemoryStorage()
        const { wal } = await open(storage)
        await write(wal, create(STUCK), create(BUSY), ...TAIL)
        await work(wal, 1, busy)
        const before = await images(storage)
        await write(wal, ...TAIL)
        await wal.close()
        const crashed = await images(storage)
        for (const [path, bytes] of crashed) {
          // A new segment has its header durably before it has a name.
          const old = before.get(path) ?? Uint8Array.from(bytes, (byte, at) => (at < SEGMENT_HEADER_BYTES ? byte : 0))
          for (let at = 0; at < bytes.length; at += SECTOR) {
            if (survives.next().value === false) bytes.set(old.subarray(at, at + SECTOR), at)
          }
        }
        // What it makes needless goes only when all of it is durable.
        for (const [path, bytes] of before) if (!crashed.has(path)) crashed.set(path, bytes)
        const found = await open(await diskOf(crashed))
        expect(found.damaged).toEqual([])
        expect(entriesOf(found, STUCK)).toEqual(TAIL.map((_, at) => [at + 1, 1, 300 * (at + 1)]))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a damaged group', () => {
  /** A log in which the stuck group is damaged, and the busy one is not. */
  async function damagedLog(): Promise<Storage> {
    const storage = createMemoryStorage()
    const { wal } = await open(storage)
    await write(wal, create(STUCK), create(BUSY))
    await write(wal, entry(STUCK, 1, 100))
    await write(wal, entry(BUSY, 1, 100))
    await wal.close()
    const files = await images(storage)
    const bytes = files.get(segmentPath('wal', 1)) ?? new Uint8Array()
    const at = bytes.findIndex((_, from) => bytes.subarray(from, from + 50).every((byte) => byte === 1))
    bytes[at] = 9
    return diskOf(files)
  }
  const REPLICA = 1024 + STUCK

  test('keeps the log while that alone shows the damage, and nothing once a record says so', async () => {
    const storage = await damagedLog()
    const first = await open(storage)
    expect(first.damaged).toEqual([{ group: STUCK, replica: REPLICA }])
    await work(first.wal, 2, 20)
    expect([first.wal.stats.segments > 5, first.wal.keepers]).toEqual([true, [STUCK]])
    await write(first.wal, { kind: 'damaged', group: STUCK, replica: REPLICA })
    expect(first.wal.stats.segments).toBeLessThan(3)
    await first.wal.close()
    // Said again at the beginning of each segment, as long as it is so.
    for (let life = 0; life < 3; life++) {
      const { wal, damaged, findings } = await open(storage)
      expect([damaged, findings]).toEqual([[{ group: STUCK, replica: REPLICA }], []])
      await work(wal, 100 * (life + 1), 10)
      expect(wal.stats.segments).toBeLessThan(3)
      await wal.close()
    }
    const { wal } = await open(storage)
    await write(wal, create(STUCK, REPLICA + 1), entry(STUCK, 1, 200))
    await work(wal, 1_000, 10)
    await wal.close()
    const last = await open(storage)
    expect([last.damaged, entriesOf(last, STUCK)]).toEqual([[], [[1, 1, 200]]])
  })

  test('whose entries were whole is damaged too, once a record says so', async () => {
    const storage = createMemoryStorage()
    const { wal } = await open(storage)
    await write(wal, create(STUCK), create(BUSY), entry(STUCK, 1, 100))
    await work(wal, 1, 10)
    expect(wal.keepers).toEqual([STUCK])
    await write(wal, { kind: 'damaged', group: STUCK, replica: REPLICA })
    expect(wal.stats.segments).toBeLessThan(3)
    await wal.close()
    const again = await open(storage)
    expect([again.damaged, entriesOf(again, STUCK)]).toEqual([[{ group: STUCK, replica: REPLICA }], undefined])
    await write(again.wal, { kind: 'remove', group: STUCK })
    await again.wal.close()
    expect((await open(storage)).damaged).toEqual([])
  })
})
