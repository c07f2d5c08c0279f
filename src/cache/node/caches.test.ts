/** The caches of a whole cluster in memory: what is answered on one node holds on all of them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { clusterForAll, startInMemory } from '../../../test/embedded-bed.ts'
import { TricordError } from '../../base/errors.ts'
import { loadHash } from '../../io/hash.ts'
import { createProposer } from '../../raft/host/proposer.ts'
import { createCaches } from '../facade.ts'
import type { CacheRead, Caches, Condition, InvalidateWhat, NewValue } from '../types.ts'
import { createTransactions } from '../../transaction/facade.ts'
import type { Queues } from '../../queue/types.ts'
import { Writes } from './writes.ts'

const cluster = clusterForAll(3, () => ['cluster.partitions=8', 'consensus.segment_bytes=1048576'])
let nodes: readonly Caches[] = []
beforeAll(() => {
  nodes = cluster().nodes.map(({ node }) => createCaches(node.system, node.id))
})

const OPTIONS = { timeoutMs: 10_000 }
/** A node that stops waits no longer for others to hear that it holds nothing. */
const LEAVE_MS = 1_500
const on = (nth: number): Caches => nodes[nth % nodes.length] as Caches
const named = (cache: string, key = 'a') => ({ namespace: 'default', cache, key })
const value = (text: string, more: Partial<NewValue> = {}): NewValue => ({
  value: new TextEncoder().encode(text),
  contentType: 'text/plain',
  ttlMs: null,
  slidingMs: 0,
  tags: [],
  ...more,
})
const textOf = ({ entry }: CacheRead): string | null => (entry === null ? null : new TextDecoder().decode(entry.value))
const put = (nth: number, cache: string, key: string, text: string, more: Partial<NewValue> = {}, condition: Condition = null) =>
  on(nth).put(named(cache, key), value(text, more), condition, null, OPTIONS)
const get = async (nth: number, cache: string, key = 'a') => textOf(await on(nth).get(named(cache, key), OPTIONS))
/** What each node answers. */
const everywhere = (cache: string, key = 'a') => Promise.all(nodes.map((_, nth) => get(nth, cache, key)))
const refusal = async (work: Promise<unknown>): Promise<TricordError> => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof TricordError)) throw new Error(`no refusal: ${String(error)}`)
  return error
}

describe('one key', () => {
  test('a write that is answered is what every node reads, copies included', async () => {
    expect(await everywhere('rw')).toEqual([null, null, null])
    for (let round = 0; round < 20; round++) {
      await put(round, 'rw', 'a', `${round}`)
      expect(await everywhere('rw')).toEqual([`${round}`, `${round}`, `${round}`])
      const again = async () => (await Promise.all(nodes.map((node) => node.get(named('rw'), OPTIONS)))).map(({ line, hit }) => [line, hit])
      // At once, unless a lease ran out on a busy machine.
      await expect.poll(again).toEqual(nodes.map(() => ['S', true]))
    }
    expect(await on(1).delete(named('rw'), null, OPTIONS)).toMatchObject({ existed: true })
    expect(await everywhere('rw')).toEqual([null, null, null])
    expect(await on(2).delete(named('rw'), null, OPTIONS)).toMatchObject({ existed: false })
  })

  test('conditions hold against what is there, on whatever node they are asked', async () => {
    const { version } = await put(0, 'if', 'a', 'one', {}, 'absent')
    expect((await refusal(put(1, 'if', 'a', 'two', {}, 'absent'))).code).toBe('VERSION_MISMATCH')
    expect(await refusal(put(2, 'if', 'a', 'two', {}, version + 1))).toMatchObject({ code: 'VERSION_MISMATCH', details: { version } })
    expect((await put(1, 'if', 'a', 'two', {}, version)).version).toBeGreaterThan(version)
    expect((await refusal(put(0, 'if', 'b', 'one', {}, 'present'))).code).toBe('VERSION_MISMATCH')
    expect((await refusal(on(0).delete(named('if'), version, OPTIONS))).code).toBe('VERSION_MISMATCH')
    expect(await everywhere('if')).toEqual(['two', 'two', 'two'])
  })

  test('increments of all nodes add up', async () => {
    const numbers = await Promise.all(Array.from({ length: 60 }, (_, nth) => on(nth).increment(named('n'), 1, OPTIONS)))
    expect(numbers.map((one) => one.value).toSorted((a, b) => a - b)).toEqual(numbers.map((_, nth) => nth + 1))
    expect(await everywhere('n')).toEqual(['60', '60', '60'])
    await put(0, 'n', 'text', 'hello')
    expect((await refusal(on(1).increment(named('n', 'text'), 1, OPTIONS))).code).toBe('INVALID_ARGUMENT')
  })

  test('an idempotency key makes one write of two', async () => {
    const options = { ...OPTIONS, idempotencyKey: { key: 'default/incr/1', fingerprint: 'f' } }
    const first = await on(0).increment(named('once'), 1, options)
    expect(await on(1).increment(named('once'), 1, options)).toEqual(first)
    expect(await get(2, 'once')).toBe('1')
  })

  test('a batch under a key is one call: repeated it is the same, and another one under its key writes nothing', async () => {
    const batch = (nth: number, keys: readonly string[], fingerprint: string) =>
      on(nth).putMany(
        { namespace: 'default', cache: 'batch' },
        keys.map((key) => ({ key, value: value(fingerprint) })),
        { ...OPTIONS, idempotencyKey: { key: 'default/caches/batch/1', fingerprint } },
      )
    const keys = Array.from({ length: 20 }, (_, nth) => `k${nth}`)
    const first = await batch(0, keys, 'one')
    await put(1, 'batch', 'k0', 'since')
    expect(await batch(1, keys, 'one')).toEqual(first)
    expect(await get(2, 'batch', 'k0')).toBe('since')
    // Its keys may lie anywhere else.
    const others = Array.from({ length: 20 }, (_, nth) => `other${nth}`)
    for (const [nth, key] of others.entries()) {
      expect((await refusal(batch(nth, [key], 'two'))).code).toBe('IDEMPOTENCY_KEY_REUSED')
      expect(await get(0, 'batch', key)).toBe(null)
    }
  })

  test('an invalidation under a key is one call: repeated it takes nothing that came since, and another one under its key takes nothing at all', async () => {
    const keys = Array.from({ length: 20 }, (_, nth) => `k${nth}`)
    for (const key of keys) await put(0, 'named', key, 'v', { tags: ['t'] })
    const invalidate = (nth: number, what: InvalidateWhat, fingerprint: string) =>
      on(nth).invalidate(named('named'), what, { ...OPTIONS, idempotencyKey: { key: 'default/caches/named/1', fingerprint } })
    const first = { keys: ['k0'] }
    expect(await invalidate(0, first, 'one')).toEqual({ invalidated: 1 })
    await put(1, 'named', 'k0', 'since', { tags: ['t'] })
    expect(await invalidate(1, first, 'one')).toEqual({ invalidated: 1 })
    expect(await get(2, 'named', 'k0')).toBe('since')
    for (const what of [...keys.map((key) => ({ keys: [key] })), { tags: ['t'] }, { prefix: 'k' }, { all: true } as const]) {
      expect((await refusal(invalidate(2, what, JSON.stringify(what)))).code).toBe('IDEMPOTENCY_KEY_REUSED')
    }
    expect(await Promise.all(keys.map((key) => get(0, 'named', key)))).toEqual(['since', ...keys.slice(1).map(() => 'v')])
  })

  test('a value ends with its time, on nodes that hold a copy too', async () => {
    // So long that it is seen on all of them.
    let isSeen = false
    for (let ttlMs = 600; !isSeen; ttlMs *= 2) {
      await put(0, 'ttl', 'a', 'short', { ttlMs })
      isSeen = (await everywhere('ttl')).every((text) => text === 'short')
    }
    await expect.poll(() => everywhere('ttl')).toEqual([null, null, null])
  })

  test('reads of copies keep a sliding value alive, and nothing else does', async () => {
    const { clock } = cluster().nodes[0]!.node.system
    let isAlive = false
    for (let slidingMs = 800; !isAlive; slidingMs *= 2) {
      await put(0, 'slide', 'a', 'alive', { slidingMs })
      isAlive = true
      let [readAt, rarestMs] = [clock.now(), 0]
      // Far beyond its life, read by copies alone.
      for (const until = readAt + 3 * slidingMs; isAlive && readAt < until;) {
        isAlive = (await get(1, 'slide')) === 'alive'
        rarestMs = Math.max(rarestMs, clock.now() - readAt)
        readAt = clock.now()
        await new Promise<void>((resolve) => clock.after(50, resolve))
      }
      // Else the machine is too busy for so short a life.
      if (!isAlive) expect(rarestMs).toBeGreaterThan(slidingMs / 10)
    }
    await expect.poll(async () => (await on(0).status(named('slide'), OPTIONS)).entries).toBe(0)
  })
})

describe('many keys', () => {
  test('a tag is invalidated by one write, on all nodes, and says how many it took', async () => {
    for (let nth = 0; nth < 30; nth++) await put(nth, 'tags', `k${nth}`, 'v', { tags: [nth % 2 === 0 ? 'even' : 'odd', 'all'] })
    await Promise.all(Array.from({ length: 30 }, (_, nth) => everywhere('tags', `k${nth}`)))
    expect(await on(1).invalidate(named('tags'), { tags: ['even'] }, OPTIONS)).toEqual({ invalidated: 15 })
    for (let nth = 0; nth < 30; nth++) {
      const expected = nth % 2 === 0 ? null : 'v'
      expect(await everywhere('tags', `k${nth}`), `k${nth}`).toEqual([expected, expected, expected])
    }
    await put(0, 'tags', 'k0', 'new', { tags: ['even'] })
    expect(await get(2, 'tags', 'k0')).toBe('new')
    expect(await on(0).invalidate(named('tags'), { tags: ['all', 'even'] }, OPTIONS)).toEqual({ invalidated: 16 })
  })

  test('what a tag has killed counts as not there for conditions and numbers', async () => {
    await put(0, 'dead', 'a', 'old', { tags: ['t'] })
    // The sweep that follows takes the body away; the bump alone is what counts here.
    await on(1).invalidate(named('dead'), { tags: ['t'] }, OPTIONS)
    await put(2, 'dead', 'a', 'new', { tags: ['t'] }, 'absent')
    expect(await everywhere('dead')).toEqual(['new', 'new', 'new'])
  })

  test('a declared level is a tag of the keys below it; other prefixes and all are swept', async () => {
    await on(0).configure(named('levels'), { levels: ['/'] }, OPTIONS)
    for (const key of ['user/1/name', 'user/1/mail', 'user/2/name', 'group/1']) await put(1, 'levels', key, 'v')
    await everywhere('levels', 'user/1/name')
    expect(await on(2).invalidate(named('levels'), { prefix: 'user/1/' }, OPTIONS)).toEqual({ invalidated: 2 })
    expect(await everywhere('levels', 'user/1/name')).toEqual([null, null, null])
    expect(await everywhere('levels', 'user/2/name')).toEqual(['v', 'v', 'v'])
    expect(await on(2).invalidate(named('levels'), { prefix: 'user/2/n' }, OPTIONS)).toEqual({ invalidated: 1 })
    expect(await on(2).invalidate(named('levels'), { keys: ['group/1', 'group/2'] }, OPTIONS)).toEqual({ invalidated: 1 })
    await put(0, 'levels', 'x', 'v')
    expect(await on(1).invalidate(named('levels'), { all: true }, OPTIONS)).toEqual({ invalidated: 1 })
    expect(await everywhere('levels', 'x')).toEqual([null, null, null])
  })

  test('whatever is below a declared prefix is gone, however deep it lies and whenever it was put', async () => {
    await on(0).put(named('deep', 'a/before'), value('v'), null, null, OPTIONS)
    // As a configuration whose sweep came to nothing leaves it.
    const { node } = cluster().nodes[0]!
    const proposer = createProposer(node.system, { raft: node.host.id, path: 'test-proposer' })
    const writes = new Writes(proposer, { partitions: 8, hash: await loadHash() })
    await writes.configure(named('deep'), { levels: ['/'] }, OPTIONS)
    proposer.close()
    const deep = 'a/b/c/d/e/f/g/h/i/'
    for (const key of [deep, `${deep}j`, 'b/other']) await put(1, 'deep', key, 'v')
    expect(await everywhere('deep', `${deep}j`)).toEqual(['v', 'v', 'v'])
    expect(await on(2).invalidate(named('deep'), { prefix: deep }, OPTIONS)).toEqual({ invalidated: 2 })
    for (const key of [deep, `${deep}j`]) expect(await everywhere('deep', key)).toEqual([null, null, null])
    expect(await on(2).invalidate(named('deep'), { prefix: 'a/' }, OPTIONS)).toEqual({ invalidated: 1 })
    expect(await everywhere('deep', 'a/before')).toEqual([null, null, null])
    expect(await everywhere('deep', 'b/other')).toEqual(['v', 'v', 'v'])
  })

  test('a cache keeps to its size', async () => {
    const { created, config } = await on(0).configure(named('small'), { entriesMax: 16 }, OPTIONS)
    expect([created, config.entriesMax]).toEqual([true, 16])
    for (let nth = 0; nth < 100; nth++) await put(nth, 'small', `k${nth}`, 'v')
    const { entries, evictions } = await on(1).status(named('small'), OPTIONS)
    expect(entries).toBeLessThanOrEqual(16)
    expect(entries + evictions).toBe(100)
  })
})

describe('loading', () => {
  test('one loads, the others wait for what it puts', async () => {
    const how = { waitMs: 5_000, staleOk: false, tags: [] }
    const first = await on(0).load(named('load'), { ...how, waitMs: 0 }, OPTIONS)
    if (first.type !== 'load') throw new Error('nobody else loads it')
    expect((await refusal(on(1).load(named('load'), { ...how, waitMs: 0 }, OPTIONS))).code).toBe('OWNER_BUSY')
    const others = [1, 2, 3].map((nth) => on(nth).load(named('load'), how, OPTIONS))
    await on(0).put(named('load'), value('loaded'), null, first.loadToken, OPTIONS)
    for (const other of await Promise.all(others)) {
      expect(other.type === 'value' && textOf(other.read)).toBe('loaded')
    }
  })

  test('who waits and leaves gives the place up: the next in line loads', async () => {
    const how = { waitMs: 20_000, staleOk: false, tags: [] }
    const first = await on(0).load(named('leave'), { ...how, waitMs: 0 }, OPTIONS)
    if (first.type !== 'load') throw new Error('nobody else loads it')
    const leaving = new AbortController()
    const left = refusal(on(1).load(named('leave'), how, { ...OPTIONS, signal: leaving.signal }))
    const before = refusal(on(1).load(named('leave'), how, { ...OPTIONS, signal: AbortSignal.abort() }))
    expect((await before).code).toMatch(/OWNER_BUSY|WAIT_TIMEOUT/)
    const patient = on(2).load(named('leave'), how, OPTIONS)
    leaving.abort()
    expect((await left).code).toBe('OWNER_BUSY')
    await on(0).delete(named('leave'), null, OPTIONS)
    expect((await patient).type).toBe('load')
  })

  test('a value that was invalidated while it was loaded is not taken', async () => {
    const granted = await on(0).load(named('fenced'), { waitMs: 0, staleOk: false, tags: ['t'] }, OPTIONS)
    if (granted.type !== 'load') throw new Error('nobody else loads it')
    await on(1).invalidate(named('fenced'), { keys: ['a'] }, OPTIONS)
    const late = on(0).put(named('fenced'), value('too late', { tags: ['t'] }), null, granted.loadToken, OPTIONS)
    expect((await refusal(late)).code).toBe('STALE_TOKEN')
    expect(await everywhere('fenced')).toEqual([null, null, null])
  })
})

test('a line is seen: who holds it, who is its home, why it went', async () => {
  await put(0, 'seen', 'a', 'v')
  const read = async () => {
    await Promise.all([get(0, 'seen'), get(1, 'seen')])
    return on(2).line(named('seen'), OPTIONS)
  }
  await expect.poll(read).toMatchObject({ key: 'a', busy: false, nodes: { n1: 'S', n2: 'S', n3: 'I' }, lastInvalidation: null })
  const before = await read()
  await put(2, 'seen', 'a', 'w')
  const after = await on(0).line(named('seen'), OPTIONS)
  expect(after).toMatchObject({ nodes: { n1: 'I', n2: 'I', n3: 'I' }, lastInvalidation: { cause: 'put' } })
  expect(after.version).toBeGreaterThan(before.version)
  const { ackMs = Number.NaN, acksMs = {} } = after.lastInvalidation ?? {}
  expect([ackMs, ...Object.values(acksMs)].every(Number.isInteger)).toBe(true)
})

describe('writeback', () => {
  const state = async (nth: number, cache: string, key = 'a') => (await on(nth).get(named(cache, key), OPTIONS)).line
  beforeAll(async () => {
    await on(0).configure(named('wb'), { durability: 'writeback' }, OPTIONS)
  })

  test('the node that writes owns the line; whoever reads it elsewhere sees the last write', async () => {
    // M; E, once it is flushed.
    await expect.poll(async () => (await put(0, 'wb', 'own', 'one'), state(0, 'wb', 'own'))).toMatch(/^[ME]$/)
    await put(0, 'wb', 'own', 'two')
    expect(await everywhere('wb', 'own')).toEqual(['two', 'two', 'two'])
    // Read by others, it is nobody's any more.
    expect(['S', 'I']).toContain(await state(0, 'wb', 'own'))
    await put(1, 'wb', 'own', 'three')
    expect(await everywhere('wb', 'own')).toEqual(['three', 'three', 'three'])
  })

  test('numbers that all nodes count add up, though the line wanders', async () => {
    const numbers = await Promise.all(Array.from({ length: 30 }, (_, nth) => on(nth).increment(named('wb', 'n'), 1, OPTIONS)))
    expect(numbers.map((one) => one.value).toSorted((a, b) => a - b)).toEqual(numbers.map((_, nth) => nth + 1))
    expect(new Set(numbers.map(({ version }) => version)).size).toBe(30)
    expect(await everywhere('wb', 'n')).toEqual(['30', '30', '30'])
  })

  test('what is written is flushed, conditions hold, and what others do through the log takes it back', async () => {
    const { version } = await put(2, 'wb', 'c', 'one', {}, 'absent')
    expect((await refusal(put(2, 'wb', 'c', 'two', {}, 'absent'))).code).toBe('VERSION_MISMATCH')
    await put(2, 'wb', 'c', 'two', {}, version)
    // E; or nothing, where its session ended meanwhile.
    await expect.poll(() => state(2, 'wb', 'c')).not.toBe('M')
    const keyed = { ...OPTIONS, idempotencyKey: { key: 'default/put/wb', fingerprint: 'f' } }
    const once = await on(0).increment(named('wb', 'keyed'), 1, keyed)
    expect(await on(1).increment(named('wb', 'keyed'), 1, keyed)).toEqual(once)
    await put(1, 'wb', 'd', 'mine')
    expect(await on(0).invalidate(named('wb'), { keys: ['c', 'd'] }, OPTIONS)).toEqual({ invalidated: 2 })
    expect(await everywhere('wb', 'c')).toEqual([null, null, null])
    await put(1, 'wb', 'tagged', 'v', { tags: ['t'] })
    expect(await on(2).invalidate(named('wb'), { tags: ['t'] }, OPTIONS)).toEqual({ invalidated: 1 })
    expect(await everywhere('wb', 'tagged')).toEqual([null, null, null])
    await put(0, 'wb', 'e', 'x')
    expect(await on(0).delete(named('wb', 'e'), null, OPTIONS)).toMatchObject({ existed: true })
    expect(await everywhere('wb', 'e')).toEqual([null, null, null])
  })

  test('what is owned still, though the cache says so no more, is given back for a transaction', async () => {
    await on(0).configure(named('was'), { durability: 'writeback' }, OPTIONS)
    await put(1, 'was', 'a', 'mine')
    await on(0).configure(named('was'), { durability: 'quorum' }, OPTIONS)
    const { node } = cluster().nodes[2]!
    const proposer = createProposer(node.system, { raft: node.host.id, path: 'test-transactions' })
    const { planPut } = createCaches(node.system, node.id)
    const queues = {} as Queues
    const transactions = createTransactions({ queues, proposer, partitioning: { partitions: 8, hash: await loadHash() }, planPut })
    const done = await new Promise<unknown>((resolve) =>
      transactions.submit({ type: 'tx', ops: [{ type: 'cache_put', ...named('was'), value: value('theirs') }] }, OPTIONS, resolve),
    )
    proposer.close()
    expect(done).toMatchObject({ type: 'transacted' })
    expect(await everywhere('was')).toEqual(['theirs', 'theirs', 'theirs'])
  })

  test('a node that stops is waited for by nobody: the logs know that it holds nothing', async () => {
    const own = await startInMemory(3, ['cluster.partitions=4', 'consensus.segment_bytes=1048576'])
    const caches = own.nodes.map(({ node }): Caches => createCaches(node.system, node.id))
    for (let nth = 0; nth < 8; nth++) {
      await caches[0]?.put(named('shared', `k${nth}`), value('v'), null, null, OPTIONS)
      for (const each of caches) await each.get(named('shared', `k${nth}`), OPTIONS)
    }
    const [stopped, ...others] = own.nodes.map(({ node }) => node)
    const held = (): string[] => others.flatMap(({ coherence }) => [...coherence.homes.values()].flatMap(({ holders }) => [...holders]))
    const { clock } = others[0]!.system
    const beganAt = clock.now()
    await own.nodes[0]?.stop()
    const tookMs = clock.now() - beganAt
    for (let nth = 0; nth < 8; nth++) await caches[1]?.put(named('shared', `k${nth}`), value('w'), null, null, OPTIONS)
    // On a busy machine it may have gone before all had heard.
    if (tookMs < LEAVE_MS) expect(held()).not.toContain(stopped?.id)
    await own.stop()
  })

  test('a node that stops has flushed what it wrote', async () => {
    const own = await startInMemory(3, ['cluster.partitions=4', 'consensus.segment_bytes=1048576'])
    const [first, second] = own.nodes.map(({ node }): Caches => createCaches(node.system, node.id)) as [Caches, Caches, Caches]
    await first.configure(named('wb'), { durability: 'writeback' }, OPTIONS)
    for (let nth = 0; nth < 20; nth++) await first.put(named('wb', `k${nth}`), value(`${nth}`), null, null, OPTIONS)
    await own.nodes[0]?.stop()
    for (let nth = 0; nth < 20; nth++) expect(textOf(await second.get(named('wb', `k${nth}`), OPTIONS))).toBe(`${nth}`)
    // The one that is stopped already, too.
    await own.stop()
  })
})
