/** A node whose clients have copies: what it tells its homes, and what it does not before these are gone. */
import { expect, test } from 'vitest'
import { Controller } from './controller.ts'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import type { Copy } from './copies.ts'
import { nothingAt } from './held.ts'
import { SILENT_NODE } from './model/silent-ports.ts'
import type { LineId, ToHome } from './protocol.ts'

const LEASE_MS = 2_000
const held = nothingAt(1)

/** In a session of term 1, with a copy of `x` under grant 5. */
function bed() {
  const [sent, calledBack, copies]: [ToHome[], LineId[], Map<LineId, Copy>] = [[], [], new Map()]
  const controller = new Controller({ ...CONTROLLER_DEFAULTS, partition: 0, life: 1 }, copies, {
    ...SILENT_NODE,
    send: (_, message) => void sent.push(message),
    callBack: (line) => void calledBack.push(line),
  })
  const hear = (message: Parameters<Controller['receive']>[1], now = 0): void => controller.receive('h', message, now)
  const last = <T extends ToHome['type']>(type: T) => sent.findLast((message) => message.type === type) as Extract<ToHome, { type: T }>
  const load = (line: LineId): number => (controller.load(line, 1, 9_999, 0), last('getS')?.rid ?? 0)
  load('x')
  hear({ type: 'opened', term: 1, sid: 1, n: last('open').n, leaseMs: LEASE_MS })
  hear({ type: 'dataS', term: 1, sid: 1, rid: last('getS').rid, line: 'x', g: 5, held })
  const types = (): string[] => sent.splice(0).map(({ type }) => type)
  types()
  return { controller, copies, calledBack, hear, types, load }
}

test('an invalidation is acknowledged once everything is returned, however often it was sent, and though the copy was evicted', () => {
  const { controller, copies, calledBack, hear, types } = bed()
  expect(controller.lend('x', 0)).toBe(copies.get('x'))
  copies.delete('x')
  for (const t of [6, 6, 7]) hear({ type: 'inv', term: 1, t, line: 'x' })
  expect([calledBack, types(), controller.lend('x', 0)]).toEqual([['x'], [], null])
  controller.returned('x', 0)
  expect(types()).toEqual(['invAck', 'invAck'])
  controller.returned('x', 0)
  expect(types()).toEqual([])
})

test('one of an older grant, or of what nobody was lent, is acknowledged at once', () => {
  const { controller, calledBack, hear, types } = bed()
  controller.lend('x', 0)
  hear({ type: 'inv', term: 1, t: 4, line: 'x' })
  hear({ type: 'inv', term: 1, t: 6, line: 'y' })
  expect([types(), calledBack]).toEqual([['invAck', 'invAck'], []])
  expect(controller.lend('x', 0)).not.toBeNull()
})

test('a newer term is acknowledged, and a session opened, once everything is returned; what an older term asked for is not told', () => {
  const { controller, calledBack, hear, types } = bed()
  controller.lend('x', 0)
  hear({ type: 'inv', term: 1, t: 6, line: 'x' })
  hear({ type: 'view', term: 2 })
  expect([calledBack, types()]).toEqual([['x'], []])
  for (const now of [100, 1_000]) controller.tick(now)
  expect(types()).toEqual([])
  controller.returned('x', 1_000)
  expect(types().toSorted()).toEqual(['open', 'viewAck'])
})

test('a session that is over calls everything back', () => {
  const { controller, calledBack, hear, types } = bed()
  controller.lend('x', 0)
  hear({ type: 'closed', term: 1, sid: 1 })
  expect([calledBack, types(), controller.lend('x', 0)]).toEqual([['x'], [], null])
  controller.returned('x', 0)
  expect(types()).toEqual(['open'])
})

test('only what was granted is lent', () => {
  const { controller, hear, load, types } = bed()
  const once = load('once')
  hear({ type: 'dataU', term: 1, sid: 1, rid: once, line: 'once', held })
  const revoked = load('revoked')
  hear({ type: 'inv', term: 1, t: 9, line: 'revoked' })
  hear({ type: 'dataS', term: 1, sid: 1, rid: revoked, line: 'revoked', g: 8, held })
  types()
  expect(['once', 'revoked', 'never'].map((line) => controller.lend(line, 0))).toEqual([null, null, null])
  expect(controller.lend('x', LEASE_MS)).toBeNull()
})
