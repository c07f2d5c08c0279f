/** What is left of invalidations, at the home of their lines: who sweeps it, when, and until when. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { TricordError } from '../../base/errors.ts'
import { tagLine } from '../line-id.ts'
import type { Unswept } from '../machine/machine.ts'
import { HomeSweeps } from './home-sweeps.ts'
import type { Writes } from './writes.ts'

const PARTITIONS = 3
const [TAG, OTHER] = ['t', 'u'].map((tag) => tagLine('default', 'c', tag)) as [string, string]

function bed() {
  const clock = new ManualClock()
  const left = new Map<string, Unswept>()
  const home = {
    /** Partitions that do not answer. */
    away: new Set<number>(),
    logIsAway: false,
    swept: [] as (readonly [partition: number, line: string, below: number])[],
    said: [] as (readonly [line: string, below: number])[],
    /** At a time, on one partition. */
    most: 0,
  }
  let version = 0
  const under = new Map<number, number>()
  const refused = () => new TricordError('NO_QUORUM', 'nobody answers')
  const submit: Writes['submit'] = (_, command) => {
    if (home.logIsAway) return Promise.reject(refused())
    if (command.type !== 'cache_swept') throw new Error(command.type)
    for (const [line, below] of command.lines) {
      home.said.push([line, below])
      confirm(line, below)
    }
    return Promise.resolve({ type: 'noted' })
  }
  const sweeps = new HomeSweeps({
    clock,
    machine: {
      unswept: () => [...left.keys()],
      unsweptOf: (line) => left.get(line) ?? null,
      stats: () => ({ markers: version }),
    },
    writes: { partitions: PARTITIONS, partitionOf: () => 0, submit },
    async sweep(partition, line, below) {
      under.set(partition, (under.get(partition) ?? 0) + 1)
      home.most = Math.max(home.most, under.get(partition) ?? 0)
      await new Promise<void>((resolve) => clock.after(10, resolve))
      under.set(partition, (under.get(partition) ?? 0) - 1)
      if (home.away.has(partition)) throw refused()
      home.swept.push([partition, line, below])
    },
  })
  /** As the machine does it. */
  const bump = (line: string): number => {
    version += 1
    left.set(line, { since: left.get(line)?.since ?? version, version })
    sweeps.changed(line, false)
    return version
  }
  const confirm = (line: string, below: number): void => {
    const now = left.get(line)
    if (now === undefined || below < now.since) return
    if (below < now.version) left.set(line, { since: below, version: now.version })
    else left.delete(line)
    sweeps.changed(line, true)
  }
  return { clock, home, sweeps, bump, confirm, left }
}

describe('an invalidation', () => {
  test('that is swept by whoever asked for it costs the home nothing', async () => {
    const { clock, home, sweeps, bump, confirm } = bed()
    sweeps.open()
    confirm(TAG, bump(TAG))
    await clock.pass(10_000)
    expect([home.swept, home.said]).toEqual([[], []])
  })

  test('that nobody sweeps is swept by the home, on all partitions, and then it is said', async () => {
    const { clock, home, sweeps, bump, left } = bed()
    sweeps.open()
    bump(TAG)
    const below = bump(TAG)
    await clock.pass(1_999)
    expect(home.swept).toEqual([])
    await clock.pass(20)
    expect(home.swept.toSorted()).toEqual([0, 1, 2].map((partition) => [partition, TAG, below]))
    expect(home.said).toEqual([[TAG, below]])
    expect(left.size).toBe(0)
    await clock.pass(10_000)
    expect(home.swept).toHaveLength(PARTITIONS)
  })

  test('that an older home left is gone on with, once this one speaks', async () => {
    const { clock, home, sweeps, bump } = bed()
    bump(TAG)
    await clock.pass(5_000)
    expect(home.swept).toEqual([])
    sweeps.open()
    await clock.pass(2_100)
    expect(home.said).toEqual([[TAG, 1]])
  })

  test('waits for a partition that is away, and for no other one twice', async () => {
    const { clock, home, sweeps, bump } = bed()
    home.away.add(1)
    sweeps.open()
    for (const line of [TAG, OTHER]) bump(line)
    await clock.pass(20_000)
    expect(home.swept.map(([partition, line]) => `${partition}${line}`).toSorted()).toEqual([
      `0${TAG}`,
      `0${OTHER}`,
      `2${TAG}`,
      `2${OTHER}`,
    ])
    expect(home.said).toEqual([])
    home.away.clear()
    await clock.pass(1_100)
    expect(home.said.map(([line]) => line).toSorted()).toEqual([TAG, OTHER])
    expect(home.swept).toHaveLength(2 * PARTITIONS)
    expect(home.most).toBe(1)
  })

  test('of a line that is invalidated meanwhile is looked at anew', async () => {
    const { clock, home, sweeps, bump, confirm } = bed()
    sweeps.open()
    const first = bump(TAG)
    await clock.pass(1_900)
    const second = bump(TAG)
    confirm(TAG, first)
    // Others are at work: they have their time.
    await clock.pass(1_900)
    expect(home.swept).toEqual([])
    await clock.pass(200)
    expect(home.said).toEqual([[TAG, second]])
  })

  test('that is swept by somebody else while the home does it is not swept on', async () => {
    const { clock, home, sweeps, bump, confirm } = bed()
    home.away.add(1)
    sweeps.open()
    const below = bump(TAG)
    await clock.pass(2_100)
    confirm(TAG, below)
    home.away.clear()
    await clock.pass(5_000)
    expect(home.swept.map(([partition]) => partition)).toEqual([0, 2])
    expect(home.said).toEqual([])
  })
})

describe('what is promised of them', () => {
  test('ends where the oldest that is left began', async () => {
    const { clock, sweeps, bump, confirm } = bed()
    sweeps.open()
    expect(sweeps.promise().since).toBe(Infinity)
    await clock.pass(500)
    const first = bump(TAG)
    await clock.pass(100)
    const [second, other] = [bump(TAG), bump(OTHER)]
    expect(sweeps.promise().since).toBe(500)
    // Of the tag something may be left since then, still.
    await clock.pass(100)
    confirm(TAG, first)
    expect(sweeps.promise()).toEqual({ since: 500, lagMs: 200, slowEndAt: -Infinity })
    confirm(TAG, second)
    expect(sweeps.promise().since).toBe(600)
    confirm(OTHER, other)
    expect(sweeps.promise()).toEqual({ since: Infinity, lagMs: 200, slowEndAt: -Infinity })
  })

  test('is nothing of what an older home left, or was left before the clock stood still', async () => {
    const { clock, sweeps, bump, confirm } = bed()
    const below = bump(TAG)
    sweeps.open()
    expect(sweeps.promise().since).toBe(-Infinity)
    await clock.pass(100)
    confirm(TAG, below)
    expect(sweeps.promise()).toEqual({ since: Infinity, lagMs: 0, slowEndAt: 100 })
    bump(TAG)
    expect(sweeps.promise().since).toBe(100)
    sweeps.suspended()
    expect(sweeps.promise().since).toBe(-Infinity)
  })

  test('is nothing before this home for who was told nothing since: what an older one heard the end of, and did not tell, is not known', async () => {
    const { clock, sweeps, bump, confirm } = bed()
    confirm(TAG, bump(TAG))
    await clock.pass(100)
    sweeps.open()
    expect(sweeps.promise()).toEqual({ since: Infinity, lagMs: 0, slowEndAt: 100 })
    await clock.pass(3_001)
    expect(sweeps.promise()).toEqual({ since: Infinity, lagMs: 0, slowEndAt: -Infinity })
  })

  test('is nothing where very many are left', () => {
    const { sweeps, bump } = bed()
    sweeps.open()
    for (let nth = 0; nth < 1_000; nth++) bump(`${TAG}${nth}`)
    expect(sweeps.promise().since).toBe(0)
    bump(TAG)
    expect(sweeps.promise().since).toBe(-Infinity)
  })
})

test('what cannot be said is said again, without another sweep', async () => {
  const { clock, home, sweeps, bump } = bed()
  home.logIsAway = true
  sweeps.open()
  bump(TAG)
  await clock.pass(5_000)
  home.logIsAway = false
  await clock.pass(1_000)
  expect(home.said).toEqual([[TAG, 1]])
  expect(home.swept).toHaveLength(PARTITIONS)
})

test('many lines are swept a few hundred at a time, and all of them', async () => {
  const { clock, home, sweeps, bump } = bed()
  home.away.add(1)
  sweeps.open()
  for (let nth = 0; nth < 600; nth++) bump(tagLine('default', 'c', `${nth}`))
  await clock.pass(20_000)
  expect(new Set(home.swept.map(([, line]) => line)).size).toBe(256)
  home.away.clear()
  await clock.pass(20_000)
  expect(home.said).toHaveLength(600)
})

test('a home that is none any more sweeps no more', async () => {
  const { clock, home, sweeps, bump } = bed()
  sweeps.open()
  bump(TAG)
  sweeps.end()
  sweeps.open()
  await clock.pass(5_000)
  expect(home.swept).toEqual([])
})
