/** Calls that are several commands: what is said where one of them is refused. */
import { describe, expect, test } from 'vitest'
import type { Plain } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { type GroupId, partitionGroup } from '../../base/ids.ts'
import type { Proposer } from '../../raft/proposer.ts'
import type { CacheCommand } from '../machine/commands.ts'
import { decodeCommand } from '../machine/decode.ts'
import { begun, bumped, invalidated, swept as sweptReply } from '../machine/replies.ts'
import { DEFAULT_CONFIG, type InvalidateWhat } from '../types.ts'
import { Invalidations } from './invalidations.ts'
import type { Lines } from './lines.ts'
import { Writes } from './writes.ts'

const NAME = { namespace: 'default', cache: 'c' }
const PARTITIONS = 4
const OPTIONS = { timeoutMs: 1_000 }
const CONFIG = { ...DEFAULT_CONFIG, levels: ['/'] }

/** One partition has no leader. */
function invalidationsWithout(broken: GroupId | null): Invalidations {
  return heard(broken).invalidations
}

/** With what homes are told of sweeps. */
function heard(broken: GroupId | null) {
  const swept: CacheCommand[] = []
  const proposer: Pick<Proposer, 'submit'> = {
    submit(group, bytes, _, done) {
      const command = decodeCommand(bytes)
      if (command.type === 'cache_swept') swept.push(command)
      const reply = command.type === 'cache_bump' ? bumped([5]) : sweptReply([], { more: false, after: 0, below: 9, owned: [] })
      const error = new TricordError('NO_QUORUM', 'no leader')
      queueMicrotask(() => done(group === broken ? { ok: false, error } : { ok: true, reply }))
      return { cancel: () => {} }
    },
  }
  const lines = {} as Lines
  const writes = new Writes(proposer as Proposer, { partitions: PARTITIONS, hash: (text) => text.length })
  return { swept, invalidations: new Invalidations(lines, writes) }
}

describe('where a partition has no leader', () => {
  test.each<[string, InvalidateWhat]>([
    ['everything', { all: true }],
    ['a prefix', { prefix: 'a' }],
    ['a level', { prefix: 'a/' }],
    ['a tag', { tags: ['t'] }],
    ['keys of several partitions', { keys: ['a', 'bb', 'ccc', 'dddd'] }],
  ])('an invalidation of %s may have been done in part, and says so', async (_, what) => {
    const works = Array.from({ length: PARTITIONS }, (_, partition) =>
      invalidationsWithout(partitionGroup(partition)).invalidate(NAME, what, CONFIG, OPTIONS),
    )
    const outcomes = await Promise.allSettled(works)
    const unsure = outcomes.filter((one) => one.status === 'rejected' && (one.reason as TricordError).outcome === 'unknown')
    // The write of a tag's or level's own line comes first: refused, nothing was done.
    expect(unsure.length).toBeGreaterThanOrEqual(PARTITIONS - 1)
  })

  test.each<[string, InvalidateWhat, number]>([
    ['a tag', { tags: ['t'] }, 0],
    ['a level', { prefix: 'a/' }, 1],
  ])('nobody is told that %s is swept; else its home is', async (_, what, home) => {
    const broken = heard(partitionGroup((home + 1) % PARTITIONS))
    await expect(broken.invalidations.invalidate(NAME, what, CONFIG, OPTIONS)).rejects.toMatchObject({ outcome: 'unknown' })
    expect(broken.swept).toEqual([])
    const whole = heard(null)
    await whole.invalidations.invalidate(NAME, what, CONFIG, OPTIONS)
    expect(whole.swept).toMatchObject([{ lines: [[expect.any(String), 5]] }])
  })

  test('an invalidation that is one command was not done', async () => {
    const work = invalidationsWithout(partitionGroup(1)).invalidate(NAME, { keys: ['a'] }, CONFIG, OPTIONS)
    await expect(work).rejects.toMatchObject({ code: 'NO_QUORUM', outcome: 'not-applied' })
  })
})

describe('what a node owns', () => {
  /** One partition; an invalidation of keys finds them owned as long as `isOwned` says so. */
  function invalidationsOf(ownedKeys: readonly string[], isOwned: () => boolean) {
    const commands: number[] = []
    const proposer: Pick<Proposer, 'submit'> = {
      submit(_, bytes, __, done) {
        const command = decodeCommand(bytes)
        let reply = sweptReply([], { more: false, after: 0, below: 9, owned: ownedKeys })
        if (command.type === 'refused') throw new Error(command.message)
        if (command.type === 'cache_invalidate_keys') {
          commands.push(command.keys.length)
          reply = isOwned() ? invalidated([], 0, command.keys) : invalidated([], command.keys.length, [])
        }
        queueMicrotask(() => done({ ok: true, reply }))
        return { cancel: () => {} }
      },
    }
    const lines = { giveUp: () => {}, read: () => ({}) } as unknown as Lines
    const writes = new Writes(proposer as Proposer, { partitions: 1, hash: () => 0 })
    return { commands, invalidations: new Invalidations(lines, writes) }
  }

  test('is invalidated by commands of as many keys as one takes', async () => {
    const { commands, invalidations } = invalidationsOf(
      Array.from({ length: 600 }, (_, nth) => `k${nth}`),
      () => false,
    )
    expect(await invalidations.invalidate(NAME, { all: true }, CONFIG, OPTIONS)).toBe(600)
    expect(commands).toEqual([256, 256, 88])
  })

  test.each<[string, Partial<Lines>, number]>([
    ['is not given back', { read: () => Promise.reject(new TricordError('NO_QUORUM', 'nobody answers in time')) }, Infinity],
    ['is given back, and the log takes no more', { read: () => ({}) as never }, 1],
  ])('%s, after other keys were taken away: it may have been done in part', async (_, read, takes) => {
    let taken = 0
    const proposer: Pick<Proposer, 'submit'> = {
      submit(_group, _bytes, _options, done) {
        const isTaken = taken++ < takes
        const error = new TricordError('NO_QUORUM', 'no leader')
        queueMicrotask(() => done(isTaken ? { ok: true, reply: invalidated([], 1, ['b']) } : { ok: false, error }))
        return { cancel: () => {} }
      },
    }
    const lines = { giveUp: () => {}, ...read } as unknown as Lines
    const invalidations = new Invalidations(lines, new Writes(proposer as Proposer, { partitions: 1, hash: () => 0 }))
    const work = invalidations.invalidate(NAME, { keys: ['a', 'b'] }, CONFIG, OPTIONS)
    await expect(work).rejects.toMatchObject({ code: 'NO_QUORUM', outcome: 'unknown' })
  })

  /** One partition, in which more is owned than a sweep tells of at once; what is given back is invalidated by its key. */
  function sweepingOf(ownedKeys: Set<string>, page: number) {
    const named = new Map<string, string>()
    const proposer: Pick<Proposer, 'submit'> = {
      submit(_, bytes, { key }, done) {
        const command = decodeCommand(bytes)
        // Under one key one command, or it would be answered as another one was.
        if (named.has(key?.key ?? '')) throw new Error(`another command under ${key?.key}`)
        named.set(key?.key ?? '', command.type)
        if (command.type === 'cache_invalidate_keys') for (const one of command.keys) ownedKeys.delete(one)
        const told = [...ownedKeys].slice(0, page)
        const more = ownedKeys.size > page
        const reply = () => {
          switch (command.type) {
            case 'cache_begin':
              return begun()
            case 'cache_sweep':
              return sweptReply([], { more, after: 0, below: 9, owned: told })
            case 'cache_invalidate_keys':
              return invalidated([], command.keys.length, [])
            default:
              throw new Error(command.type)
          }
        }
        queueMicrotask(() => done({ ok: true, reply: reply() }))
        return { cancel: () => {} }
      },
    }
    const lines = { giveUp: () => {}, read: () => ({}) } as unknown as Lines
    return { named, invalidations: new Invalidations(lines, new Writes(proposer as Proposer, { partitions: 1, hash: () => 0 })) }
  }

  test('and is more than a sweep tells of is told of by the next ones', async () => {
    const ownedKeys = new Set(Array.from({ length: 1_500 }, (_, nth) => `k${nth}`))
    const { named, invalidations } = sweepingOf(ownedKeys, 600)
    const options = { ...OPTIONS, idempotencyKey: { key: 'k', fingerprint: 'f' } }
    expect(await invalidations.invalidate(NAME, { all: true }, CONFIG, options)).toBe(1_500)
    expect(ownedKeys.size).toBe(0)
    expect([...named.values()].filter((type) => type === 'cache_sweep')).toHaveLength(3)
  })

  test('and is owned again each time is not said to be gone', async () => {
    const { invalidations } = invalidationsOf([], () => true)
    const work = invalidations.invalidate(NAME, { keys: ['a'] }, CONFIG, OPTIONS)
    await expect(work).rejects.toMatchObject({ code: 'OVERLOADED', outcome: 'unknown' })
    const endless = new Set(['a', 'b'])
    Object.assign(endless, { delete: () => false })
    const sweeping = sweepingOf(endless, 1).invalidations.invalidate(NAME, { all: true }, CONFIG, {
      ...OPTIONS,
      idempotencyKey: { key: 'k', fingerprint: 'f' },
    })
    await expect(sweeping).rejects.toMatchObject({ code: 'OVERLOADED', outcome: 'unknown' })
  })
})

describe('repeated under its key', () => {
  /** Remembers answers by their keys, as groups do. What it is asked for the first time takes a page of two, and meets an owner. */
  function remembering() {
    const answers = new Map<string, Plain>()
    const fresh: string[] = []
    const proposer: Pick<Proposer, 'submit'> = {
      submit(group, bytes, { key }, done) {
        const command = decodeCommand(bytes)
        const named = key && `${group} ${key.key}`
        const known = named && answers.get(named)
        // That it has swept it may say twice.
        if (!known && command.type !== 'cache_swept') fresh.push(command.type)
        const reply = known || answerTo(command)
        if (named) answers.set(named, reply)
        queueMicrotask(() => done({ ok: true, reply }))
        return { cancel: () => {} }
      },
    }
    const answerTo = (command: ReturnType<typeof decodeCommand>): Plain => {
      if (command.type === 'cache_bump') return bumped([5])
      if (command.type === 'cache_sweep') {
        const isFirst = fresh.filter((type) => type === 'cache_sweep').length <= PARTITIONS
        return sweptReply([7, 8], { more: isFirst, after: isFirst ? 3 : 4, below: 9, owned: isFirst ? ['a'] : [] })
      }
      const isFirst = !fresh.slice(0, -1).includes('cache_invalidate_keys')
      return invalidated([9], isFirst ? 0 : 1, isFirst ? ['a'] : [])
    }
    const lines = { giveUp: () => {}, read: () => ({}) } as unknown as Lines
    const writes = new Writes(proposer as Proposer, { partitions: PARTITIONS, hash: (text) => text.length })
    return { fresh, invalidations: new Invalidations(lines, writes) }
  }

  test.each<[string, InvalidateWhat]>([
    ['everything', { all: true }],
    ['a prefix', { prefix: 'a' }],
    ['a level', { prefix: 'a/' }],
    ['tags', { tags: ['t', 'u'] }],
    ['keys', { keys: ['a', 'bb', 'cccc'] }],
  ])('an invalidation of %s takes nothing away that was put since, and is answered as before', async (_, what) => {
    const { fresh, invalidations } = remembering()
    const options = { ...OPTIONS, idempotencyKey: { key: 'k', fingerprint: 'f' } }
    const first = await invalidations.invalidate(NAME, what, CONFIG, options)
    const before = fresh.length
    expect(before).toBeGreaterThan(PARTITIONS / 2)
    expect(await invalidations.invalidate(NAME, what, CONFIG, options)).toBe(first)
    expect(fresh.length).toBe(before)
    // Without a key it is another one.
    await invalidations.invalidate(NAME, what, CONFIG, OPTIONS)
    expect(fresh.length).toBeGreaterThan(before)
  })
})
