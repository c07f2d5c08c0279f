/** Sessions with more grants than one entry may end, and their way through a restart. */
import { describe, expect, test } from 'vitest'
import { Bed, acquireCommand, grantOf, refusalOf } from '../../test/lock/bed.ts'
import { LIMITS } from './types.ts'
import { encodeCommand } from './codec.ts'

const MAX = LIMITS.expiriesPerEntryMax
const LEASE_MS = 3_600_000

/** Holds the locks l0, l1, … ; without the checks of `run`, which are slow. */
function hold(bed: Bed, count: number, session: { id: string; proof: string }): void {
  for (let i = 0; i < count; i++) {
    const command = acquireCommand([[`l${i}`, 'exclusive']], { session, leaseMs: LEASE_MS })
    if (bed.machine.apply(bed, ++bed.ticket, encodeCommand(command)) === null) throw new Error('expected to be granted')
  }
}

describe('a session with many grants', () => {
  test('closed: it is over at once, its grants end 1,000 an entry, oldest first; then it is forgotten', () => {
    const bed = new Bed()
    const session = bed.open()
    hold(bed, 2 * MAX + 500, session)
    const heir = bed.queue(`l${MAX}`)
    expect(bed.run({ type: 'session_close', session })).toEqual({ type: 'closed', released: 2 * MAX + 500 })
    expect(bed.machine.stats()).toMatchObject({ grants: MAX + 500, sessions: 1 })
    expect(bed.status(`l${MAX - 1}`).state).toBe('free')
    expect(bed.answerOf(heir)).toBeUndefined()
    expect(bed.machine.nextDeadline()).toBeLessThanOrEqual(bed.time)
    bed.pass(0)
    expect(grantOf(bed.answerOf(heir)).name).toBe(`l${MAX}`)
    bed.pass(0)
    expect(bed.machine.stats()).toMatchObject({ grants: 1, sessions: 0 })
    expect(bed.events.filter(({ type }) => type === 'released')).toHaveLength(2 * MAX + 500)
  })

  test('its TTL passed: likewise, as expired, and told at the end', () => {
    const bed = new Bed()
    const session = bed.open(1_000)
    hold(bed, MAX + 1, session)
    bed.pass(1_000)
    expect(bed.machine.stats().grants).toBe(2)
    expect(bed.events.at(-1)?.type).toBe('expired')
    bed.pass(0)
    expect(bed.machine.stats()).toMatchObject({ grants: 0, sessions: 0 })
    expect(bed.events.filter(({ type }) => type === 'expired')).toHaveLength(MAX + 1)
    expect(bed.events.at(-1)).toMatchObject({ type: 'session_expired', session: session.id })
  })

  test('nobody can use it, see it, or save what it still holds', () => {
    const bed = new Bed()
    const session = bed.open()
    const other = bed.open(30_000, 'q')
    hold(bed, 3 * MAX, session)
    const last = bed.take('last', 'exclusive', { session })
    bed.run({ type: 'session_close', session })
    expect(refusalOf(bed.acquire('new', 'exclusive', { session })).code).toBe('SESSION_EXPIRED')
    expect(refusalOf(bed.run({ type: 'session_keepalive', session })).code).toBe('SESSION_EXPIRED')
    expect(bed.status('last').state).toBe('held')
    const renew = { type: 'lock_renew', namespace: 'default', name: 'last', grantId: last.grantId, leaseMs: LEASE_MS } as const
    expect(refusalOf(bed.runMore({ ...renew, session })).code).toBe('SESSION_EXPIRED')
    expect(refusalOf(bed.runMore({ ...renew, session: other })).code).toBe('NOT_OWNER')
    const listed = bed.machine.query({ type: 'session_list', namespace: 'default', cursor: '', limit: 10 }, bed.time)
    expect(listed).toMatchObject({ sessions: [{ id: other.id }] })
  })

  test('however many are closed in one entry, an entry ends a bounded number', () => {
    const bed = new Bed()
    const sessions = Array.from({ length: 4 }, () => bed.open())
    for (const [at, session] of sessions.entries()) {
      for (let i = 0; i < 600; i++) {
        bed.machine.apply(bed, ++bed.ticket, encodeCommand(acquireCommand([[`s${at}/${i}`, 'exclusive']], { session })))
      }
    }
    bed.pass(1)
    for (const session of sessions) bed.machine.apply(bed, ++bed.ticket, encodeCommand({ type: 'session_close', session }))
    bed.machine.check()
    expect(bed.machine.stats().grants).toBe(4 * 600 - MAX)
    bed.pass(0)
    bed.pass(0)
    expect(bed.machine.stats()).toMatchObject({ grants: 0, sessions: 0 })
  })

  test('a restart in the middle goes on where it was', () => {
    const bed = new Bed()
    const session = bed.open()
    hold(bed, 3 * MAX, session)
    bed.run({ type: 'session_close', session })
    const copy = bed.copy((keys) => keys.sort())
    bed.pass(0)
    // The session that is due counts as one.
    expect(copy.machine.stats()).toMatchObject({ grants: MAX + 1, sessions: 1 })
    expect(copy.events).toEqual(bed.events.slice(-(MAX - 1)))
    expect(refusalOf(copy.runMore({ type: 'session_keepalive', session })).code).toBe('SESSION_EXPIRED')
    for (let i = 0; i < 2; i++) {
      copy.pass(0)
      bed.pass(0)
    }
    copy.drain()
    bed.drain()
    expect(copy.machine.stats()).toMatchObject({ grants: 0, sessions: 0 })
    expect(copy.store).toEqual(bed.store)
  })
})

test('loading leaves nothing for the end: each record goes to its place as it comes', () => {
  const bed = new Bed()
  const session = bed.open()
  hold(bed, 50, session)
  bed.queue('l7', 'exclusive', { session: bed.open() })
  bed.drain()
  const copy = new Bed()
  for (const key of [...bed.store.keys()].sort()) copy.machine.load(Uint8Array.from(Buffer.from(key, 'hex')), bed.store.get(key)!)
  expect(copy.machine.stats()).toMatchObject({ grants: 50, locks: 50, sessions: 2, waiters: 1 })
  copy.machine.loaded()
  copy.machine.check()
})
