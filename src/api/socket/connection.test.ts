/** A connection that ends at the worst moment, over a lock manager that answers as it is told. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { Answered, LockCommand } from '../../lock/types.ts'
import type { Gateway } from '../gateway.ts'
import { GatewayMetrics } from '../metrics.ts'
import { Connection } from './connection.ts'
import { codecFor } from './frames.ts'

function bed() {
  const submitted: { command: LockCommand; done: (reply: Answered) => void; cancelled: boolean }[] = []
  const locks = {
    submit(command: LockCommand, _options: unknown, done: (reply: Answered) => void) {
      const submission = { command, done, cancelled: false }
      submitted.push(submission)
      return { cancel: () => void (submission.cancelled = true) }
    },
  }
  const clock = new ManualClock()
  const settings = { defaultLeaseMs: 30_000, waitMsMax: 60_000, bodyBytesMax: 1_000, commandTimeoutMs: 10_000 }
  const backend = { clock, locks }
  const gateway = { backend, settings, metrics: new GatewayMetrics('n1'), startSpan: null } as unknown as Gateway
  const codec = codecFor(['tricord.v1.json'])
  if (!codec) throw new Error('no JSON')
  const sent: unknown[] = []
  const outlet = { send: (frame: string | Uint8Array) => void sent.push(JSON.parse(String(frame))), close: () => {} }
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

const grant = {
  name: 'a',
  mode: 'exclusive',
  owner: '',
  grantId: 'g_1',
  token: 1,
  session: 's_1',
  leaseMs: 1,
  remainingMs: 1,
  count: 1,
} as const
const granted: Answered = { type: 'granted', grants: [grant], waitedMs: 0 }

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
