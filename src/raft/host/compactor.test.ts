/** When what is compacted: nothing is forgotten before it is gone, and nothing waits behind what cannot be. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { ActorContext } from '../../actors/actor.ts'
import type { Kv, KvRange } from '../../io/kv/kv.ts'
import { DiskFullError } from '../../io/storage.ts'
import type { DiskRoom } from '../disk-room.ts'
import { Compactor, type Compacted } from './compactor.ts'
import { coldRecords, groupOfKey, prefixOf, wholeGroup } from './keys.ts'

const MIB = 2 ** 20

class Toy implements Compacted {
  readonly id: number
  deletedBytes = 0
  liveBytes = 0
  readonly range: ReturnType<typeof coldRecords>
  readonly store = { cold: this }

  constructor(id: number) {
    this.id = id
    this.range = coldRecords(prefixOf(id, 1))
  }

  compacted(bytes: number): void {
    this.deletedBytes -= bytes
  }
}

class Bed {
  readonly clock = new ManualClock()
  readonly groups = [1, 2, 3].map((id) => new Toy(id))
  readonly asked: KvRange[] = []
  /** So often next to nothing was written. */
  questions = 0
  readonly log: string[] = []
  readonly disk: { room: DiskRoom } = { room: 'enough' }
  answer: (range: KvRange, wanted: () => boolean) => Promise<boolean> = async () => true
  readonly compactor: Compactor

  constructor(diskLowBytes = 0) {
    const compact = (range: KvRange, wanted: () => boolean = () => true): Promise<boolean> => {
      this.asked.push(range)
      return this.answer(range, wanted)
    }
    const batch: Kv['batch'] = async (ops) => {
      this.questions++
      expect(ops).toEqual([{ key: Uint8Array.of(0), value: null }])
      await this.answer({}, () => true)
    }
    const options = { diskLowBytes, onLog: (level: string, message: string) => void this.log.push(`${level} ${message}`) }
    this.compactor = new Compactor({ kv: { batch, compact }, disk: this.disk, options })
  }

  async pass(ms: number): Promise<void> {
    const pipeToSelf: ActorContext['pipeToSelf'] = (work, done, failed) => void work.then(done, failed)
    const ctx = { clock: this.clock, pipeToSelf } as unknown as ActorContext
    for (let past = 0; past < ms; past += 100) {
      this.compactor.tick(this.groups, ctx, this.clock.now())
      await this.clock.pass(100)
    }
  }

  /** The groups whose cold records were compacted; 0 for another range. */
  get groupsAsked(): number[] {
    return this.asked.map((range) => this.groups.find((group) => group.range.gte === range.gte || same(group.range, range))?.id ?? 0)
  }
}

const same = (one: KvRange, other: KvRange): boolean => JSON.stringify(one) === JSON.stringify(other)

test('what lies deleted may be as much as there is, and 64 MiB; then the group with most goes first, until it is less', async () => {
  const bed = new Bed()
  const [one, two, three] = bed.groups as [Toy, Toy, Toy]
  three.liveBytes = 36 * MIB
  one.deletedBytes = 40 * MIB
  two.deletedBytes = 60 * MIB
  await bed.pass(3_000)
  expect(bed.asked).toEqual([])
  one.deletedBytes += 70 * MIB
  await bed.pass(5_000)
  expect(bed.groupsAsked).toEqual([1])
  expect([one.deletedBytes, two.deletedBytes]).toEqual([0, 60 * MIB])
})

test('where the operator wants little to be free, a quarter of that may lie', async () => {
  const bed = new Bed(16 * MIB)
  bed.groups[1]!.deletedBytes = 4 * MIB + 1
  await bed.pass(1_500)
  expect(bed.groupsAsked).toEqual([2])
})

test('what is deleted while it is compacted counts on', async () => {
  const bed = new Bed()
  const [one] = bed.groups as [Toy]
  one.deletedBytes = 100 * MIB
  bed.answer = async () => {
    one.deletedBytes += 5 * MIB
    return true
  }
  await bed.pass(1_000)
  expect(one.deletedBytes).toBe(5 * MIB)
})

test.each([
  ['something is in the way', async () => false, []],
  ['the disk is full', () => Promise.reject(new DiskFullError('no room')), []],
  ['the store cannot', () => Promise.reject(new Error('no')), ['error the key-value store could not be compacted']],
])('when %s it counts on, is tried again later, and holds up no other', async (_what, answer, log) => {
  const bed = new Bed()
  const [one, two] = bed.groups as [Toy, Toy]
  one.deletedBytes = 100 * MIB
  two.deletedBytes = 90 * MIB
  bed.answer = (range) => (range === one.range ? answer() : Promise.resolve(true))
  await bed.pass(5_000)
  expect(bed.groupsAsked).toEqual([1, 2])
  expect([one.deletedBytes, two.deletedBytes]).toEqual([100 * MIB, 0])
  expect(bed.log).toEqual(log)
  bed.answer = async () => true
  await bed.pass(10_000)
  expect(bed.groupsAsked).toEqual([1, 2, 1])
  expect(one.deletedBytes).toBe(0)
})

test('one at a time, and a fifth of the time at most', async () => {
  const bed = new Bed()
  const [one, two] = bed.groups as [Toy, Toy]
  one.deletedBytes = 100 * MIB
  two.deletedBytes = 90 * MIB
  let finish: (done: boolean) => void = () => {}
  bed.answer = () => new Promise((resolve) => (finish = resolve))
  await bed.pass(5_000)
  expect(bed.asked).toHaveLength(1)
  finish(true)
  await bed.pass(19_000)
  expect(bed.asked).toHaveLength(1)
  await bed.pass(2_000)
  expect(bed.groupsAsked).toEqual([1, 2])
})

test('on a disk that is low every MiB counts; and once each time the whole store is gone over, whatever was counted', async () => {
  const bed = new Bed()
  bed.disk.room = 'low'
  bed.groups[2]!.deletedBytes = 2 * MIB
  await bed.pass(10_000)
  expect(bed.groupsAsked).toEqual([3, 0, 0, 0])
  const [, ...whole] = bed.asked
  expect([whole[0]?.gte, whole[2]?.lt]).toEqual([undefined, undefined])
  expect(whole.slice(1).map(({ gte }) => groupOfKey(gte!))).toEqual([2, 3])
  expect(whole.slice(0, 2).map(({ lt }) => lt)).toEqual(whole.slice(1).map(({ gte }) => gte))
  bed.disk.room = 'enough'
  await bed.pass(2_000)
  bed.disk.room = 'full'
  await bed.pass(10_000)
  expect(bed.asked).toHaveLength(7)
})

test('a disk that becomes low again and again has its store gone over one time after the other', async () => {
  const bed = new Bed()
  for (let round = 0; round < 20; round++) {
    bed.disk.room = 'low'
    await bed.pass(1_000)
    bed.disk.room = 'enough'
    await bed.pass(1_000)
  }
  const { length } = bed.asked
  await bed.pass(60_000)
  expect(bed.asked.length - length).toBeLessThan(3)
})

test('a store whose disk stays low is written to now and then, and not compacted: its engine may have found no room', async () => {
  const bed = new Bed()
  bed.disk.room = 'low'
  await bed.pass(8_000)
  const { asked, questions } = bed
  const compactions = asked.length
  bed.answer = () => Promise.reject(new DiskFullError('no space left'))
  await bed.pass(30_000)
  expect([asked.length - compactions, bed.questions - questions, bed.log]).toEqual([0, 3, []])
  bed.disk.room = 'enough'
  await bed.pass(30_000)
  expect([asked.length - compactions, bed.questions - questions]).toEqual([0, 3])
})

test('a store without groups is gone over too', async () => {
  const bed = new Bed()
  bed.groups.length = 0
  bed.disk.room = 'low'
  await bed.pass(3_000)
  expect(bed.asked).toEqual([{}])
})

test('ranges that were cleared are compacted, each until it is done; too many become one', async () => {
  const bed = new Bed()
  const ranges = [7, 8].map(wholeGroup)
  for (const range of ranges) bed.compactor.cleared(range)
  let tries = 0
  bed.answer = async () => tries++ > 0
  await bed.pass(15_000)
  expect(bed.asked).toEqual([ranges[0], ranges[1], ranges[0]])
  for (let id = 10; id < 1_020; id++) bed.compactor.cleared(wholeGroup(id))
  await bed.pass(2_000)
  expect(bed.asked[3]).toEqual({})
})

test('the end is waited for, and comes early', async () => {
  const bed = new Bed()
  bed.compactor.cleared({})
  let wanted = (): boolean => true
  let finish = (): void => {}
  bed.answer = (_range, stillWanted) => {
    wanted = stillWanted
    return new Promise((resolve) => (finish = () => resolve(false)))
  }
  await bed.pass(500)
  expect(wanted()).toBe(true)
  bed.compactor.close()
  expect(wanted()).toBe(false)
  let settled = false
  const settling = bed.compactor.settled().then(() => (settled = true))
  await bed.clock.settle()
  expect(settled).toBe(false)
  finish()
  await settling
  await bed.pass(2_000)
  expect(bed.asked).toHaveLength(1)
})
