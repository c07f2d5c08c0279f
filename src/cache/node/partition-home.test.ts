/** The gate of a home: what it lets pass, and what never. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { TricordError } from '../../base/errors.ts'
import { LatencyHistogram } from '../../base/latency-histogram.ts'
import { SuspendAwareClock } from '../../io/suspend-aware-clock.ts'
import { HOME_DEFAULTS } from '../coherence/home.ts'
import { type FromHome, PREFIXES_MAX } from './wire.ts'
import { entryLine } from '../line-id.ts'
import type { CacheCommand } from '../machine/commands.ts'
import type { CacheMachine } from '../machine/machine.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import type { CacheCallOptions } from '../types.ts'
import { PartitionHome, trackedLinesMax } from './partition-home.ts'
import type { Done, Writes } from './writes.ts'

const TERM = 3
const LINES_MAX = 8
const LINE = entryLine('default', 'c', 'k')
const GATE = { versions: [7], lines: [], below: 0 }

type Submit = (partition: number, command: CacheCommand, options: CacheCallOptions) => Promise<unknown>
const HELD: Submit = () => Promise.resolve({ type: 'held' })

/** `machine`: what it answers where there is something. */
function bed(submit = HELD, machine: Partial<Record<keyof CacheMachine, unknown>> = {}) {
  const clock = new ManualClock()
  const sent: FromHome[] = []
  const lines = { read: () => NOTHING_HELD, eachOwned: () => [].values(), ownerOf: () => null }
  const empty = { ...lines, holders: () => [], unswept: () => [], stats: () => ({ markers: 0 }), nearlyFull: () => [] }
  const home = new PartitionHome(0, TERM, { ...empty, ...machine } as unknown as CacheMachine, {
    clock: new SuspendAwareClock(clock),
    host: { confirm: (_, done) => done({ term: TERM, askedAt: clock.now() }), time: () => 0 },
    writes: { submit } as unknown as Writes,
    send: (_, message) => void sent.push(message),
    sweep: () => Promise.resolve(),
    gateWaits: new LatencyHistogram(),
    linesMax: LINES_MAX,
  })
  return { clock, home, sent }
}

/** It speaks, and the node `n2` has a copy of the line, which version 7 has replaced. */
async function homeWithCopy(...[submit, machine]: Parameters<typeof bed>) {
  const { clock, home, sent } = bed(submit, machine)
  home.receive('n2', { type: 'open', n: 1, first: 1 })
  await Promise.resolve()
  await Promise.resolve()
  const opened = sent.find(({ type }) => type === 'opened')
  if (opened?.type !== 'opened') throw new Error('no session')
  home.receive('n2', { type: 'getS', term: TERM, sid: opened.sid, rid: 1, line: LINE })
  home.changed({ line: LINE, at: 7, version: 7, reason: 'put', previous: NOTHING_HELD, own: 0 })
  const gate = home.gate(GATE)
  if (gate === null) throw new Error('nothing to wait for')
  let isOpen = false
  void gate.then(() => (isOpen = true))
  const passes = async (): Promise<boolean> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    return isOpen
  }
  return { clock, home, sent, passes, sid: opened.sid }
}

describe('an answer that waits for a copy', () => {
  test('leaves once the copy is gone', async () => {
    const { home, sent, passes } = await homeWithCopy()
    expect(await passes()).toBe(false)
    const inv = sent.find(({ type }) => type === 'inv')
    if (inv?.type !== 'inv') throw new Error('no invalidation')
    home.receive('n2', { type: 'invAck', term: TERM, t: inv.t, line: LINE })
    expect(await passes()).toBe(true)
  })

  test('is let go with the term: the host drops it', async () => {
    const { home, passes } = await homeWithCopy()
    home.end()
    expect(await passes()).toBe(true)
  })

  test('never leaves a node that stops: its group may lead on, and the copy is still read', async () => {
    const { home, passes } = await homeWithCopy()
    home.close()
    expect(await passes()).toBe(false)
  })
})

test('a home that was suspended renews on what it asks for afterwards, not on what was confirmed before', async () => {
  const { clock, home, sent, sid } = await homeWithCopy()
  const inv = sent.find(({ type }) => type === 'inv')
  if (inv?.type !== 'inv') throw new Error('no invalidation')
  home.receive('n2', { type: 'invAck', term: TERM, t: inv.t, line: LINE })
  await clock.pass(100)
  home.receive('n2', { type: 'renew', term: TERM, sid, n: 2 })
  expect(sent.at(-1)).toMatchObject({ type: 'renewed', n: 2, leaseMs: 1_900 })
  clock.suspend(1_500)
  home.receive('n2', { type: 'renew', term: TERM, sid, n: 3 })
  expect(sent.at(-1)).toMatchObject({ type: 'renewed', n: 3, leaseMs: 2_000 })
  home.close()
})

test('a node that the log takes for no holder, for there are too many, has no session until it is one', async () => {
  let isFull = true
  const { clock, home, sent } = await homeWithCopy((_, command) =>
    isFull && 'node' in command && command.node === 'n3'
      ? Promise.reject(new TricordError('QUOTA', 'full'))
      : Promise.resolve({ type: 'held' }),
  )
  const knock = async (n: number): Promise<boolean> => {
    const before = sent.length
    home.receive('n3', { type: 'open', n, first: 1 })
    await clock.settle()
    return sent.slice(before).some(({ type }) => type === 'opened')
  }
  expect(await knock(1)).toBe(false)
  home.receive('n3', { type: 'getS', term: TERM, sid: 1, rid: 1, line: LINE })
  expect(sent.at(-1)).toMatchObject({ type: 'closed' })
  isFull = false
  expect(await knock(2)).toBe(true)
  home.close()
})

test('a write that is refused leaves its line to whoever reads it next', async () => {
  const { home, sent, sid } = await homeWithCopy()
  const line = entryLine('default', 'c', 'refused')
  const read = (rid: number): FromHome['type'] | undefined => {
    home.receive('n2', { type: 'getS', term: TERM, sid, rid, line })
    return sent.at(-1)?.type
  }
  expect(read(2)).toBe('dataS')
  home.preparing(line, 'put')
  const inv = sent.at(-1)
  if (inv?.type !== 'inv') throw new Error('no invalidation')
  // What was begun comes to its end.
  home.unchanged(line)
  expect(read(3)).toBe('dataU')
  home.receive('n2', { type: 'invAck', term: TERM, t: inv.t, line })
  expect(read(4)).toBe('dataS')
  home.close()
})

test('what is told while copies are taken back has the life that is left of it by then', async () => {
  const { clock, home, sent, sid } = await homeWithCopy()
  const line = entryLine('default', 'c', 'mortal')
  const read = (rid: number): unknown => {
    home.receive('n2', { type: 'getS', term: TERM, sid, rid, line })
    return sent.at(-1)
  }
  read(2)
  const previous = { ...NOTHING_HELD, version: 1, value: Uint8Array.of(1), ttlLeftMs: 1_700 }
  home.changed({ line, at: 8, version: 8, reason: 'put', previous, own: 0 })
  expect(read(3)).toMatchObject({ type: 'dataU', rid: 3, held: previous })
  await clock.pass(1_500)
  // Another change does not bring the first one's life back.
  home.changed({ line, at: 9, version: 9, reason: 'put', previous: { ...previous, version: 8 }, own: 0 })
  expect(read(4)).toMatchObject({ type: 'dataU', rid: 4, held: { ...previous, ttlLeftMs: 200 } })
  await clock.pass(400)
  expect(read(5)).toMatchObject({ type: 'dataU', rid: 5, held: { ...previous, ttlLeftMs: 1 } })
  home.close()
})

describe('what a home tracks', () => {
  test('is bounded, whatever is asked for: what is too much is answered without a copy', async () => {
    const { home, sent, sid } = await homeWithCopy()
    for (let rid = 2; rid < 100; rid++) {
      const line = entryLine('default', 'c', `absent ${rid}`)
      home.receive('n2', { type: 'getS', term: TERM, sid, rid, line })
      expect(sent.some((message) => (message.type === 'dataS' || message.type === 'dataU') && message.rid === rid)).toBe(true)
      expect(home.directory.size).toBeLessThanOrEqual(LINES_MAX)
    }
  })

  test('costs no more than its part of the memory, on a node that leads every partition', () => {
    expect(trackedLinesMax(268_435_456, 64) * 64 * 430).toBeLessThan(268_435_456)
    expect(trackedLinesMax(1_048_576, 1_024)).toBe(1_000)
  })
})

test.each(['QUOTA', 'DISK_LOW'] as const)(
  'who is not given a line, for %s, is told what it holds, and so is who reads it then',
  async (code) => {
    const { home, sent, sid } = await homeWithCopy((_, { type }) =>
      type === 'cache_own' ? Promise.reject(new TricordError(code, 'no')) : Promise.resolve({ type: 'held' }),
    )
    const line = entryLine('default', 'c', 'owned')
    home.receive('n2', { type: 'getM', term: TERM, sid, rid: 2, line })
    await Promise.resolve()
    await Promise.resolve()
    expect(sent.at(-1)).toMatchObject({ type: 'dataU', rid: 2, line })
    home.receive('n2', { type: 'getS', term: TERM, sid, rid: 3, line })
    expect(sent.at(-1)).toMatchObject({ type: 'dataS', rid: 3, line })
    home.close()
  },
)

test('a line that an older home gave, and whose owner does not come back, is released in the log', async () => {
  const owned = new Map([[LINE, { line: LINE, node: 'n9', own: 5 }]])
  const released: [at: number, command: CacheCommand][] = []
  const submit: Submit = (_, command) => {
    released.push([clock.now(), command])
    owned.clear()
    return Promise.resolve({ type: 'released', released: true })
  }
  const { clock, home } = bed(submit, { eachOwned: () => owned.values(), ownerOf: (line: string) => owned.get(line) ?? null })
  const elected = clock.now()
  await clock.pass(2 * HOME_DEFAULTS.holderIdleMs)
  expect(released.map(([, command]) => command)).toEqual([{ type: 'cache_release', line: LINE, own: 5, term: TERM }])
  expect(released[0]?.[0]).toBeGreaterThanOrEqual(elected + HOME_DEFAULTS.holderIdleMs)
  expect(home.directory.size).toBe(0)
  home.close()
})

test('a home that is no more asks once to end an ownership: its log refuses it for good', async () => {
  let asked = 0
  const submit = (): Promise<never> => {
    asked += 1
    return Promise.reject(new TricordError('FENCED', 'asked for by a home that is no more'))
  }
  const owned = { line: LINE, node: 'n9', own: 5 }
  const { clock, home } = bed(submit, { eachOwned: () => [owned].values(), ownerOf: () => owned })
  await clock.pass(2 * HOME_DEFAULTS.holderIdleMs)
  expect(asked).toBe(1)
  home.close()
})

test.each(['cache_own', 'cache_release'] as const)(
  'a disk that takes nothing at all is asked in turns, not all the time (%s)',
  async (first) => {
    const tried: CacheCommand['type'][] = []
    const line = entryLine('default', 'c', 'owned')
    const owned = first === 'cache_own' ? null : { line, node: 'n9', own: 5 }
    const { clock, home, sid } = await homeWithCopy(
      (_, { type }) => {
        if (type === 'cache_hold') return Promise.resolve({ type: 'held' })
        tried.push(type)
        // Asked all the time it would never let the test end.
        if (tried.length > 100) return new Promise(() => {})
        return Promise.reject(new TricordError(tried.length === 1 && owned === null ? 'UNKNOWN_OUTCOME' : 'DISK_LOW', 'full'))
      },
      { ownerOf: (asked: string) => (asked === line ? owned : null) },
    )
    home.receive('n2', { type: 'getM', term: TERM, sid, rid: 2, line })
    await clock.pass(2_000)
    home.close()
    expect(tried[0]).toBe(first)
    expect(tried.at(-1)).toBe('cache_release')
    expect(tried.length).toBeLessThan(15)
  },
)

describe('a line of which it is not known whether it was given, when the disk is low', () => {
  /** The first try times out, the second finds the disk low. `outcome`: of the third, which takes no space. */
  async function asked(outcome: Done) {
    const tried: [CacheCommand, string | undefined][] = []
    const { clock, home, sent, sid } = await homeWithCopy((_, command, { idempotencyKey }) => {
      if (command.type === 'cache_hold') return Promise.resolve({ type: 'held' })
      tried.push([command, idempotencyKey?.key])
      if (tried.length === 1) return Promise.reject(new TricordError('UNKNOWN_OUTCOME', 'late'))
      return tried.length === 2 ? Promise.reject(new TricordError('DISK_LOW', 'no')) : Promise.resolve(outcome)
    })
    const line = entryLine('default', 'c', 'owned')
    home.receive('n2', { type: 'getM', term: TERM, sid, rid: 2, line })
    await clock.pass(1_000)
    home.close()
    expect(tried.map(([{ type }]) => type)).toEqual(['cache_own', 'cache_own', 'cache_release'])
    expect(new Set(tried.map(([, key]) => key)).size).toBe(1)
    return sent.filter((message) => 'rid' in message && message.rid === 2).map(({ type }) => type)
  }

  test('is not given, if it was not: nothing can come late under the key any more', async () => {
    expect(await asked({ type: 'released', released: false })).toEqual(['dataU'])
  })

  test('is given, if it was', async () => {
    expect(await asked({ type: 'own', own: 1, versionFirst: 1, versionMax: 9 })).toEqual(['dataX'])
  })
})

test('a home that does not speak yet lets no answer pass, one that only tells what is there neither', async () => {
  const { clock, home } = bed(HELD, { holders: () => ['n2'] })
  let passed = 0
  const gates = [{ ...GATE, versions: [], lines: [LINE] }, GATE].map((gate) => home.gate(gate))
  for (const gate of gates) void gate?.then(() => passed++)
  expect(gates).not.toContain(null)
  await clock.settle()
  expect(passed).toBe(0)
  home.receive('n2', { type: 'viewAck', term: TERM })
  await clock.settle()
  expect(passed).toBe(2)
  home.close()
})

test('with each word that a session goes on, a home says whose reads it wants to hear of, and once that it wants none any more', async () => {
  const full: string[] = ['e1', 'e2']
  const { clock, home, sent } = bed(HELD, { nearlyFull: () => [...full] })
  home.receive('n2', { type: 'open', n: 1, first: 1 })
  await clock.settle()
  const opened = sent.find(({ type }) => type === 'opened')
  if (opened?.type !== 'opened') throw new Error('no session')
  const told = (): readonly FromHome[] => sent.splice(0).filter(({ type }) => type === 'tellReads')
  expect(told()).toEqual([{ type: 'tellReads', prefixes: ['e1', 'e2'] }])
  let n = 1
  const renew = async (): Promise<readonly FromHome[]> => {
    home.receive('n2', { type: 'renew', term: TERM, sid: opened.sid, n: ++n })
    await clock.settle()
    return told()
  }
  expect(await renew()).toEqual([{ type: 'tellReads', prefixes: ['e1', 'e2'] }])
  full.length = 0
  expect(await renew()).toEqual([{ type: 'tellReads', prefixes: [] }])
  expect(await renew()).toEqual([])
  full.push(...Array.from({ length: PREFIXES_MAX + 1 }, (_, nth) => `e${nth}`))
  expect(await renew()).toMatchObject([{ prefixes: { length: PREFIXES_MAX } }])
  home.close()
})
