/** The session of a connection in virtual time, over a lock manager that answers as it is told. */
import { expect, test } from 'vitest'
import { toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import type { Answered } from '../../lock/types.ts'
import { type OpenSession, SocketSession } from './session.ts'

const TTL_MS = 30_000
const OPTIONS = { ttlMs: TTL_MS, name: '', metadata: null }

function bed(token: string | null = null) {
  const { clock, submitted, gateway } = toldGateway()
  const expired: string[] = []
  const session = new SocketSession(gateway, token, (id) => expired.push(id))
  const types = () => submitted.map(({ command }) => command.type)
  const reply = (answer: Answered | TricordError) => submitted.at(-1)?.done(answer)
  const opened = (id = 's_1') => reply({ type: 'opened', session: id, ttlMs: TTL_MS })
  return { clock, submitted, expired, session, types, reply, opened }
}

test('everybody who needs it while it opens waits for that one, in order', () => {
  const { session, types, opened } = bed()
  const seen: string[] = []
  const note = (who: string) => (own: OpenSession | TricordError | null) =>
    seen.push(`${who} ${own && 'proof' in own ? own.proof.id : own}`)
  session.ensure('default', OPTIONS, note('first'))
  session.settled(note('second'))
  session.ensure('default', OPTIONS, note('third'))
  expect({ seen, types: types() }).toEqual({ seen: [], types: ['session_open'] })
  opened()
  expect({ seen, types: types() }).toEqual({ seen: ['first s_1', 'second s_1', 'third s_1'], types: ['session_open'] })
})

test('where it cannot be opened the next one tries again', () => {
  const { session, types, reply } = bed()
  const seen: unknown[] = []
  session.ensure('default', OPTIONS, (own) => seen.push(own instanceof TricordError && own.code))
  session.ensure('default', OPTIONS, (own) => seen.push(own instanceof TricordError && own.code))
  reply(new TricordError('NO_QUORUM', ''))
  expect({ seen, types: types() }).toEqual({ seen: ['NO_QUORUM'], types: ['session_open', 'session_open'] })
  reply(new TricordError('OVERLOADED', ''))
  expect(seen).toEqual(['NO_QUORUM', 'OVERLOADED'])
})

test('it is kept alive three times in a TTL, also while answers fail, until the connection ends', async () => {
  const { clock, session, submitted, types, opened } = bed()
  session.ensure('default', OPTIONS, () => {})
  opened()
  await clock.pass(TTL_MS / 3 - 1)
  expect(types()).toHaveLength(1)
  await clock.pass(TTL_MS - TTL_MS / 3 + 1)
  expect(types().slice(1)).toEqual(['session_keepalive', 'session_keepalive', 'session_keepalive'])
  for (const { done } of submitted.slice(1)) done(new TricordError('NO_QUORUM', ''))
  await clock.pass(TTL_MS)
  expect(types()).toHaveLength(7)
  session.end()
  await clock.pass(10 * TTL_MS)
  expect(types()).toHaveLength(7)
})

test('expired, it is said and forgotten, and the next acquire opens another', async () => {
  const { clock, session, expired, types, reply, opened } = bed()
  session.ensure('default', OPTIONS, () => {})
  opened()
  await clock.pass(TTL_MS / 3)
  reply(new TricordError('SESSION_EXPIRED', ''))
  expect(expired).toEqual(['s_1'])
  await clock.pass(TTL_MS)
  expect(types()).toHaveLength(2)
  session.ensure('default', OPTIONS, () => {})
  opened('s_2')
  expect(types()).toEqual(['session_open', 'session_keepalive', 'session_open'])
})

test('opened for a connection that has ended, it is closed', () => {
  const { session, types, opened, submitted } = bed()
  session.ensure('default', OPTIONS, () => expect.unreachable())
  session.end()
  opened()
  expect(types()).toEqual(['session_open', 'session_close'])
  expect(submitted.at(-1)?.command).toMatchObject({ session: { id: 's_1' } })
})

test('one that came with the connection is neither kept alive nor forgotten', async () => {
  const { clock, session, expired, types } = bed(`s_9.${'x'.repeat(22)}`)
  let own: OpenSession | null = null
  session.settled((open) => (own = open))
  expect(own).toMatchObject({ proof: { id: 's_9' }, isOwn: false })
  await clock.pass(TTL_MS)
  session.failed(own as unknown as OpenSession, new TricordError('SESSION_EXPIRED', ''))
  session.settled((open) => (own = open))
  expect({ own, expired, types: types() }).toMatchObject({ own: { proof: { id: 's_9' } }, expired: [], types: [] })
})
