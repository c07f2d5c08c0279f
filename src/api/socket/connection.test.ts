/** A connection that ends at the worst moment, over a lock manager that answers as it is told. */
import { expect, test } from 'vitest'
import { grantedIn, toldGateway } from '../../../test/told-gateway.ts'
import { Connection } from './connection.ts'
import { codecFor } from './frames.ts'

function bed() {
  const { clock, submitted, gateway } = toldGateway()
  const codec = codecFor(['tricord.v1.json'])
  if (!codec) throw new Error('no JSON')
  const sent: unknown[] = []
  const outlet = {
    send: (frame: string | Uint8Array) => void sent.push(JSON.parse(String(frame))),
    close: () => {},
    isHeldBack: false,
    unreadBytes: 0,
  }
  const options = {
    requestId: 'r',
    namespace: 'default',
    session: `s_1.${'x'.repeat(22)}`,
    onBug: (error: unknown) => expect.unreachable(String(error)),
  }
  const connection = new Connection(gateway, codec, outlet, options)
  const receive = (request: unknown) => connection.receive(Buffer.from(JSON.stringify(request)), false)
  return { clock, connection, receive, sent, submitted }
}

const granted = grantedIn('s_1')

test('a grant that comes when its connection has ended is released: nobody knows it', async () => {
  const { clock, connection, receive, sent, submitted } = bed()
  receive({ id: 1, op: 'lock.acquire', name: 'a', waitMs: 1_000 })
  connection.end()
  expect(submitted[0]?.cancelled).toBe(true)
  submitted[0]?.done(granted)
  expect(submitted[1]?.command).toMatchObject({ type: 'lock_release', name: 'a', grantId: 'g_1', session: { id: 's_1' } })
  await clock.settle()
  expect(sent).toEqual([])
})

test('one with an idempotency key is left to whoever asks again', () => {
  const { connection, receive, submitted } = bed()
  receive({ id: 1, op: 'lock.acquire', name: 'a', waitMs: 1_000, idempotencyKey: 'k' })
  connection.end()
  submitted[0]?.done(granted)
  expect(submitted).toHaveLength(1)
})

test('answers of one turn go in one frame, as an array where there are several', async () => {
  const { clock, receive, sent, submitted } = bed()
  for (const id of [1, 2, 3]) receive({ id, op: 'lock.acquire', name: 'a' })
  submitted[2]?.done(granted)
  await clock.settle()
  submitted[0]?.done(granted)
  submitted[1]?.done(granted)
  await clock.settle()
  expect(sent).toMatchObject([{ id: 3 }, [{ id: 1 }, { id: 2 }]])
})

test('a session may be named whole, whoever it belongs to; without it the connection’s is meant', async () => {
  const { clock, receive, sent, submitted } = bed()
  const other = `s_2.${'y'.repeat(22)}`
  receive({ id: 1, op: 'session.keepalive', session: other })
  receive({ id: 2, op: 'session.keepalive' })
  receive({ id: 3, op: 'session.close', session: other })
  expect(submitted.map(({ command }) => [command.type, 'session' in command && command.session?.id])).toEqual([
    ['session_keepalive', 's_2'],
    ['session_keepalive', 's_1'],
    ['session_close', 's_2'],
  ])
  submitted[2]?.done({ type: 'closed', released: 1 })
  submitted[0]?.done({ type: 'alive', remainingMs: 5 })
  receive({ id: 4, op: 'lock.acquire', name: 'a' })
  expect(submitted[3]?.command).toMatchObject({ type: 'lock_acquire', session: { id: 's_1' } })
  await clock.settle()
  expect(sent).toEqual([
    [
      { id: 3, ok: true, result: { closed: true, released: 1 } },
      { id: 1, ok: true, result: { remainingMs: 5 } },
    ],
  ])
})

test('what cannot be read is said to be that; members that nobody knows are refused', async () => {
  const { clock, connection, receive, sent } = bed()
  connection.receive(Buffer.from('{'), false)
  receive({ id: 1, op: 'ping', extra: 1 })
  receive({ id: 2, op: 'lock.acquire', name: 'a\ud800' })
  receive({ id: 3, op: 'lock.acquire', name: 'a', owner: '\udc00' })
  await clock.settle()
  expect(sent[0]).toMatchObject([
    { id: null, ok: false, error: { errors: [{ path: 'frame', message: 'not a frame of tricord.v1.json' }] } },
    { id: 1, ok: false, error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'extra' }] } },
    { id: 2, ok: false, error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'name' }] } },
    { id: 3, ok: false, error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'owner' }] } },
  ])
})
