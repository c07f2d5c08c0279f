/** Subscriptions to the changes of caches, over the sockets of a whole cluster in memory. */
import { afterEach, describe, expect, test } from 'vitest'
import { clusterForAll } from '../../../test/embedded-bed.ts'
import { type Answer, type SocketClient, openSocket } from '../../../test/socket-client.ts'

const PARTITIONS = 4
const cluster = clusterForAll(3, () => [`cluster.partitions=${PARTITIONS}`, 'consensus.segment_bytes=1048576'])
const sockets: SocketClient[] = []

afterEach(async () => {
  await Promise.all(sockets.splice(0).map((socket) => socket.close()))
})

async function connect(nth: number): Promise<SocketClient> {
  const { url } = cluster().nodes[nth % 3]!
  const socket = await openSocket(`${url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')
  sockets.push(socket)
  return socket
}

const put = async (socket: SocketClient, cache: string, key: string, more: Record<string, unknown> = {}): Promise<number> =>
  (await socket.result('cache.put', { cache, key, data: key, ...more }))['version'] as number

/** Until this many came. */
async function events(socket: SocketClient, count: number): Promise<Answer[]> {
  const got: Answer[] = []
  while (got.length < count) got.push(await socket.answer('cache.invalidate'))
  return got
}

async function post(nth: number, path: string, body: unknown): Promise<Answer> {
  const { url } = cluster().nodes[nth % 3]!
  const response = await fetch(`${url}/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

const numbersFrom = (first: number, count: number) => Array.from({ length: count }, (_, nth) => first + 1 + nth)

describe('what is told', () => {
  test('every write of a cache, once it is answered, in the order of each key, numbered without gaps', async () => {
    const [reader, writer] = [await connect(0), await connect(1)]
    const { sub, seq } = await reader.result('cache.subscribe', { cache: 'all', all: true })
    const written = new Map<string, number[]>()
    await Promise.all(
      Array.from({ length: 20 }, async (_, nth) => {
        const key = `k${nth}`
        const versions = written.set(key, []).get(key) as number[]
        for (let round = 0; round < 10; round++) versions.push(await put(round % 2 === 0 ? writer : reader, 'all', key))
      }),
    )
    const got = await events(reader, 200)
    expect(got.map((event) => event['seq'])).toEqual(numbersFrom(seq, 200))
    expect(got.every((event) => event['sub'] === sub && event['cache'] === 'all' && event['reason'] === 'put')).toBe(true)
    for (const [key, versions] of written) {
      expect(got.filter((event) => event['key'] === key).map((event) => event['version'])).toEqual(versions)
    }
  })

  test('whoever hears of a change and reads again gets what is there since, on any node', async () => {
    const [reader, other, writer] = [await connect(0), await connect(2), await connect(1)]
    await put(writer, 'again', 'k')
    await reader.result('cache.subscribe', { cache: 'again', keys: ['k'] })
    for (let round = 0; round < 30; round++) {
      // Copies on both: the invalidation has somebody to wait for.
      await Promise.all([reader, other].map((socket) => socket.result('cache.get', { cache: 'again', key: 'k' })))
      const written = put(writer, 'again', 'k')
      const { version } = await reader.answer('cache.invalidate')
      const seen = await Promise.all([reader, other].map((socket) => socket.result('cache.get', { cache: 'again', key: 'k' })))
      for (const read of seen) expect(read['version']).toBeGreaterThanOrEqual(version)
      expect(await written).toBe(version)
    }
  })

  test('of keys, of a prefix: nothing else; by whatever they went', async () => {
    const [reader, writer] = [await connect(0), await connect(1)]
    const keys = await reader.result('cache.subscribe', { cache: 'some', keys: ['user/1', 'user/1', 'x'] })
    const prefix = await reader.result('cache.subscribe', { cache: 'some', prefix: 'user/' })
    for (const [cache, key] of [
      ['other', 'user/1'],
      ['some', 'user'],
      ['some', 'user/1'],
      ['some', 'user/2'],
    ] as const)
      await put(writer, cache, key, { tags: ['t'] })
    await writer.result('cache.delete', { cache: 'some', key: 'user/1' })
    await put(writer, 'some', 'x', { ttlMs: 50 })
    await post(2, '/caches/some:invalidate', { tags: ['t'] })
    const got = await events(reader, 8)
    const of = (sub: unknown) => got.filter((event) => event['sub'] === sub).map((event) => `${event['key']} ${event['reason']}`)
    expect(of(keys['sub']).toSorted()).toEqual(['user/1 delete', 'user/1 put', 'x expire', 'x put'])
    expect(of(prefix['sub']).toSorted()).toEqual(['user/1 delete', 'user/1 put', 'user/2 invalidate', 'user/2 put'])
  })
})

describe('coming back', () => {
  /** Subscribes, hears of one write, is gone while others happen; what it knew then. */
  async function leave(cache: string, missed: readonly string[]): Promise<Answer> {
    const [reader, writer] = [await connect(0), await connect(1)]
    const { seq, cursor } = await reader.result('cache.subscribe', { cache, all: true })
    await put(writer, cache, 'seen')
    expect(await reader.answer('cache.invalidate')).toMatchObject({ key: 'seen', seq: seq + 1 })
    await reader.close()
    for (const key of missed) await put(writer, cache, key)
    return { from: seq + 1, cursor }
  }

  const keysOf = (got: readonly Answer[]) => new Set(got.map((event) => event['key']))

  test('to the same gateway with a number alone: what was missed is told, and the numbers go on', async () => {
    const { from } = await leave('same', ['a', 'b', 'c'])
    const reader = await connect(0)
    const { sub, seq } = await reader.result('cache.subscribe', { cache: 'same', all: true, from })
    expect(seq).toBe(from)
    // It may be told again what it knows: everything since the place that the gateway remembers.
    const got = await events(reader, 4)
    expect(keysOf(got)).toEqual(new Set(['seen', 'a', 'b', 'c']))
    expect(got.map((event) => event['seq'])).toEqual(numbersFrom(from, 4))
    expect(got.every((event) => event['sub'] === sub)).toBe(true)
    await put(reader, 'same', 'd')
    expect(await reader.answer('cache.invalidate')).toMatchObject({ key: 'd', seq: from + 5 })
  })

  test('to another gateway, with a cursor: what was missed is told, by numbers of that gateway', async () => {
    const { from, cursor } = await leave('other', ['a', 'b', 'c'])
    const reader = await connect(2)
    const { seq } = await reader.result('cache.subscribe', { cache: 'other', all: true, from, cursor })
    expect(seq).not.toBe(from)
    const got = await events(reader, 4)
    expect(keysOf(got)).toEqual(new Set(['seen', 'a', 'b', 'c']))
    expect(got.map((event) => event['seq'])).toEqual(numbersFrom(seq, 4))
  })

  test.each([{ all: true }, { prefix: 'e' }, { keys: ['e1', 'e2', 'e3'] }])(
    'two that begin with the same number, of %j: it is none of theirs, and neither is taken for the other',
    async (what) => {
      const cache = `same-${Object.keys(what)[0]}`
      const begin = async (nth: number, from: number): Promise<SocketClient> => {
        const reader = await connect(nth)
        const { seq } = await reader.result('cache.subscribe', { cache, ...what, from })
        expect(await reader.answer('cache.reset')).toMatchObject({ seq: seq + 1 })
        return reader
      }
      const [writer, first] = [await connect(1), await begin(0, 0)]
      await put(writer, cache, 'e1')
      const { seq: from } = await first.answer('cache.invalidate')
      await first.close()
      await put(writer, cache, 'e2')
      const [here, there] = [await begin(0, 0), await begin(2, 0)]
      await put(writer, cache, 'e3')
      for (const other of [here, there]) expect(await other.answer('cache.invalidate')).toMatchObject({ key: 'e3' })
      const back = await connect(0)
      expect(await back.result('cache.subscribe', { cache, ...what, from })).toMatchObject({ seq: from })
      const missed = new Set(['e2', 'e3'])
      while (missed.size > 0) missed.delete((await back.answer('cache.invalidate'))['key'] as string)
      // Where nobody told it everything is over.
      await begin(2, from as number)
    },
  )

  test('beside others of the same cache that are further: each hears what it has missed, and no more', async () => {
    const { from, cursor } = await leave('beside', ['a', 'b'])
    const [ahead, reader] = [await connect(1), await connect(1)]
    const { seq } = await ahead.result('cache.subscribe', { cache: 'beside', all: true })
    const { seq: begun } = await reader.result('cache.subscribe', { cache: 'beside', prefix: 'a', from, cursor })
    expect(await reader.answer('cache.invalidate')).toMatchObject({ key: 'a', seq: begun + 1 })
    await put(ahead, 'beside', 'abc')
    expect(await reader.answer('cache.invalidate')).toMatchObject({ key: 'abc', seq: begun + 2 })
    expect(await ahead.answer('cache.invalidate')).toMatchObject({ key: 'abc', seq: seq + 1 })
  })

  test('with a number that nobody remembers, of another filter or to another gateway: everything is over', async () => {
    const { from } = await leave('unknown', ['a'])
    for (const [nth, members] of [
      [1, { all: true, from }],
      [0, { all: true, from: from - 2 }],
      [0, { prefix: 'a', from }],
      [0, { all: true, from: 41 }],
    ] as const) {
      const reader = await connect(nth)
      const { sub, seq } = await reader.result('cache.subscribe', { cache: 'unknown', ...members })
      expect(seq).not.toBe(members.from)
      expect(await reader.answer('cache.reset')).toEqual({ event: 'cache.reset', sub, seq: seq + 1 })
      await put(reader, 'unknown', 'abc')
      expect(await reader.answer('cache.invalidate')).toMatchObject({ key: 'abc', seq: seq + 2 })
    }
  })

  test('a beat brings the cursor that a later life begins at: nothing is told twice', async () => {
    const [reader, writer] = [await connect(0), await connect(1)]
    const { seq } = await reader.result('cache.subscribe', { cache: 'beat', keys: ['a', 'b'] })
    await put(writer, 'beat', 'a')
    await reader.answer('cache.invalidate')
    let beat = await reader.answer('cache.beat')
    while (beat['cursor'] === undefined) beat = await reader.answer('cache.beat')
    expect(beat).toMatchObject({ seq: seq + 1, leaseMs: expect.any(Number) })
    expect(beat['leaseMs']).toBeGreaterThan(0)
    expect(beat['leaseMs']).toBeLessThanOrEqual(3_000)
    const later = await connect(2)
    await put(writer, 'beat', 'b')
    const { seq: begun } = await later.result('cache.subscribe', {
      cache: 'beat',
      keys: ['a', 'b'],
      from: beat['seq'],
      cursor: beat['cursor'],
    })
    expect(await later.answer('cache.invalidate')).toMatchObject({ key: 'b', seq: begun + 1 })
    // The cursor of two keys says nothing of a third.
    const wider = await connect(2)
    const { seq: first } = await wider.result('cache.subscribe', { cache: 'beat', all: true, from: 7, cursor: beat['cursor'] })
    expect(await wider.answer('cache.reset')).toMatchObject({ seq: first + 1 })
  })

  test('after more changes than homes remember: a reset, or the keys that may be concerned', async () => {
    const { from, cursor } = await leave('long', [])
    const [first, writer] = [await connect(2), await connect(1)]
    const keys = await first.result('cache.subscribe', { cache: 'long', keys: ['{p}k', '{p}l'] })
    await first.close()
    for (let page = 0; page < 33; page++) {
      const entries = Array.from({ length: 256 }, (_, nth) => ({ key: `{p}${nth}`, data: page }))
      await post(1, '/caches/long:mput', { entries })
    }
    const reader = await connect(2)
    await reader.result('cache.subscribe', { cache: 'long', all: true, from, cursor, mode: 'events' })
    expect(await reader.answer('cache.reset')).toMatchObject({ seq: expect.any(Number) })
    const { sub } = await reader.result('cache.subscribe', {
      cache: 'long',
      keys: ['{p}k', '{p}l'],
      from: keys['seq'],
      cursor: keys['cursor'],
    })
    const got: Answer[] = []
    while (got.length < 2) {
      const event = await reader.answer('cache.invalidate')
      if (event['sub'] === sub) got.push(event)
    }
    expect(got).toMatchObject([
      { key: '{p}k', reason: 'invalidate', seq: keys['seq'] + 1 },
      { key: '{p}l', reason: 'invalidate', seq: keys['seq'] + 2 },
    ])
    await put(writer, 'long', '{p}k')
  })
})

describe('terms', () => {
  test('what is no subscription is refused, and nothing is left of it', async () => {
    const reader = await connect(0)
    for (const [members, code] of [
      [{}, 'INVALID_ARGUMENT'],
      [{ keys: [] }, 'INVALID_ARGUMENT'],
      [{ keys: ['a'], all: true }, 'INVALID_ARGUMENT'],
      [{ all: false }, 'INVALID_ARGUMENT'],
      [{ prefix: '' }, 'INVALID_ARGUMENT'],
      [{ prefix: '€'.repeat(171) }, 'INVALID_ARGUMENT'],
      [{ keys: ['k'.repeat(513)] }, 'INVALID_ARGUMENT'],
      [{ all: true, from: -1 }, 'INVALID_ARGUMENT'],
      // What comes after it is the same number again.
      [{ all: true, from: Number.MAX_SAFE_INTEGER }, 'INVALID_ARGUMENT'],
      [{ all: true, mode: 'strict' }, 'INVALID_ARGUMENT'],
      [{ all: true, cursor: 'x' }, 'INVALID_ARGUMENT'],
      [{ all: true, cursor: '1.0-1.0-2' }, 'INVALID_ARGUMENT'],
      [{ keys: Array.from({ length: 10_001 }, (_, nth) => `${nth}`) }, 'INVALID_ARGUMENT'],
    ] as const)
      expect(await reader.call('cache.subscribe', { cache: 'c', ...members }), JSON.stringify(members).slice(0, 80)).toMatchObject({
        ok: false,
        error: { code },
      })
    const unreadable = await reader.call('cache.subscribe', { cache: 'c', all: true, cursor: 'x' })
    expect(unreadable).toMatchObject({ error: { errors: [{ path: 'cursor' }] } })
    expect(await reader.call('cache.unsubscribe', { sub: 'c1' })).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
    expect(await reader.call('cache.beat', { sub: 'c1' })).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  })

  test('a hundred of a connection, ten thousand keys of it; who ends some may have others', async () => {
    const reader = await connect(0)
    const many = await reader.result('cache.subscribe', { cache: 'c', keys: Array.from({ length: 9_999 }, (_, nth) => `${nth}`) })
    expect(await reader.call('cache.subscribe', { cache: 'c', keys: ['a', 'b'] })).toMatchObject({ error: { code: 'QUOTA' } })
    await reader.result('cache.subscribe', { cache: 'c', keys: ['a'] })
    expect(await reader.result('cache.unsubscribe', { sub: many['sub'] })).toEqual({ unsubscribed: true })
    const subs = await Promise.all(Array.from({ length: 99 }, () => reader.result('cache.subscribe', { cache: 'c', keys: ['b', 'c'] })))
    expect(new Set(subs.map(({ sub }) => sub)).size).toBe(99)
    expect(await reader.call('cache.subscribe', { cache: 'c', all: true })).toMatchObject({ error: { code: 'QUOTA' } })
  })

  test('what was ended is told nothing more', async () => {
    const [reader, writer] = [await connect(0), await connect(1)]
    const [ended, other] = [
      await reader.result('cache.subscribe', { cache: 'ended', all: true }),
      await reader.result('cache.subscribe', { cache: 'ended', all: true }),
    ]
    await reader.result('cache.unsubscribe', { sub: ended['sub'] })
    await put(writer, 'ended', 'k')
    await put(writer, 'ended', 'l')
    const got = await events(reader, 2)
    expect(got.map((event) => [event['sub'], event['key']]).toSorted()).toEqual([
      [other['sub'], 'k'],
      [other['sub'], 'l'],
    ])
  })

  test('a subscription says how good its lease is when it is asked; that of events alone has none', async () => {
    const reader = await connect(0)
    const { sub } = await reader.result('cache.subscribe', { cache: 'lease', all: true })
    await expect.poll(async () => (await reader.result('cache.beat', { sub }))['leaseMs']).toBeGreaterThan(1_500)
    const { sub: plain, ...rest } = await reader.result('cache.subscribe', { cache: 'lease', all: true, mode: 'events' })
    expect(rest).toEqual({ seq: expect.any(Number), cursor: expect.any(String), mode: 'events' })
    expect(await reader.result('cache.beat', { sub: plain })).not.toHaveProperty('leaseMs')
  })

  test('without subscriptions no home is watched', async () => {
    const reader = await connect(0)
    const { sub } = await reader.result('cache.subscribe', { cache: 'c', all: true })
    const watches = async () => {
      const texts = await Promise.all(cluster().nodes.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()))
      return texts.map((text) => Number(/^tricord_cache_watches{.*} (\d+)$/m.exec(text)?.[1])).reduce((sum, one) => sum + one, 0)
    }
    await expect.poll(watches).toBe(PARTITIONS)
    await reader.result('cache.unsubscribe', { sub })
    await expect.poll(watches).toBe(0)
  })
})
