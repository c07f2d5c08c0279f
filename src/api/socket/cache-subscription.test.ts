/** Subscriptions of one connection, over changes that come as they are told: who does not read, comes back, or is gone. */
import { expect, test } from 'vitest'
import { toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import { earliest } from '../../cache/watch/cursor.ts'
import type { Borrowing, BorrowingListener, Invalidation, InvalidationListener, Invalidations, Lendings } from '../../cache/types.ts'
import { Connection } from './connection.ts'
import { codecFor } from './frames.ts'
import { ENDED_MAX, PastSubscriptions } from './past-subscriptions.ts'

type Event = Record<string, unknown>

/** A stream that is told what it tells, and remembers what was done to it. */
class ToldStream {
  place = 0
  age = 40
  calls: string[] = []
  readonly listener: InvalidationListener
  readonly since: string | null

  constructor(listener: InvalidationListener, since: string | null) {
    this.listener = listener
    this.since = since
  }

  cursor = () => `1.0-${this.place}`
  ageMs = () => this.age
  pause = () => void this.calls.push('pause')
  resume = () => void this.calls.push('resume')
  end = () => void this.calls.push('end')

  tell(...keys: string[]): void {
    this.place += keys.length
    this.listener.invalidated(keys.map((key): Invalidation => ({ key, version: this.place, reason: 'put' })))
  }
}

function bed() {
  const { clock, gateway } = toldGateway()
  const codec = codecFor(['tricord.v1.json'])
  if (!codec) throw new Error('no JSON')
  const streams: ToldStream[] = []
  const told = { refusal: null as TricordError | null, later: Promise.resolve() }
  const invalidations: Invalidations = {
    earliest,
    async open(_name, _what, cursor, listener) {
      await told.later
      if (told.refusal) throw told.refusal
      const stream = new ToldStream(listener, cursor)
      streams.push(stream)
      return stream
    },
  }
  Object.assign(gateway.backend, { invalidations })
  const connect = () => {
    const sent: Event[] = []
    const outlet = {
      isHeldBack: false,
      unreadBytes: 0,
      send: (frame: string | Uint8Array) => void sent.push(...([JSON.parse(String(frame))] as (Event | Event[])[]).flat()),
      close: () => {},
    }
    const options = { requestId: 'r', namespace: 'default', session: null, onBug: (error: unknown) => expect.unreachable(String(error)) }
    const connection = new Connection(gateway, codec, outlet, options)
    const receive = async (request: Event) => {
      connection.receive(Buffer.from(JSON.stringify(request)), false)
      await clock.settle()
    }
    return { connection, outlet, sent, receive }
  }
  return { clock, gateway, streams, told, connect }
}

const SUBSCRIBE = { id: 1, op: 'cache.subscribe', cache: 'c', all: true }

test('a prefix is bounded by its bytes, as a key is', async () => {
  const { sent, receive } = bed().connect()
  const three = '€'
  await receive({ ...SUBSCRIBE, all: undefined, prefix: three.repeat(171) })
  await receive({ ...SUBSCRIBE, id: 2, all: undefined, prefix: `${three.repeat(170)}ab` })
  expect(sent).toMatchObject([
    { id: 1, ok: false, error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'prefix' }] } },
    { id: 2, ok: true },
  ])
})

test('while the peer does not read nothing is kept for it: the stream pauses, and goes on once it reads', async () => {
  const { clock, streams, connect } = bed()
  const { connection, outlet, sent, receive } = connect()
  await receive(SUBSCRIBE)
  const stream = streams[0]!
  outlet.isHeldBack = true
  connection.writableChanged()
  await clock.pass(10_000)
  // No beats either: they would only be read when they are true no more.
  expect(sent.slice(1).filter(({ event }) => event === 'cache.beat')).toHaveLength(0)
  expect(stream.calls).toEqual(['resume', 'pause'])
  outlet.isHeldBack = false
  connection.writableChanged()
  stream.listener.reset()
  stream.tell('a')
  await clock.settle()
  expect(stream.calls).toEqual(['resume', 'pause', 'resume'])
  expect(sent.slice(1)).toMatchObject([
    { event: 'cache.reset', sub: 'c1', seq: 1 },
    { event: 'cache.invalidate', sub: 'c1', seq: 2, cache: 'c', key: 'a', version: 1, reason: 'put' },
  ])
})

test('more than a turn may gather pauses it, too, and the next turn goes on', async () => {
  const { clock, streams, connect } = bed()
  const { sent, receive } = connect()
  await receive(SUBSCRIBE)
  const stream = streams[0]!
  const key = 'k'.repeat(500)
  for (let page = 0; page < 20; page++) stream.tell(...Array.from({ length: 256 }, () => key))
  expect(stream.calls.at(-1)).toBe('pause')
  await clock.settle()
  expect(stream.calls.at(-1)).toBe('resume')
  expect(sent.slice(1).map(({ seq }) => seq)).toEqual(Array.from({ length: 20 * 256 }, (_, nth) => nth + 1))
})

test('a beat says for how long: from the moment up to which everything was told; none where that is over', async () => {
  const { clock, streams, connect } = bed()
  const { sent, receive } = connect()
  await receive(SUBSCRIBE)
  const stream = streams[0]!
  const beats = () => sent.filter(({ event }) => event === 'cache.beat')
  await clock.pass(150)
  expect(beats()).toEqual([{ event: 'cache.beat', sub: 'c1', seq: 0, leaseMs: 2_900 }])
  stream.tell('a')
  stream.age = 1_000
  await clock.pass(1_000)
  expect(beats().at(-1)).toEqual({ event: 'cache.beat', sub: 'c1', seq: 1, leaseMs: 1_940, cursor: '1.0-1' })
  stream.age = Infinity
  const count = beats().length
  await clock.pass(5_000)
  expect(beats()).toHaveLength(count)
  await receive({ id: 2, op: 'cache.beat', sub: 'c1' })
  expect(sent.at(-1)).toEqual({ id: 2, ok: true, result: { sub: 'c1', seq: 1, cursor: '1.0-1', leaseMs: 0 } })
})

test('subscriptions are counted while they last, and what they are told', async () => {
  const { gateway, streams, connect } = bed()
  let lent: BorrowingListener | null = null
  const borrowing = { resume() {}, pause() {}, end() {} } as unknown as Borrowing
  const lendings: Lendings = { open: async (listener) => ((lent = listener), borrowing) }
  Object.assign(gateway.backend, { lendings })
  const counts = async () => {
    const lines = (await gateway.metrics.text()).split('\n').filter((line) => line.startsWith('cache_subscription'))
    return lines.map((line) => line.replace(/,?node="n1"/, '').replace('{}', ''))
  }
  const { connection, receive } = connect()
  await receive(SUBSCRIBE)
  await receive(SUBSCRIBE)
  await receive({ ...SUBSCRIBE, mode: 'linearizable' })
  streams[0]!.tell('a', 'b', 'c')
  streams[1]!.listener.reset()
  expect(await counts()).toEqual([
    'cache_subscriptions 3',
    'cache_subscription_events_total{event="invalidate"} 3',
    'cache_subscription_events_total{event="reset"} 1',
  ])
  const listener = lent as BorrowingListener | null
  listener?.calledBack(1, 'a')
  listener?.calledBack(2, null)
  listener?.calledBack(3, null)
  await receive({ id: 2, op: 'cache.unsubscribe', sub: 'c1' })
  expect(await counts()).toEqual([
    'cache_subscriptions 2',
    'cache_subscription_events_total{event="invalidate"} 4',
    'cache_subscription_events_total{event="reset"} 3',
  ])
  connection.end()
  expect((await counts())[0]).toBe('cache_subscriptions 0')
})

test('who comes back with a number begins at the last place that was known before it', async () => {
  const { clock, streams, connect } = bed()
  const first = connect()
  await first.receive(SUBSCRIBE)
  for (const key of ['a', 'b', 'c']) {
    streams[0]!.tell(key)
    await clock.pass(1_000)
  }
  streams[0]!.tell('d', 'e')
  // The first connection may be taken for alive still.
  for (const [from, since] of [
    [0, '1.0-0'],
    [2, '1.0-2'],
    [4, '1.0-3'],
    [5, '1.0-3'],
    [6, null],
  ] as const) {
    const { receive, sent } = connect()
    await receive({ ...SUBSCRIBE, from })
    expect(streams.at(-1)!.since, `${from}`).toBe(since)
    // What was not told here is no number to go on from.
    const seq = since === null ? 0 : from
    expect(sent[1]?.['event']).toBe(since === null ? 'cache.reset' : undefined)
    // A cursor beside a reset that has yet to come would be taken for the better of the two.
    expect(sent[0]?.['result']).toEqual({ sub: 'c1', seq, mode: 'bounded', ...(since !== null && { cursor: since }) })
  }
})

test('it is remembered for five minutes after its connection, and not at all once it was ended', async () => {
  const { clock, streams, connect } = bed()
  const [gone, ended] = [connect(), connect()]
  await gone.receive(SUBSCRIBE)
  await ended.receive({ ...SUBSCRIBE, all: undefined, prefix: 'p' })
  gone.connection.end()
  await ended.receive({ id: 2, op: 'cache.unsubscribe', sub: 'c1' })
  expect(streams.map(({ calls }) => calls.at(-1))).toEqual(['end', 'end'])
  const back = async (members: Event) => {
    const { receive } = connect()
    await receive({ ...SUBSCRIBE, ...members, from: 0 })
    return streams.at(-1)!.since
  }
  expect(await back({ all: undefined, prefix: 'p' })).toBeNull()
  expect(await back({})).toBe('1.0-0')
  const other = bed()
  const late = other.connect()
  await late.receive(SUBSCRIBE)
  late.connection.end()
  await other.clock.pass(300_001)
  const again = other.connect()
  await again.receive({ ...SUBSCRIBE, from: 0 })
  expect(other.streams.at(-1)!.since).toBeNull()
  await clock.settle()
})

test('a connection that ends while it is being opened leaves no stream behind; a refusal leaves its share free', async () => {
  const { clock, streams, told, connect } = bed()
  let open = (): void => {}
  told.later = new Promise((resolve) => (open = resolve))
  const { connection, receive, sent } = connect()
  await receive(SUBSCRIBE)
  connection.end()
  open()
  await clock.settle()
  expect(streams[0]!.calls).toEqual(['end'])
  expect(sent).toEqual([])
  const refused = connect()
  told.refusal = new TricordError('NO_QUORUM', 'no home')
  const keys = Array.from({ length: 6_000 }, (_, nth) => `${nth}`)
  for (let nth = 0; nth < 3; nth++) await refused.receive({ id: nth, op: 'cache.subscribe', cache: 'c', keys })
  expect(refused.sent.map(({ error }) => (error as Event)['code'])).toEqual(['NO_QUORUM', 'NO_QUORUM', 'NO_QUORUM'])
})

test('what has ended is kept in bounds', () => {
  const { clock, gateway } = toldGateway()
  const pasts = new PastSubscriptions(clock, gateway.backend.random)
  for (let nth = 0; nth < ENDED_MAX + 10; nth++) {
    const lineage = { members: new Set<never>(), knownFrom: nth }
    pasts.over(pasts.began(`f${nth}`, lineage, { seq: nth, cursor: '1' }))
  }
  expect(pasts.size).toBe(ENDED_MAX)
  expect(pasts.beginning('f9', { from: 9 }, { earliest }).cursor).toBeNull()
  expect(pasts.beginning('f10', { from: 10 }, { earliest }).cursor).toBe('1')
})
