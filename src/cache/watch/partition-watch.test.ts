/** When the watches of one gateway ask, while nothing happens. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { TricordError } from '../../base/errors.ts'
import { PartitionWatch, type WatchPort } from './partition-watch.ts'

const PARTITIONS = 64
const WINDOW_MS = 50
const SETTLED_MS = 3_000

/** One watch for each partition, all begun at once; what homes answer says that nothing happened. */
function watches() {
  const clock = new ManualClock()
  const asked: number[] = []
  /** Who waits at the homes. */
  const waiting = new Set<(error: TricordError) => void>()
  const way = { refuses: false }
  const port: WatchPort = {
    clock,
    async poll(_, __, { waitMs }) {
      asked.push(clock.now())
      if (way.refuses) throw noHome()
      await new Promise<void>((resolve, reject) => {
        waiting.add(reject)
        clock.after(waitMs, () => resolve(void waiting.delete(reject)))
      })
      return { term: 1, upTo: 0, lost: false, fresh: waitMs, swept: waitMs, lagMs: 0, slowAgo: null, changes: [] }
    },
  }
  const listener = { changed: () => {}, lost: () => {} }
  const all = Array.from({ length: PARTITIONS }, (_, partition) => new PartitionWatch(partition, `w${partition}`, port, listener))
  /** How many ask in a second, and in the fullest part of it. */
  const aSecond = async () => {
    asked.length = 0
    const from = clock.now()
    await clock.pass(1_000)
    const parts = new Map<number, number>()
    for (const at of asked) {
      const part = Math.floor((at - from) / WINDOW_MS)
      parts.set(part, (parts.get(part) ?? 0) + 1)
    }
    return { all: asked.length, most: Math.max(...parts.values()) }
  }
  /** All homes end in one moment, and are found again after a while. */
  const failOver = async (): Promise<void> => {
    way.refuses = true
    for (const reject of waiting) reject(noHome())
    waiting.clear()
    await clock.pass(200)
    way.refuses = false
  }
  return { clock, all, aSecond, failOver }
}

function noHome(): TricordError {
  return new TricordError('NO_QUORUM', 'no home')
}

describe('watches that begin together do not go on asking together', () => {
  test('when a cache is watched, and another one', async () => {
    const { clock, all, aSecond } = watches()
    for (const cache of ['a', 'b']) {
      for (const watch of all) watch.want(cache)
      await clock.pass(SETTLED_MS)
      const { all: count, most } = await aSecond()
      expect(count).toBeLessThanOrEqual(PARTITIONS + 2)
      expect(most).toBeLessThanOrEqual(PARTITIONS / 8)
    }
  })

  test('when their homes were gone in the same moment', async () => {
    const { clock, all, aSecond, failOver } = watches()
    for (const watch of all) watch.want('a')
    await clock.pass(SETTLED_MS)
    await failOver()
    await clock.pass(SETTLED_MS)
    expect((await aSecond()).most).toBeLessThanOrEqual(PARTITIONS / 8)
  })
})
