/** `cache.*` over whole connections, over caches that answer as they are told: frames of both kinds, and what is unread. */
import { expect, test } from 'vitest'
import { entryOf, readOf } from '../../../test/told-caches.ts'
import { toldGateway } from '../../../test/told-gateway.ts'
import { unpackPlain, packPlain } from '../../actors/codec.ts'
import type { Plain } from '../../actors/envelope.ts'
import { UNREAD_VALUES_BYTES_MAX } from './cache-operations.ts'
import { Connection } from './connection.ts'
import { codecFor } from './frames.ts'

function bed(protocol = 'tricord.v1.json') {
  const { clock, cached, gateway } = toldGateway()
  const codec = codecFor([protocol])
  if (!codec) throw new Error(protocol)
  const isBinary = codec.carriesBytes
  const sent: unknown[] = []
  const outlet = {
    isHeldBack: false,
    unreadBytes: 0,
    send: (frame: string | Uint8Array) => void sent.push(typeof frame === 'string' ? JSON.parse(frame) : unpackPlain(frame)),
    close: () => {},
  }
  const options = { requestId: 'r', namespace: 'default', session: null, onBug: (error: unknown) => expect.unreachable(String(error)) }
  const connection = new Connection(gateway, codec, outlet, options)
  const receiveBytes = async (bytes: Uint8Array) => {
    connection.receive(bytes, isBinary)
    await clock.settle()
  }
  const receive = (request: Plain) => receiveBytes(isBinary ? packPlain(request) : Buffer.from(JSON.stringify(request)))
  return { ...cached, outlet, connection, receive, receiveBytes, sent }
}

test('a value goes and comes as JSON, or as the bytes of MessagePack', async () => {
  const text = bed()
  await text.receive({ id: 1, op: 'cache.put', cache: 'c', key: 'k', data: { a: 1 } })
  text.told.get = readOf(entryOf(Buffer.from([0, 255])))
  await text.receive({ id: 2, op: 'cache.get', cache: 'c', key: 'k' })
  expect(text.sent).toMatchObject([
    { id: 1, ok: true, result: { key: 'k', version: 1, created: true } },
    { id: 2, ok: true, result: { data: 'AP8=', encoding: 'base64', line: 'I', cache: 'miss' } },
  ])
  const binary = bed('tricord.v1.msgpack')
  await binary.receive({ id: 1, op: 'cache.put', cache: 'c', key: 'k', data: Buffer.from([0, 255]) })
  expect(Buffer.from(binary.last('put')[1].value)).toEqual(Buffer.from([0, 255]))
  binary.told.get = readOf(entryOf(Buffer.from([0, 255])))
  await binary.receive({ id: 2, op: 'cache.get', cache: 'c', key: 'k' })
  expect(binary.sent[1]).toMatchObject({ id: 2, ok: true, result: { data: Buffer.from([0, 255]), encoding: 'bytes' } })
})

test('integers of eight bytes, as some encoders write all of them', async () => {
  const { told, last, sent, receiveBytes } = bed('tricord.v1.msgpack')
  told.increment = { value: 4, version: 9 }
  const packed = Buffer.from(packPlain({ id: 77, op: 'cache.incr', cache: 'c', key: 'n', by: 99 })).toString('hex')
  const wide = packed.replace('4d', 'cf000000000000004d').replace(/63$/, 'd30000000000000063')
  expect(wide).toHaveLength(packed.length + 32)
  await receiveBytes(Buffer.from(wide, 'hex'))
  expect(sent).toMatchObject([{ id: 77, ok: true, result: { value: 4 } }])
  expect(last('increment')[1]).toBe(99)
})

test('keys that are no UTF-8 are refused, not taken for one another; what is beside them is done', async () => {
  const { asked, last, sent, receiveBytes } = bed('tricord.v1.msgpack')
  const put = (id: number, key: string) => ({ id, op: 'cache.put', cache: 'c', key, data: 1 })
  const packed = Buffer.from(packPlain([put(1, 'kX'), put(2, 'kY'), put(3, 'kZ')]))
  for (const [key, byte] of [
    ['kX', 0xff],
    ['kY', 0xfe],
  ] as const)
    packed[packed.indexOf(key) + 1] = byte
  await receiveBytes(packed)
  const refused = { ok: false, error: { code: 'INVALID_ARGUMENT', outcome: 'not-applied' } }
  expect(sent.flat()).toMatchObject([
    { id: 1, ...refused },
    { id: 2, ...refused },
    { id: 3, ok: true },
  ])
  expect([asked.length, last('put')[0].key]).toEqual([1, 'kZ'])
  const one = Buffer.from(packPlain(put(4, 'kX')))
  one[one.indexOf('kX') + 1] = 0xff
  await receiveBytes(one)
  expect(sent.at(-1)).toMatchObject({ id: 4, ...refused })
})

test('many large values at once are given as far as a peer can be expected to take them, and more once it has', async () => {
  const { told, outlet, receive, sent } = bed()
  const bytes = 1_048_576
  told.get = readOf(entryOf(Buffer.alloc(bytes)))
  const gets = Array.from({ length: 20 }, (_, id) => ({ id, op: 'cache.get', cache: 'c', key: 'k' }))
  await receive(gets)
  const answers = sent.flat() as { ok: boolean; error?: { code: string; retryable: boolean } }[]
  expect(answers).toHaveLength(20)
  expect(answers.filter(({ ok }) => ok)).toHaveLength(UNREAD_VALUES_BYTES_MAX / bytes)
  expect(answers.find(({ ok }) => !ok)?.error).toMatchObject({ code: 'OVERLOADED', retryable: true })
  outlet.unreadBytes = UNREAD_VALUES_BYTES_MAX - bytes + 1
  await receive({ id: 'full', op: 'cache.get', cache: 'c', key: 'k' })
  outlet.unreadBytes = 0
  await receive({ id: 'read', op: 'cache.get', cache: 'c', key: 'k' })
  expect(sent.slice(-2)).toMatchObject([
    { id: 'full', ok: false, error: { code: 'OVERLOADED' } },
    { id: 'read', ok: true },
  ])
})

test('an answer to a connection that is gone goes nowhere', async () => {
  const { told, connection, receive, sent } = bed()
  let answer: (read: ReturnType<typeof readOf>) => void = () => {}
  told.get = new Promise((resolve) => (answer = resolve))
  await receive({ id: 1, op: 'cache.get', cache: 'c', key: 'k' })
  connection.end()
  answer(readOf(entryOf('v')))
  await receive({ id: 2, op: 'ping' })
  expect(sent).toEqual([])
})
