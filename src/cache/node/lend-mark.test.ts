/** What a node notes before it lends, and what it does after a restart: it says nothing until what it lent must be over. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { ActorSystem } from '../../actors/actor.ts'
import { actorId } from '../../actors/envelope.ts'
import { loadHash } from '../../io/hash.ts'
import { MemoryDisk, createMemoryStorage } from '../../io/storage-memory.ts'
import { DiskFullError } from '../../io/storage.ts'
import { CACHE_PATH } from '../calls.ts'
import { BORROWERS_DEFAULTS } from '../coherence/borrowers.ts'
import { entryLine } from '../line-id.ts'
import { Coherence, type CoherenceDeps } from './coherence.ts'
import { type LendMark, readLendMark } from './lend-mark.ts'
import { encodeMessage } from './wire.ts'
import { Writes } from './writes.ts'

const { lentMs } = BORROWERS_DEFAULTS
const unexpected = (error: Error): void => expect.unreachable(String(error))
const hash = await loadHash()

test('a node that never lent speaks at once; one that has is silent for as long as a lease, in every life from then on', async () => {
  const [disk, clock] = [new MemoryDisk(), new ManualClock()]
  const read = (): Promise<LendMark> => readLendMark(createMemoryStorage(disk), clock, unexpected)
  const first = await read()
  expect(first.quietUntil).toBe(-Infinity)
  await first.set()
  await first.set()
  expect(first.quietUntil).toBe(-Infinity)
  for (const _ of [1, 2]) expect((await read()).quietUntil).toBe(clock.now() + lentMs)
})

test('without room nothing is lent; a disk that fails otherwise is not trusted any more', async () => {
  const fatal: Error[] = []
  const errors = [new DiskFullError('full'), new Error('EIO')]
  const storage = {
    readFile: async () => null,
    replace: async () => {
      const error = errors.shift()
      if (error !== undefined) throw error
    },
  }
  const mark = await readLendMark(storage, new ManualClock(), (error) => void fatal.push(error))
  await expect(mark.set()).rejects.toMatchObject({ code: 'DISK_LOW' })
  expect(fatal).toEqual([])
  await expect(mark.set()).rejects.toMatchObject({ code: 'DISK_LOW' })
  expect(fatal).toMatchObject([{ message: 'EIO' }])
  await mark.set()
})

test('until then no home hears of it', () => {
  const clock = new ManualClock()
  const sent: unknown[] = []
  const system = { clock, node: 'n1', incarnation: 2, send: (_: string, __: string, payload: unknown) => void sent.push(payload) }
  const coherence = new Coherence({
    system: system as unknown as ActorSystem,
    host: { onChange() {}, groups: () => [], status: () => null } as unknown as CoherenceDeps['host'],
    directory: { nodes: ['n1', 'n2'], nodeOf: () => 'n2', hostsOf: () => ['n2'] } as unknown as CoherenceDeps['directory'],
    writes: new Writes({} as ConstructorParameters<typeof Writes>[0], { partitions: 1, hash }),
    machineOf: () => null,
    storeBytesMax: 1_000_000,
    room: { bytesMax: () => Infinity, onChange() {} },
    onLog: () => {},
    lendMark: { quietUntil: clock.now() + lentMs, set: async () => {} },
  })
  const hear = (type: 'inv' | 'view'): void => {
    const line = entryLine('default', 'c', 'k')
    const payload = encodeMessage(0, type === 'view' ? { type, term: 1 } : { type, term: 1, t: 1, line })
    const envelope = { msgType: 'cache_invalidate', senderId: actorId('n2', CACHE_PATH), payload }
    coherence.receive(envelope as unknown as Parameters<Coherence['receive']>[0])
  }
  const silent = coherence.read(entryLine('default', 'c', 'k'), lentMs) as Promise<unknown>
  silent.catch(() => {})
  for (const type of ['inv', 'view'] as const) hear(type)
  expect(sent).toEqual([])
  clock.jump(lentMs)
  for (const type of ['inv', 'view'] as const) hear(type)
  expect(sent.map((payload) => (payload as readonly unknown[])[1])).toEqual(expect.arrayContaining(['invAck', 'viewAck']))
  coherence.close()
})
