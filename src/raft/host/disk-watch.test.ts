/** Free space as it comes and goes, and disks that do not say. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { ActorContext } from '../../actors/actor.ts'
import { DiskWatch } from './disk-watch.ts'

interface Bed {
  readonly watch: DiskWatch
  readonly log: string[]
  readonly wal: { full: boolean; stats: { bytesWritten: number; queuedBytes: number; segments: number } }
  /** In memory, for the store. */
  owed: number
  /** How often the disk was asked. */
  asked: number
  tick(ms?: number): Promise<void>
}

function watchOf(diskLowBytes: number, freeBytes: () => Promise<number>): Bed {
  const clock = new ManualClock()
  const log: string[] = []
  const wal = { full: false, stats: { bytesWritten: 1_000, queuedBytes: 0, segments: 1 } }
  const options = { diskLowBytes, onLog: (level: string, message: string) => void log.push(`${level} ${message}`) }
  const watch = new DiskWatch({ wal, freeBytes: () => (bed.asked++, freeBytes()), options })
  const pipeToSelf: ActorContext['pipeToSelf'] = (work, done, failed) => void work.then(done, failed)
  const ctx = { clock, pipeToSelf } as unknown as ActorContext
  const bed: Bed = {
    watch,
    log,
    wal,
    asked: 0,
    owed: 0,
    async tick(ms = 250) {
      await clock.pass(ms)
      watch.tick(ctx, clock.now(), bed.owed)
      await clock.settle()
    },
  }
  return bed
}

test('low below the mark, enough an eighth above it; a log that cannot be written says more', async () => {
  let free = 80
  const bed = watchOf(80, async () => free)
  const rooms: string[] = []
  for (free of [80, 79, 80, 89, 90, 80, 79]) {
    await bed.tick()
    rooms.push(bed.watch.room)
  }
  expect(rooms).toEqual(['enough', 'low', 'low', 'low', 'enough', 'enough', 'low'])
  expect(bed.log).toHaveLength(3)
  bed.wal.full = true
  expect(bed.watch.room).toBe('full')
})

test('what is on its way to the disk counts as there, before the next look', async () => {
  let free = 1_000
  const bed = watchOf(80, async () => free)
  await bed.tick()
  const room = async (): Promise<string> => {
    await bed.tick(1)
    return bed.watch.room
  }
  bed.owed = 920
  expect(await room()).toBe('enough')
  bed.wal.stats.bytesWritten += 1
  expect([await room(), bed.asked]).toEqual(['low', 1])
  // On the disk now, and seen there.
  free = 999
  bed.owed = 0
  await bed.tick()
  expect([await room(), bed.asked]).toEqual(['enough', 2])
  bed.wal.stats.queuedBytes = 920
  expect(await room()).toBe('low')
})

test('scarce below a quarter of the mark, as long as the log can give room back', async () => {
  let free = 80
  const bed = watchOf(80, async () => free)
  const scarce: boolean[] = []
  for (const [left, segments] of [
    [20, 9],
    [19, 9],
    [19, 5],
    [19, 4],
    [19, 5],
    [20, 5],
  ] as const) {
    free = left
    bed.wal.stats.segments = segments
    await bed.tick()
    scarce.push(bed.watch.scarce)
  }
  expect(scarce).toEqual([false, true, true, false, true, false])
  expect([bed.watch.mayTake(1_000, 1_000)]).toEqual([true])
  free = 19
  bed.wal.stats.segments = 1
  await bed.tick()
  expect([bed.watch.mayTake(9, 10), bed.watch.mayTake(10, 10)]).toEqual([true, false])
})

test('a disk that hangs is asked once; one that fails is asked again, and that is said once', async () => {
  const hanging = watchOf(80, () => new Promise(() => undefined))
  for (let i = 0; i < 4; i++) await hanging.tick()
  expect([hanging.asked, hanging.watch.room]).toEqual([1, 'enough'])
  let broken = false
  const failing = watchOf(80, () => (broken ? Promise.reject(new Error('EIO')) : Promise.resolve(1)))
  await failing.tick()
  broken = true
  for (let i = 0; i < 3; i++) await failing.tick()
  expect([failing.asked, failing.watch.room]).toEqual([4, 'low'])
  expect(failing.log.filter((line) => line.includes('EIO'))).toEqual(['warn the free space of the disk cannot be read: EIO'])
})

test('without a mark nobody asks', async () => {
  const bed = watchOf(0, async () => 0)
  await bed.tick()
  expect([bed.asked, bed.watch.room]).toEqual([0, 'enough'])
})
