/** `cache.*` over caches that answer as they are told: members in, results out, and what is refused. */
import { describe, expect, test } from 'vitest'
import { entryOf, readOf } from '../../../test/told-caches.ts'
import { toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import { cacheKey, putMeaning } from '../cache-calls.ts'
import { newValue } from '../cache-values.ts'
import { toProblem } from '../errors.ts'
import { cacheOperations } from './cache-operations.ts'
import { type Members, SocketCall, readEnvelope } from './call.ts'
import type { Caller } from './operations.ts'

function bed(carriesBytes = false) {
  const { cached, gateway } = toldGateway()
  let room = Infinity
  const takesValue = (bytes: number) => {
    const takes = bytes <= room
    if (takes) room -= bytes
    return takes
  }
  const caller = { gateway, carriesBytes, takesValue, cacheSubscriptions: { borrower: () => null } } as unknown as Caller
  const call = (op: keyof typeof cacheOperations, members: Members) =>
    new Promise<Members>((resolve) => {
      const answers = {
        answered: (_call: SocketCall, result: Members) => resolve(result),
        failed: (_call: SocketCall, error: unknown) =>
          error instanceof TricordError ? resolve({ ...toProblem(error, 'r') }) : expect.unreachable(String(error)),
      }
      const request = new SocketCall(readEnvelope(1, { id: 1, op, cache: 'c', ...members }, 'default'), false, null, answers)
      request.attempt(() => cacheOperations[op](request, caller))
    })
  return { ...cached, call, leave: (bytes: number) => (room = bytes) }
}

describe('get', () => {
  test('JSON as its value, else base64; how it was come by', async () => {
    const { told, last, call } = bed()
    told.get = readOf(entryOf('{"a":1}', { contentType: 'application/json' }), { line: 'S', hit: true })
    const json = { data: { a: 1 }, encoding: 'json', contentType: 'application/json', version: 17, line: 'S', cache: 'hit' }
    expect(await call('cache.get', { key: 'a/b', namespace: 'n' })).toEqual(json)
    expect(last('get')).toEqual([{ namespace: 'n', cache: 'c', key: 'a/b' }, { timeoutMs: 10_000 }])
    told.get = readOf(entryOf('v'))
    expect(await call('cache.get', { key: 'k' })).toMatchObject({ data: 'dg==', encoding: 'base64', line: 'I', cache: 'miss' })
  })

  test('over MessagePack bytes', async () => {
    const { told, call } = bed(true)
    told.get = readOf(entryOf('v'))
    expect(await call('cache.get', { key: 'k' })).toMatchObject({ data: Buffer.from('v'), encoding: 'bytes' })
  })

  test('nothing there', async () => {
    const { told, call } = bed()
    told.get = readOf(null, { line: 'E', hit: true })
    expect(await call('cache.get', { key: 'k' })).toMatchObject({ code: 'NOT_FOUND', status: 404, line: 'E', cache: 'hit' })
  })

  test('to whoever does not read, no more', async () => {
    const { told, call, leave } = bed()
    told.get = readOf(entryOf('value'))
    leave(9)
    expect(await call('cache.get', { key: 'k' })).toMatchObject({ encoding: 'base64' })
    expect(await call('cache.get', { key: 'k' })).toMatchObject({ code: 'OVERLOADED', retryable: true, outcome: 'not-applied' })
  })
})

describe('put', () => {
  test('members and defaults', async () => {
    const { told, last, call } = bed()
    expect(await call('cache.put', { key: 'k', data: [1] })).toEqual({ key: 'k', version: 1, created: true })
    const value = { value: Buffer.from('[1]'), contentType: 'application/json', ttlMs: null, slidingMs: 0, tags: [] }
    expect(last('put')).toEqual([{ namespace: 'default', cache: 'c', key: 'k' }, value, null, null, { timeoutMs: 10_000 }])
    told.put = { version: 18, created: false }
    const all = {
      data: 'AA==',
      encoding: 'base64',
      contentType: 'image/x',
      ttlMs: 0,
      slidingMs: 5,
      tags: ['t'],
      ifMatch: 17,
      loadToken: 'l_1',
    }
    expect(await call('cache.put', { key: 'k', ...all })).toEqual({ key: 'k', version: 18, created: false })
    const bytes = { value: Buffer.from([0]), contentType: 'image/x', ttlMs: 0, slidingMs: 5, tags: ['t'] }
    expect(last('put').slice(1, 4)).toEqual([bytes, 17, 'l_1'])
  })

  test('bytes of MessagePack, named or not', async () => {
    const { last, call } = bed(true)
    for (const more of [{}, { encoding: 'bytes', contentType: 'a/b' }]) {
      await call('cache.put', { key: 'k', data: Buffer.from([0, 255]), ...more })
      expect(last('put')[1]).toMatchObject({
        value: Buffer.from([0, 255]),
        contentType: 'contentType' in more ? 'a/b' : 'application/octet-stream',
      })
    }
  })

  test('conditions', async () => {
    const { told, last, call } = bed()
    await call('cache.put', { key: 'k', data: 1, ifMatch: '*' })
    expect(last('put')[2]).toBe('present')
    await call('cache.put', { key: 'k', data: 1, ifNoneMatch: '*' })
    expect(last('put')[2]).toBe('absent')
    told.put = new TricordError('VERSION_MISMATCH', 'another', { version: 3 })
    expect(await call('cache.put', { key: 'k', data: 1, ifMatch: 2 })).toMatchObject({ code: 'VERSION_MISMATCH', status: 412, version: 3 })
  })

  test('a key means what it means over HTTP', async () => {
    const { last, call } = bed()
    await call('cache.put', { key: 'k', data: { a: 1 }, ifMatch: 4, idempotencyKey: 'i' })
    const value = newValue({ data: 'eyJhIjoxfQ==', encoding: 'base64', contentType: 'application/json' }, '')
    const name = { namespace: 'default', cache: 'c', key: 'k' }
    expect(last('put')[4].idempotencyKey).toEqual(cacheKey(name, 'i', 'put', () => putMeaning(value, 4, null), 'idempotencyKey'))
  })
})

test('delete and incr', async () => {
  const { told, last, call } = bed()
  told.delete = { existed: false, version: 0 }
  expect(await call('cache.delete', { key: 'k', ifMatch: 5, idempotencyKey: 'i' })).toEqual({ existed: false, version: 0 })
  expect(last('delete')[1]).toBe(5)
  expect(last('delete')[2].idempotencyKey).toBeDefined()
  told.increment = { value: 7, version: 8 }
  expect(await call('cache.incr', { key: 'k', by: 2 })).toEqual({ value: 7, version: 8 })
  expect(last('increment')[1]).toBe(2)
  await call('cache.incr', { key: 'k' })
  expect(last('increment')[1]).toBe(1)
})

test.each([
  ['cache.get', { key: '' }, 'key'],
  ['cache.get', { key: 'x'.repeat(513) }, 'key'],
  ['cache.get', {}, 'key'],
  ['cache.get', { key: 'k', cache: 'a b' }, 'cache'],
  ['cache.get', { key: 'k', cache: undefined }, 'cache'],
  ['cache.get', { key: 'k', ttlMs: 1 }, 'ttlMs'],
  ['cache.put', { key: 'k' }, 'data'],
  ['cache.put', { key: 'k', data: 'x', encoding: 'bytes' }, 'data'],
  ['cache.put', { key: 'k', data: new Uint8Array(1), encoding: 'json' }, 'data'],
  ['cache.put', { key: 'k', data: 1, ifMatch: '"1"' }, 'ifMatch'],
  ['cache.put', { key: 'k', data: 1, ifMatch: 0 }, 'ifMatch'],
  ['cache.put', { key: 'k', data: 1, ifMatch: 1, ifNoneMatch: '*' }, 'ifMatch'],
  ['cache.put', { key: 'k', data: 1, ifNoneMatch: 1 }, 'ifNoneMatch'],
  ['cache.put', { key: 'k', data: 1, idempotencyKey: 7 }, 'idempotencyKey'],
  ['cache.put', { key: 'k', data: 1, idempotencyKey: '' }, 'idempotencyKey'],
  ['cache.delete', { key: 'k', ifNoneMatch: '*' }, 'ifNoneMatch'],
  ['cache.incr', { key: 'k', by: 1.5 }, 'by'],
] as const)('%s with %j is refused', async (op, members, path) => {
  const { asked, call } = bed()
  expect(await call(op, members)).toMatchObject({ code: 'INVALID_ARGUMENT', errors: [{ path }] })
  expect(asked).toEqual([])
})

test('a value of a byte more than 1 MiB', async () => {
  const { asked, call } = bed(true)
  expect(await call('cache.put', { key: 'k', data: new Uint8Array(1_048_577) })).toMatchObject({ code: 'TOO_LARGE', status: 413 })
  expect(asked).toEqual([])
})
