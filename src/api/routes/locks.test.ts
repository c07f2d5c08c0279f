/** Callers that hang up while they wait, over a lock manager that answers as it is told. */
import { expect, test } from 'vitest'
import { grantedIn, toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import { createApp } from '../app.ts'

function bed() {
  const { clock, submitted, readiness, gateway } = toldGateway()
  const app = createApp(gateway, { onBug: (error) => expect.unreachable(String(error)) })
  const acquire = (body: unknown, signal: AbortSignal, headers: Record<string, string> = {}) =>
    Promise.resolve(
      app.request('/locks/a/acquire', {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
        signal,
      }),
    )
  return { clock, submitted, readiness, gateway, app, acquire }
}

const granted = grantedIn('s_g_1')

test('who hangs up waits no more, and a grant that comes all the same is released', async () => {
  const { clock, submitted, acquire } = bed()
  const caller = new AbortController()
  const answer = acquire({ waitMs: 1_000 }, caller.signal)
  await clock.settle()
  expect(submitted).toMatchObject([{ command: { type: 'lock_acquire' }, cancelled: false }])
  caller.abort()
  expect(submitted[0]?.cancelled).toBe(true)
  submitted[0]?.done(granted)
  await answer
  expect(submitted[1]?.command).toMatchObject({ type: 'lock_release', name: 'a', grantId: 'g_1', session: null })
})

test('the grant of a session is released in its name', async () => {
  const { clock, submitted, acquire } = bed()
  const caller = new AbortController()
  const answer = acquire({ waitMs: 1_000 }, caller.signal, { 'tricord-session': `s_1.${'x'.repeat(22)}` })
  await clock.settle()
  caller.abort()
  submitted[0]?.done(grantedIn('s_1'))
  await answer
  expect(submitted[1]?.command).toMatchObject({ type: 'lock_release', session: { id: 's_1' } })
})

test('who has hung up before the wait began does not begin to wait', async () => {
  const { clock, submitted, acquire } = bed()
  const caller = new AbortController()
  const answer = acquire({ waitMs: 1_000 }, caller.signal)
  caller.abort()
  await clock.settle()
  expect(submitted[0]?.cancelled).toBe(true)
  submitted[0]?.done(granted)
  await answer
  expect(submitted[1]?.command.type).toBe('lock_release')
})

test('who named the request keeps the place, and the grant', async () => {
  const { clock, submitted, acquire } = bed()
  const caller = new AbortController()
  const answer = acquire({ waitMs: 1_000 }, caller.signal, { 'idempotency-key': 'k' })
  await clock.settle()
  caller.abort()
  submitted[0]?.done(granted)
  expect(await (await answer).json()).toMatchObject({ acquired: true })
  expect(submitted).toMatchObject([{ cancelled: false }])
})

test('after 202 the caller knows where to ask: the end of the connection changes nothing', async () => {
  const { clock, submitted, acquire } = bed()
  const caller = new AbortController()
  const pending = acquire({ waitMs: 40_000 }, caller.signal)
  await clock.pass(25_000)
  const answer = await pending
  expect([answer.status, answer.headers.get('location')]).toEqual([202, expect.stringMatching(/^\/v1\/requests\/./)])
  caller.abort()
  submitted[0]?.done(granted)
  await clock.settle()
  expect(submitted).toMatchObject([{ cancelled: false }])
})

test('a wait of up to 25 s is answered by then, leader or not, and given up', async () => {
  const { clock, submitted, acquire } = bed()
  const pending = acquire({ waitMs: 20_000 }, new AbortController().signal)
  await clock.pass(24_900)
  expect(submitted).toMatchObject([{ cancelled: false }])
  await clock.pass(100)
  const answer = await pending
  expect([answer.status, await answer.json()]).toMatchObject([504, { code: 'UNKNOWN_OUTCOME' }])
  expect(submitted).toMatchObject([{ cancelled: true }])
  submitted[0]?.done(granted)
  await clock.settle()
  expect(submitted[1]?.command).toMatchObject({ type: 'lock_release', grantId: 'g_1' })
})

test('one that was named keeps its place instead; one of 25 s has a second more for the word that it is over', async () => {
  const { clock, submitted, acquire } = bed()
  const named = acquire({ waitMs: 20_000 }, new AbortController().signal, { 'idempotency-key': 'k' })
  const longest = acquire({ waitMs: 25_000 }, new AbortController().signal)
  await clock.pass(25_000)
  const answer = await named
  expect([answer.status, answer.headers.get('location')]).toEqual([202, '/v1/requests/k'])
  expect(submitted).toMatchObject([{ cancelled: false }, { cancelled: false }])
  submitted[1]?.done(new TricordError('WAIT_TIMEOUT', 'held for longer'))
  expect((await longest).status).toBe(423)
})

test('a request that no route sees is counted, and its span ends', async () => {
  const { app, gateway } = bed()
  const ended: unknown[] = []
  const span = { traceparent: '', rename: () => {}, link: () => {}, end: (attributes: unknown) => void ended.push(attributes) }
  Object.assign(gateway, { startSpan: () => span })
  const answer = await app.request('/locks/%zz/status')
  expect([answer.status, answer.headers.get('tricord-node'), answer.headers.get('tricord-request-id')]).toEqual([
    400,
    'n1',
    expect.any(String),
  ])
  expect(ended).toEqual([{ 'http.response.status_code': 400 }])
  expect(await gateway.metrics.text()).toContain('http_requests_total{method="GET",status="400",node="n1"} 1')
})

test('a node that cannot serve yet says why, as a refusal', async () => {
  const { app, readiness } = bed()
  expect((await app.request('/readyz')).status).toBe(200)
  Object.assign(readiness, { ready: false, reason: 'no leader of locks' })
  const answer = await app.request('/v1/readyz')
  expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('content-type')]).toEqual([
    503,
    '1',
    'application/problem+json',
  ])
  expect(await answer.json()).toMatchObject({ code: 'STARTING', reason: 'no leader of locks', node: 'n1' })
})
