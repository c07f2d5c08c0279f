/** Clients that keep copies which are never old, over the sockets of a whole cluster in memory. */
import { afterEach, describe, expect, test } from 'vitest'
import { LentClient } from '../../../test/cache/lent-client.ts'
import { clusterForAll } from '../../../test/embedded-bed.ts'
import { type Answer, type SocketClient, openSocket } from '../../../test/socket-client.ts'

const cluster = clusterForAll(3, () => ['cluster.partitions=4', 'consensus.segment_bytes=1048576'])
const clients: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

const urlOf = (nth: number): string => cluster().nodes[nth % 3]!.url

async function connect(nth: number): Promise<SocketClient> {
  const socket = await openSocket(`${urlOf(nth).replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')
  clients.push(socket)
  return socket
}

async function keeping(nth: number, members: Record<string, unknown>): Promise<LentClient> {
  const client = await LentClient.connect(urlOf(nth), members)
  clients.push(client)
  return client
}

async function put(socket: SocketClient, cache: string, key: string, data: unknown, more: Record<string, unknown> = {}): Promise<number> {
  const { version } = await socket.result('cache.put', { cache, key, data, ...more })
  return version as number
}

/** Until it is lent: the session of a partition may have to be opened, or renewed, first. */
async function lent(client: LentClient, cache: string, key: string): Promise<number> {
  await expect.poll(async () => (await client.get(cache, key), client.cache.get(key, performance.now()) !== undefined)).toBe(true)
  return client.get(cache, key)
}

describe('what is lent', () => {
  test('is served until it is changed on another node, and never after the answer', async () => {
    const writer = await connect(1)
    const client = await keeping(0, { cache: 'one', all: true })
    // Where the lease ran out before the write, on a busy machine, there is nothing to call back.
    for (let round = 0; client.events.length < 29; round++) {
      const version = await put(writer, 'one', 'k', round)
      expect(client.cache.get('k', performance.now())).toBeUndefined()
      expect(await lent(client, 'one', 'k')).toBe(version)
    }
    expect(client.resets).toBe(0)
  })

  test('says so, with the life that the value has left', async () => {
    const reader = await connect(0)
    const { sub } = await reader.result('cache.subscribe', { cache: 'says', prefix: 'a', mode: 'linearizable' })
    await put(reader, 'says', 'a1', 1, { ttlMs: 60_000 })
    await put(reader, 'says', 'a2', 2)
    let limited: Answer = {}
    const read = async (key: string): Promise<unknown> => (limited = await reader.result('cache.get', { cache: 'says', key }))['lent']
    await expect.poll(() => read('a1')).toBe(true)
    expect(limited).toMatchObject({ data: 1, lent: true, sub })
    expect(limited['leaseMs']).toBeGreaterThan(0)
    expect(limited['leaseMs']).toBeLessThanOrEqual(1_000)
    expect(limited['ttlMs']).toBeLessThanOrEqual(60_000)
    expect([limited['leaseMs'], limited['ttlMs']].every(Number.isInteger)).toBe(true)
    await expect.poll(() => read('a2')).toBe(true)
    expect(limited).not.toHaveProperty('ttlMs')
    // What the subscription is not about, and other caches.
    await put(reader, 'says', 'b', 3)
    expect(await reader.result('cache.get', { cache: 'says', key: 'b' })).not.toHaveProperty('lent')
    await put(reader, 'says-not', 'a1', 3)
    expect(await reader.result('cache.get', { cache: 'says-not', key: 'a1' })).not.toHaveProperty('lent')
  })

  test('is called back by whatever takes it: a delete, a tag, a prefix, its time, and one by one', async () => {
    const writer = await connect(1)
    // The one whose time is short is lent first, while it is there.
    const keys = ['short', 'gone', 'p/tagged', 'p/x', 'kept']
    await writer.result('cache.put', { cache: 'why', key: 'kept', data: 0 })
    const client = await keeping(0, { cache: 'why', keys })
    await put(writer, 'why', 'gone', 1)
    await put(writer, 'why', 'p/tagged', 1, { tags: ['t'] })
    await put(writer, 'why', 'p/x', 1)
    await lent(client, 'why', 'kept')
    await put(writer, 'why', 'short', 1, { ttlMs: 3_000 })
    for (const key of keys) await lent(client, 'why', key)
    const isServed = (key: string): boolean => client.cache.get(key, performance.now()) !== undefined
    await writer.result('cache.delete', { cache: 'why', key: 'gone' })
    expect(isServed('gone')).toBe(false)
    const invalidate = (body: unknown): Promise<Response> =>
      fetch(`${urlOf(2)}/v1/caches/why:invalidate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    expect((await invalidate({ tags: ['t'] })).status).toBe(200)
    expect(isServed('p/tagged')).toBe(false)
    expect((await invalidate({ prefix: 'p/' })).status).toBe(200)
    expect(isServed('p/x')).toBe(false)
    await expect.poll(() => isServed('short')).toBe(false)
    await lent(client, 'why', 'kept')
    expect(client.resets).toBe(0)
  })

  test('is not what slides, what another node writes alone, and what is not there', async () => {
    const [reader, writer] = [await connect(0), await connect(1)]
    await reader.result('cache.subscribe', { cache: 'never', all: true, mode: 'linearizable' })
    await put(writer, 'never', 'slides', 1, { slidingMs: 60_000 })
    for (let nth = 0; nth < 5; nth++) {
      expect(await reader.result('cache.get', { cache: 'never', key: 'slides' })).toMatchObject({ data: 1, lent: false })
      expect(await reader.call('cache.get', { cache: 'never', key: 'nothing' })).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
    }
    const configured = await fetch(`${urlOf(0)}/v1/caches/alone`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"durability":"writeback"}',
    })
    expect(configured.status).toBe(201)
    await reader.result('cache.subscribe', { cache: 'alone', all: true, mode: 'linearizable' })
    await put(reader, 'alone', 'k', 1)
    expect(await reader.result('cache.get', { cache: 'alone', key: 'k' })).toMatchObject({ data: 1, lent: false })
  })

  test('a subscription that is given up leaves nothing that writers wait for', async () => {
    const [reader, writer] = [await connect(0), await connect(1)]
    const { sub } = await reader.result('cache.subscribe', { cache: 'left', all: true, mode: 'linearizable' })
    await put(writer, 'left', 'k', 1)
    await expect.poll(async () => (await reader.result('cache.get', { cache: 'left', key: 'k' }))['lent']).toBe(true)
    await reader.result('cache.unsubscribe', { sub })
    await put(writer, 'left', 'k', 2)
    expect(reader.frames.flat().filter((frame) => (frame as { event?: string }).event !== undefined)).toEqual([])
    expect(await reader.call('cache.beat', { sub })).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  })
})

describe('what is asked wrongly', () => {
  test.each([
    ['a cursor', { all: true, cursor: '1.0-0' }, 'INVALID_ARGUMENT'],
    ['no keys', {}, 'INVALID_ARGUMENT'],
    ['two kinds of keys', { all: true, prefix: 'a' }, 'INVALID_ARGUMENT'],
    ['another mode', { all: true, mode: 'strict' }, 'INVALID_ARGUMENT'],
    ['a number that is none', { all: true, from: -1 }, 'INVALID_ARGUMENT'],
  ])('%s', async (_, members, code) => {
    const reader = await connect(0)
    const answer = await reader.call('cache.subscribe', { cache: 'wrong', mode: 'linearizable', ...members })
    expect(answer).toMatchObject({ ok: false, error: { code } })
  })

  test.each([
    ['of nobody', { sub: 'c9' }, 'NOT_FOUND'],
    ['without a subscription', {}, 'INVALID_ARGUMENT'],
    ['of what was not told yet', { sub: 'c1', seq: 2 ** 52 }, 'INVALID_ARGUMENT'],
    ['of a number that is none', { sub: 'c1', seq: '7' }, 'INVALID_ARGUMENT'],
    ['with more than that', { sub: 'c1', hits: 7 }, 'INVALID_ARGUMENT'],
  ])('a beat %s', async (_, members, code) => {
    const reader = await connect(0)
    await reader.result('cache.subscribe', { cache: 'wrong', all: true, mode: 'linearizable' })
    expect(await reader.call('cache.beat', members)).toMatchObject({ ok: false, error: { code } })
  })

  test('who comes back is told to drop everything first', async () => {
    const reader = await connect(0)
    const { sub, seq, ...rest } = await reader.result('cache.subscribe', { cache: 'back', all: true, mode: 'linearizable', from: 41 })
    expect(rest).toEqual({ mode: 'linearizable' })
    // By a number that was never told: what another subscription told as its 42nd is something else.
    expect(seq).not.toBe(41)
    expect(await reader.answer('cache.reset')).toEqual({ event: 'cache.reset', sub, seq: seq + 1 })
    expect(await reader.result('cache.beat', { sub, seq: seq + 1 })).toMatchObject({
      sub,
      seq: seq + 1,
      leaseMs: expect.any(Number) as number,
    })
  })

  test('one more than a node lends to', async () => {
    const reader = await connect(2)
    const subs: string[] = []
    for (let nth = 0; nth < 64; nth++) {
      const { sub } = await reader.result('cache.subscribe', { cache: 'many', keys: [`k${nth}`], mode: 'linearizable' })
      subs.push(sub as string)
    }
    const refused = await reader.call('cache.subscribe', { cache: 'many', all: true, mode: 'linearizable' })
    expect(refused).toMatchObject({ ok: false, error: { code: 'QUOTA', borrowersMax: 64, hint: expect.any(String) as string } })
    // Another mode, and another node, have room.
    await reader.result('cache.subscribe', { cache: 'many', keys: ['k'] })
    const other = await connect(1)
    await other.result('cache.subscribe', { cache: 'many', all: true, mode: 'linearizable' })
    await reader.result('cache.unsubscribe', { sub: subs[0] })
    await expect
      .poll(async () => (await reader.call('cache.subscribe', { cache: 'many', all: true, mode: 'linearizable' }))['ok'])
      .toBe(true)
  })
})

describe('clients that do not answer', () => {
  test('one that hears nothing serves nothing by the time a write is answered, and has lost what it had', async () => {
    const writer = await connect(1)
    const client = await keeping(0, { cache: 'deaf', all: true })
    await put(writer, 'deaf', 'k', 1)
    await lent(client, 'deaf', 'k')
    client.stop()
    const from = performance.now()
    await put(writer, 'deaf', 'k', 2)
    process.stdout.write(`a write past a client that hears nothing: ${(performance.now() - from).toFixed(0)} ms\n`)
    expect(client.cache.get('k', performance.now())).toBeUndefined()
    client.goOn()
    await expect.poll(() => client.resets).toBe(1)
    expect(client.cache.size).toBe(0)
    expect(await lent(client, 'deaf', 'k')).toBeGreaterThan(0)
  })

  test('one whose connection is gone, too', async () => {
    const writer = await connect(1)
    const client = await keeping(0, { cache: 'cut', all: true })
    await put(writer, 'cut', 'k', 1)
    await lent(client, 'cut', 'k')
    const { leaseUntil } = client.cache
    client.socket.terminate()
    await put(writer, 'cut', 'k', 2)
    // It may not know that its connection is gone: it would have served for as long as that.
    expect(performance.now()).toBeGreaterThanOrEqual(leaseUntil)
  })

  test('others do not lose what they have', async () => {
    const writer = await connect(1)
    const [deaf, client] = [await keeping(0, { cache: 'both', all: true }), await keeping(0, { cache: 'both', all: true })]
    await put(writer, 'both', 'k', 1)
    await put(writer, 'both', 'other', 1)
    for (const one of [deaf, client]) await lent(one, 'both', 'k')
    const version = await lent(client, 'both', 'other')
    deaf.stop()
    await put(writer, 'both', 'k', 2)
    expect(await lent(client, 'both', 'other')).toBe(version)
    expect(client.events.map(({ event }) => event)).toEqual(['cache.invalidate'])
    deaf.goOn()
  })
})
