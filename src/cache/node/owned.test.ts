/** Lines that this node writes alone: what it may not own, how long it keeps them, what of them goes into the log. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { Copy } from '../coherence/copies.ts'
import type { Held, ToHome } from '../coherence/protocol.ts'
import { configLine, entryLine } from '../line-id.ts'
import type { CacheCommand } from '../machine/commands.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import { type Flush, Flushes } from './flushes.ts'
import { LINE_BYTES, LineStore } from './line-store.ts'
import type { Lines } from './lines.ts'
import type { LocalWrite } from './local-write.ts'
import { PartitionCopies } from './partition-copies.ts'
import type { Writes } from './writes.ts'

const LINE = entryLine('default', 'c', 'k')
const LEASE_MS = 2_000
/** For three lines that hold next to nothing. */
const ROOM = Math.floor(3.2 * LINE_BYTES)
const next = (ttlLeftMs: number | null): Held => ({ ...NOTHING_HELD, value: new Uint8Array(1), ttlLeftMs })
const putOf = (ttlLeftMs: number | null) => (): LocalWrite => ({
  reply: { type: 'put', version: 0, created: true },
  next: next(ttlLeftMs),
})

/** A node with a session, whose home renews it. */
function bed(bytesMax = 1_000_000) {
  const clock = new ManualClock()
  const sent: ToHome[] = []
  const flushes: { written: Flush; done: (isCommitted: boolean) => void }[] = []
  const released: number[] = []
  const lost: number[] = []
  const store = new LineStore<Copy>({ bytesMax, onCount: () => {} })
  const copies: PartitionCopies = new PartitionCopies({
    partition: 0,
    clock,
    life: 1,
    store,
    room: store,
    send: (_, message) => {
      sent.push(message)
      const { type } = message
      if (type === 'open') copies.receive('n1', { type: 'opened', term: 1, sid: 1, n: message.n, leaseMs: LEASE_MS })
      if (type === 'renew') copies.receive('n1', { type: 'renewed', term: 1, sid: 1, n: message.n, leaseMs: LEASE_MS })
    },
    flush: (written, done) => void flushes.push({ written, done }),
    release: (_, own) => void released.push(own),
    onLost: (_, count) => void lost.push(count),
    callBack: () => {},
    onSlidingRead: () => {},
    onTold: () => {},
  })
  const asked = (): { rid: number } => {
    const last = sent.findLast(({ type }) => type === 'getM')
    if (last?.type !== 'getM') throw new Error('nobody wants to own it')
    return last
  }
  const give = (held: Held = NOTHING_HELD): void => {
    const { rid } = asked()
    const versions = { own: 7, versionFirst: 10, versionMax: 20 }
    copies.receive('n1', { type: 'dataX', term: 1, sid: 1, rid, line: LINE, g: 1, held, ...versions })
  }
  return { clock, copies, store, flushes, released, lost, asked, give }
}

test('a line that the log gives to nobody is written through the log', async () => {
  const { copies, asked } = bed()
  const written = copies.writeOwned(LINE, 1_000, putOf(null))
  await Promise.resolve()
  copies.receive('n1', { type: 'dataU', term: 1, sid: 1, rid: asked().rid, line: LINE, held: NOTHING_HELD })
  expect(await written).toBeNull()
  copies.close()
})

test('what is owned counts in the budget: copies go for it, and at half of it no more is owned', async () => {
  const { clock, copies, store, flushes, give } = bed(ROOM)
  const copy: Copy = { partition: 0, state: 'S', g: 1, epoch: 1, until: Infinity, hit: false, held: next(null) }
  store.set('one', copy)
  store.set('two', copy)
  const twoCopies = store.bytes
  const bytes = new Uint8Array(LINE_BYTES)
  const written = copies.writeOwned(LINE, 1_000, () => ({ ...putOf(null)(), next: { ...next(null), value: bytes } }))
  await Promise.resolve()
  give()
  await written
  expect([store.get('one'), store.get('two')]).toEqual([undefined, copy])
  expect(store.bytes).toBeGreaterThan(twoCopies)
  expect(store.bytes).toBeLessThanOrEqual(ROOM)
  expect(store.evictions).toBe(1)
  // It is written through the log, which is refused until the line is given back, and that makes room.
  expect(await copies.writeOwned(entryLine('default', 'c', 'other'), 1_000, putOf(null))).toBeNull()
  expect(await copies.writeOwned(LINE, 1_000, putOf(null))).toBeNull()
  copies.giveUp(LINE)
  expect(store.mayPin).toBe(false)
  clock.jump(1)
  flushes[0]?.done(true)
  expect([store.mayPin, store.bytes]).toEqual([true, twoCopies / 2])
  copies.close()
})

test('a write is judged once: what was at hand for the first look may not be for another', async () => {
  const { copies, give } = bed()
  let looks = 0
  const written = copies.writeOwned(LINE, 1_000, () => (looks++ === 0 ? putOf(null)() : Promise.resolve()))
  await Promise.resolve()
  give()
  expect(await written).toEqual({ type: 'put', version: 10, created: true })
  copies.close()
})

test('a life begins with the write, not with its flush', async () => {
  const { clock, copies, flushes, give } = bed()
  const written = copies.writeOwned(LINE, 1_000, putOf(1_000))
  await Promise.resolve()
  give()
  await written
  const at = clock.now()
  await clock.until(() => flushes.length > 0, 'a flush')
  expect(clock.now()).toBeGreaterThan(at)
  expect(flushes[0]?.written.until).toBe(at + 1_000)
  copies.close()
})

test('a line that nobody uses is given back, in the log as well, though others of the partition are read', async () => {
  const { clock, copies, flushes, released, give } = bed()
  const written = copies.writeOwned(LINE, 1_000, putOf(null))
  await Promise.resolve()
  give()
  await written
  await clock.until(() => flushes.length > 0, 'a flush')
  flushes[0]?.done(true)
  for (let second = 0; second < 100 && released.length === 0; second++) {
    Promise.resolve(copies.read('other', 500)).catch(() => {})
    await clock.pass(1_000)
    if (second < 50) expect(copies.stateOf(LINE)).toBe('E')
  }
  expect(released).toEqual([7])
  expect(copies.controller.owner.lines.size).toBe(0)
  copies.close()
})

test('a flush waits for no configuration, and takes of a life what was left of it', async () => {
  const clock = new ManualClock()
  const commands: CacheCommand[] = []
  const writes = {
    shareOf: (_: unknown, configVersion: number) => ({ bytes: 1, entries: 1, policy: 'lru', configVersion }),
    submit: (_: number, command: CacheCommand) => {
      commands.push(command)
      return Promise.resolve({ type: 'flushed', version: 10 })
    },
  } as unknown as Writes
  const lines: Pick<Lines, 'read' | 'stateOf'> = {
    stateOf: (line) => (line === configLine('default', 'c') ? 'I' : 'E'),
    read: () => new Promise(() => {}),
  }
  const flushes = new Flushes(clock, writes, lines as Lines, () => {})
  let committed: boolean | null = null
  flushes.flush(0, { line: LINE, own: 7, version: 10, held: next(1_000), until: clock.now() + 400 }, (is) => (committed = is))
  await clock.settle()
  expect(committed).toBe(true)
  expect(commands).toMatchObject([{ type: 'cache_flush', ttlMs: 400, share: { configVersion: 0 } }])
})

test('what is refused is told as lost once, with what was written since it was sent', async () => {
  const { clock, copies, flushes, lost, give } = bed()
  const first = copies.writeOwned(LINE, 1_000, putOf(null))
  await Promise.resolve()
  give()
  await first
  await clock.until(() => flushes.length === 1, 'a flush')
  for (let nth = 0; nth < 2; nth++) await copies.writeOwned(LINE, 1_000, putOf(null))
  flushes[0]?.done(true)
  expect(lost).toEqual([])
  await clock.until(() => flushes.length === 2, 'another')
  await copies.writeOwned(LINE, 1_000, putOf(null))
  flushes[1]?.done(false)
  expect([lost, copies.stateOf(LINE)]).toEqual([[3], 'I'])
  await clock.pass(1_000)
  copies.close()
  expect([lost, flushes.length]).toEqual([[3], 2])
})

test('what a line holds when it comes lives on from then, however long the question has waited', async () => {
  const { clock, copies, give } = bed()
  let seen: Held | null = null
  const written = copies.writeOwned(LINE, 1_000, (held) => {
    seen = held
    return putOf(null)()
  })
  await clock.pass(400)
  give(next(300))
  await written
  expect(seen).toMatchObject({ ttlLeftMs: 300, value: next(300).value })
  copies.close()
})

test('what is past its time at its owner goes by a write: it is gone for everybody then', async () => {
  const { clock, copies, give, flushes } = bed()
  const first = copies.writeOwned(LINE, 1_000, putOf(50))
  await Promise.resolve()
  give()
  await first
  await clock.pass(60)
  const seen: Held[] = []
  const refused: LocalWrite = { reply: { type: 'deleted', version: 0, existed: false }, next: null }
  await copies.writeOwned(LINE, 1_000, (held) => {
    seen.push(held)
    return refused
  })
  expect(seen).toMatchObject([{ value: null, version: 11 }])
  await clock.pass(100)
  expect(flushes.at(-1)?.written).toMatchObject({ version: 11, held: { value: null } })
  copies.close()
})
