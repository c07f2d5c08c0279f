/** Free space as it comes and goes, and disks that do not say. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { ActorContext } from '../../actors/actor.ts'
import { DiskWatch } from './disk-watch.ts'

interface Bed {
  readonly watch: DiskWatch
  readonly log: string[]
  readonly wal: { full: boolean }
  /** How often the disk was asked. */
  asked: number
  tick(): Promise<void>
}

function watchOf(diskLowBytes: number, freeBytes: () => Promise<number>): Bed {
  const clock = new ManualClock()
  const log: string[] = []
  const wal = { full: false }
  const options = { diskLowBytes, onLog: (level: string, message: string) => void log.push(`${level} ${message}`) }
  const watch = new DiskWatch({ wal, freeBytes: () => (bed.asked++, freeBytes()), options })
  const pipeToSelf: ActorContext['pipeToSelf'] = (work, done, failed) => void work.then(done, failed)
  const ctx = { clock, pipeToSelf } as unknown as ActorContext
  const bed: Bed = {
    watch,
    log,
    wal,
    asked: 0,
    async tick() {
      await clock.pass(250)
      watch.tick(ctx, clock.now())
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
