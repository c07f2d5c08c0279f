/** One test per rule of `docs/locks.md`. */
import { describe, expect, test } from 'vitest'
import { Bed, acquireCommand, grantOf, refusalOf } from '../../test/lock/bed.ts'
import { LIMITS } from './types.ts'
import { encodeCommand } from './codec.ts'

const RENEW = { type: 'lock_renew', namespace: 'default', session: null, leaseMs: null } as const
const WAIT = encodeCommand(acquireCommand([['a', 'exclusive']], { waitMs: 1_000 }))

function encodeHold(i: number): Uint8Array {
  return encodeCommand(acquireCommand([[`l${i}`, 'exclusive']], { leaseMs: 1_000 }))
}

describe('granting', () => {
  test('free: at once, with a token, a grant id and a session of its own', () => {
    const bed = new Bed()
    const reply = bed.acquire('a', 'exclusive', { owner: 'me', metadata: { host: 'w3' } })
    const grant = grantOf(reply)
    expect(grant).toMatchObject({ name: 'a', mode: 'exclusive', owner: 'me', token: 1, count: 1, leaseMs: 30_000, remainingMs: 30_000 })
    expect(grant.session).toBe(`s_${grant.grantId}`)
    bed.pass(10)
    const holders = [
      {
        owner: 'me',
        mode: 'exclusive',
        grantId: grant.grantId,
        token: 1,
        count: 1,
        heldMs: 10,
        remainingMs: 29_990,
        metadata: { host: 'w3' },
      },
    ]
    expect(bed.status('a')).toEqual({ name: 'a', state: 'held', mode: 'exclusive', holders, waiters: [], queueLength: 0, holderCount: 1 })
    expect(bed.status('never')).toMatchObject({ state: 'free', mode: null, holders: [], holderCount: 0 })
    expect(bed.status('a', 'other')).toMatchObject({ state: 'free' })
  })

  test('busy and waitMs 0: LOCK_HELD, with who holds it', () => {
    const bed = new Bed()
    bed.take('a', 'exclusive', { owner: 'first' })
    bed.queue('a')
    const { code, details } = refusalOf(bed.acquire('a', 'shared'))
    expect(code).toBe('LOCK_HELD')
    expect(details).toMatchObject({ name: 'a', queueLength: 1, holders: [{ owner: 'first', token: 1 }] })
  })

  test('a refusal stays small: of the metadata of many holders it has what fits into the size of one', () => {
    const bed = new Bed()
    const metadata = { note: 'x'.repeat(600) }
    for (let i = 0; i < 20; i++) bed.take('a', 'shared', { owner: `o${i}`, metadata })
    const { details } = refusalOf(bed.acquire('a', 'exclusive'))
    const holders = details['holders'] as readonly { readonly owner: string; readonly metadata?: object }[]
    expect(holders.map((holder) => holder.metadata)).toEqual([metadata, ...Array.from({ length: 15 }, () => undefined)])
    expect(JSON.stringify(details).length).toBeLessThan(4_096)
    expect(bed.status('a').holders.map((holder) => holder.metadata)).toEqual(Array.from({ length: 20 }, () => metadata))
  })

  test('a wait that is given up is told nothing of the holders', () => {
    const bed = new Bed()
    bed.take('a')
    const ticket = bed.queue('a')
    bed.cancel(ticket)
    expect(refusalOf(bed.answerOf(ticket))).toMatchObject({ code: 'WAIT_TIMEOUT', details: { name: 'a' } })
    expect(refusalOf(bed.answerOf(ticket)).details).not.toHaveProperty('holders')
  })

  test('readers share; a writer waits for all of them; later readers wait behind the writer', () => {
    const bed = new Bed()
    const readers = [bed.take('a', 'shared'), bed.take('a', 'shared')]
    const writer = bed.queue('a', 'exclusive')
    const late = [bed.queue('a', 'shared'), bed.queue('a', 'shared')]
    for (const reader of readers) bed.release(reader)
    const written = grantOf(bed.answerOf(writer))
    expect(late.map((ticket) => bed.answerOf(ticket))).toEqual([undefined, undefined])
    bed.release(written)
    expect(late.map((ticket) => grantOf(bed.answerOf(ticket)).token)).toEqual([4, 5])
  })

  test('first come, first served; tokens rise and survive the lock', () => {
    const bed = new Bed()
    const first = bed.take('a')
    const tickets = [1, 2, 3].map(() => bed.queue('a'))
    let holder = first
    for (const ticket of tickets) {
      bed.pass(5)
      bed.release(holder)
      const reply = bed.answerOf(ticket)
      expect(grantOf(reply).token).toBe(holder.token + 1)
      holder = grantOf(reply)
    }
    bed.release(holder)
    expect(bed.take('a').token).toBe(5)
    expect(bed.answerOf(tickets[2] as number)).toMatchObject({ waitedMs: 15 })
  })

  test('priority overtakes by a second a step, and no more', () => {
    const bed = new Bed()
    const holder = bed.take('a')
    const old = bed.queue('a', 'exclusive', { priority: 0 })
    bed.pass(1_999)
    const soon = bed.queue('a', 'exclusive', { priority: 2 })
    bed.pass(1)
    const tied = bed.queue('a', 'exclusive', { priority: 2 })
    expect(bed.status('a').waiters.map(({ position, priority }) => [position, priority])).toEqual([
      [1, 2],
      [2, 0],
      [3, 2],
    ])
    bed.release(holder)
    bed.release(grantOf(bed.answerOf(soon)))
    bed.release(grantOf(bed.answerOf(old)))
    expect(grantOf(bed.answerOf(tied)).token).toBe(4)
  })
})

describe('sets', () => {
  test('all or nothing, and nothing is held while waiting', () => {
    const bed = new Bed()
    const b = bed.take('b')
    expect(
      bed.run(
        acquireCommand([
          ['a', 'exclusive'],
          ['b', 'exclusive'],
        ]),
      ),
    ).toMatchObject({ code: 'LOCK_HELD', details: { name: 'b' } })
    expect(
      bed.run(
        acquireCommand(
          [
            ['a', 'exclusive'],
            ['b', 'exclusive'],
          ],
          { waitMs: 1_000 },
        ),
      ),
    ).toBe(null)
    const set = bed.ticket
    expect(bed.status('a')).toMatchObject({ state: 'free', queueLength: 1 })
    const behind = bed.queue('a')
    bed.release(b)
    expect(bed.answerOf(set)).toMatchObject({
      type: 'granted',
      grants: [
        { name: 'a', token: 2 },
        { name: 'b', token: 3 },
      ],
    })
    expect(bed.answerOf(behind)).toBe(undefined)
  })

  test('a set that times out frees those behind it', () => {
    const bed = new Bed()
    bed.take('b')
    bed.run(
      acquireCommand(
        [
          ['a', 'exclusive'],
          ['b', 'exclusive'],
        ],
        { waitMs: 1_000 },
      ),
    )
    const set = bed.ticket
    const behind = bed.queue('a')
    bed.pass(1_000)
    expect(refusalOf(bed.answerOf(set))).toMatchObject({ code: 'WAIT_TIMEOUT', details: { name: 'b', queueLength: 0 } })
    expect(grantOf(bed.answerOf(behind)).name).toBe('a')
  })

  test('a waiting set re-enters what its owner holds when it is granted', () => {
    const bed = new Bed()
    const session = bed.open()
    const own = { session, owner: 'x', reentrant: true }
    const a = bed.take('a', 'exclusive', own)
    const b = bed.take('b')
    const other = bed.queue('a')
    expect(
      bed.run(
        acquireCommand(
          [
            ['a', 'shared'],
            ['b', 'shared'],
          ],
          { ...own, waitMs: 1_000 },
        ),
      ),
    ).toBe(null)
    const set = bed.ticket
    bed.release(b)
    expect(bed.answerOf(set)).toMatchObject({
      grants: [
        { name: 'a', mode: 'exclusive', token: a.token, count: 2 },
        { name: 'b', count: 1 },
      ],
    })
    expect(bed.answerOf(other)).toBe(undefined)
  })

  test('or takes it anew when it was lost meanwhile', () => {
    const bed = new Bed()
    const session = bed.open(60_000)
    const own = { session, owner: 'x', reentrant: true }
    const a = bed.take('a', 'shared', { ...own, leaseMs: 1_000 })
    const b = bed.take('b')
    bed.run(
      acquireCommand(
        [
          ['a', 'shared'],
          ['b', 'shared'],
        ],
        { ...own, waitMs: 9_000 },
      ),
    )
    const set = bed.ticket
    bed.pass(1_000)
    bed.release(b)
    const reply = bed.answerOf(set)
    expect(reply).toMatchObject({
      grants: [
        { name: 'a', count: 1 },
        { name: 'b', count: 1 },
      ],
    })
    expect(grantOf(reply).token).toBeGreaterThan(a.token)
  })
})

describe('owners', () => {
  test('re-entry counts, keeps token and grant, and never shortens the lease', () => {
    const bed = new Bed()
    const session = bed.open()
    const own = { session, owner: 'x', reentrant: true }
    const first = bed.take('a', 'exclusive', { ...own, leaseMs: 10_000 })
    const again = bed.take('a', 'shared', { ...own, leaseMs: 1_000 })
    expect(again).toEqual({ ...first, count: 2 })
    expect(bed.release(first, session)).toMatchObject({ type: 'released', count: 1 })
    expect(bed.release(first, session)).toMatchObject({ type: 'released', count: 0 })
    expect(bed.status('a').state).toBe('free')
  })

  test('without `reentrant`, or for more than it holds: ALREADY_HELD with the grant', () => {
    const bed = new Bed()
    const session = bed.open()
    const grant = bed.take('a', 'shared', { session, owner: 'x' })
    for (const [mode, reentrant] of [
      ['shared', false],
      ['exclusive', true],
    ] as const) {
      const refusal = refusalOf(bed.acquire('a', mode, { session, owner: 'x', reentrant, waitMs: 100 }))
      expect(refusal).toMatchObject({ code: 'ALREADY_HELD', details: { grant } })
    }
    bed.take('a', 'shared', { session, owner: 'y' })
    expect(refusalOf(bed.acquire('a', 'shared', { session, owner: 'x' })).code).toBe('ALREADY_HELD')
  })

  test('at most 64 entries', () => {
    const bed = new Bed()
    const own = { session: bed.open(), owner: 'x', reentrant: true }
    for (let i = 0; i < LIMITS.reentryMax; i++) bed.take('a', 'exclusive', own)
    expect(refusalOf(bed.acquire('a', 'exclusive', own)).code).toBe('QUOTA')
  })

  test('one wait per named owner; nameless ones are all different', () => {
    const bed = new Bed()
    const session = bed.open()
    bed.take('a')
    bed.queue('a', 'exclusive', { session, owner: 'x' })
    expect(refusalOf(bed.acquire('b', 'exclusive', { session, owner: 'x' })).code).toBe('OWNER_BUSY')
    bed.take('b', 'exclusive', { session, owner: 'y' })
    bed.queue('a', 'exclusive', { session })
    bed.queue('a', 'exclusive', { session })
    expect(bed.status('a').queueLength).toBe(3)
  })

  test('the same name in two sessions, or without one, is not the same owner', () => {
    const bed = new Bed()
    const [one, two] = [bed.open(), bed.open()]
    bed.take('a', 'exclusive', { session: one, owner: 'x', reentrant: true })
    expect(refusalOf(bed.acquire('a', 'exclusive', { session: two, owner: 'x', reentrant: true })).code).toBe('LOCK_HELD')
    expect(refusalOf(bed.acquire('a', 'exclusive', { owner: 'x', reentrant: true })).code).toBe('LOCK_HELD')
  })

  test('too many waiters: OVERLOADED', () => {
    const bed = new Bed()
    bed.take('a')
    for (let i = 0; i < LIMITS.waitersPerLockMax; i++) {
      bed.machine.apply(bed, ++bed.ticket, WAIT)
    }
    expect(refusalOf(bed.acquire('a', 'exclusive', { waitMs: 1_000 }))).toMatchObject({ code: 'OVERLOADED' })
    expect(bed.status('a')).toMatchObject({ queueLength: LIMITS.waitersPerLockMax })
    expect(bed.status('a').waiters.length).toBe(LIMITS.statusEntriesMax)
  })
})

describe('release and renewal', () => {
  test('twice: 410 the second time', () => {
    const bed = new Bed()
    const grant = bed.take('a')
    bed.pass(7)
    expect(bed.release(grant)).toEqual({ type: 'released', count: 0, heldMs: 7 })
    expect(refusalOf(bed.release(grant)).code).toBe('LEASE_EXPIRED')
  })

  test('after expiry: 410, also when another holds it since', () => {
    const bed = new Bed()
    const grant = bed.take('a', 'exclusive', { leaseMs: 1_000, owner: 'x' })
    bed.pass(1_000)
    expect(refusalOf(bed.release(grant)).code).toBe('LEASE_EXPIRED')
    bed.take('a', 'exclusive', { owner: 'y' })
    expect(refusalOf(bed.release(grant)).code).toBe('LEASE_EXPIRED')
    expect(refusalOf(bed.run({ ...RENEW, name: 'a', grantId: grant.grantId })).code).toBe('LEASE_EXPIRED')
    expect(bed.status('a').state).toBe('held')
  })

  test('a lease ends at its deadline and not a millisecond before', () => {
    const bed = new Bed()
    bed.take('a', 'exclusive', { leaseMs: 1_000 })
    bed.pass(999)
    expect(bed.status('a').state).toBe('held')
    expect(bed.machine.nextDeadline()).toBe(1_000)
    bed.pass(1)
    expect(bed.status('a').state).toBe('free')
  })

  test('of a grant whose owner took the lock again: STALE_GRANT, nothing freed', () => {
    const bed = new Bed()
    const session = bed.open()
    for (const [as, by] of [
      [{ session, owner: 'x' }, session],
      [{ session }, session],
      [{ owner: 'job-9' }, null],
    ] as const) {
      const old = bed.take('a', 'exclusive', as)
      bed.release(old, by)
      const fresh = bed.take('a', 'exclusive', as)
      expect(refusalOf(bed.release(old, by))).toMatchObject({ code: 'STALE_GRANT', details: { grantId: fresh.grantId } })
      expect(bed.status('a').state).toBe('held')
      bed.release(fresh, by)
    }
  })

  test('by another: NOT_OWNER', () => {
    const bed = new Bed()
    const [one, two] = [bed.open(30_000, 'one'), bed.open(30_000, 'two')]
    const explicit = bed.take('a', 'exclusive', { session: one })
    for (const session of [two, null, { id: one.id, proof: 'forged' }, { id: 's_zz', proof: 'p' }]) {
      expect(refusalOf(bed.release(explicit, session)).code).toBe('NOT_OWNER')
    }
    const implicit = bed.take('b')
    for (const session of [two, { id: implicit.session, proof: 'forged' }, { id: 's_g_zz', proof: 'i' }]) {
      expect(refusalOf(bed.release(implicit, session)).code).toBe('NOT_OWNER')
    }
    expect(bed.release(implicit, { id: implicit.session, proof: 'i' })).toMatchObject({ type: 'released' })
    expect(bed.release(explicit, one)).toMatchObject({ type: 'released' })
  })

  test('without a session, the grant id is enough for a grant taken without one', () => {
    const bed = new Bed()
    expect(bed.release(bed.take('a', 'exclusive', { owner: 'curl' }))).toMatchObject({ type: 'released', count: 0 })
  })

  test('what never was: NOT_FOUND', () => {
    const bed = new Bed()
    const grant = bed.take('a', 'exclusive', { owner: 'x' })
    const wrong = [{ name: 'b' }, { grantId: 'g_2' }, { grantId: 'nonsense' }, { grantId: 'g_1' }, { grantId: 'g_1_zzz' }]
    for (const over of wrong) expect(refusalOf(bed.release({ ...grant, ...over })).code, JSON.stringify(over)).toBe('NOT_FOUND')
    const reply = bed.run({ type: 'lock_release', namespace: 'other', name: 'a', grantId: grant.grantId, session: null })
    expect(refusalOf(reply).code).toBe('NOT_FOUND')
  })

  test('renewal starts the lease anew: as granted, longer, or shorter', () => {
    const bed = new Bed()
    const grant = bed.take('a', 'exclusive', { leaseMs: 5_000 })
    const renew = (leaseMs: number | null): unknown => bed.run({ ...RENEW, name: 'a', grantId: grant.grantId, leaseMs })
    bed.pass(4_000)
    expect(renew(null)).toEqual({ type: 'renewed', remainingMs: 5_000, token: 1 })
    expect(renew(60_000)).toMatchObject({ remainingMs: 60_000 })
    bed.pass(20_000)
    expect(renew(1_000)).toMatchObject({ remainingMs: 1_000 })
    expect(bed.machine.nextDeadline()).toBe(bed.time + 1_000)
    bed.pass(1_000)
    expect(bed.status('a').state).toBe('free')
  })
})

describe('sessions', () => {
  test('closing releases all it has and cancels its waits in one apply', () => {
    const bed = new Bed()
    const session = bed.open()
    bed.take('a', 'exclusive', { session })
    bed.take('b', 'exclusive', { session })
    bed.take('c')
    const waiting = bed.queue('c', 'exclusive', { session })
    const heir = bed.queue('a')
    expect(bed.run({ type: 'session_close', session })).toEqual({ type: 'closed', released: 2 })
    expect(refusalOf(bed.answerOf(waiting)).code).toBe('SESSION_EXPIRED')
    expect(grantOf(bed.answerOf(heir)).name).toBe('a')
    expect(refusalOf(bed.run({ type: 'session_close', session })).code).toBe('SESSION_EXPIRED')
    expect(bed.machine.stats()).toMatchObject({ sessions: 0, grants: 2, locks: 2, waiters: 0 })
  })

  test('expiry likewise; keepalives prevent it, renewals of its grants do not', () => {
    const bed = new Bed()
    const session = bed.open(1_000)
    const grant = bed.take('a', 'exclusive', { session })
    bed.pass(900)
    expect(bed.run({ type: 'session_keepalive', session })).toEqual({ type: 'alive', remainingMs: 1_000 })
    bed.pass(900)
    bed.run({ ...RENEW, name: 'a', grantId: grant.grantId, session })
    bed.pass(100)
    expect(bed.status('a').state).toBe('free')
    expect(refusalOf(bed.run({ type: 'session_keepalive', session })).code).toBe('SESSION_EXPIRED')
    expect(refusalOf(bed.release(grant, session)).code).toBe('SESSION_EXPIRED')
    expect(refusalOf(bed.acquire('a', 'exclusive', { session })).code).toBe('SESSION_EXPIRED')
    expect(bed.events.slice(-2)).toMatchObject([
      { type: 'expired', name: 'a' },
      { type: 'session_expired', session: session.id },
    ])
  })

  test('one that lingers: past its TTL it waits for nothing, and ends when the last of its leases has', () => {
    const bed = new Bed()
    const session = bed.open(2_000, 'p', true)
    bed.take('a', 'exclusive', { session, leaseMs: 5_000 })
    bed.take('b')
    const waiting = bed.queue('b', 'exclusive', { session, waitMs: 20_000 })
    bed.pass(2_000)
    expect(refusalOf(bed.answerOf(waiting)).code).toBe('WAIT_TIMEOUT')
    expect(bed.status('a').state).toBe('held')
    expect(bed.run({ type: 'session_keepalive', session })).toEqual({ type: 'alive', remainingMs: 2_000 })
    bed.pass(2_999)
    expect(bed.status('a').state).toBe('held')
    bed.pass(1)
    expect(bed.status('a').state).toBe('free')
    expect(refusalOf(bed.run({ type: 'session_keepalive', session })).code).toBe('SESSION_EXPIRED')
  })

  test('the implicit session is its grant: keepalive renews, close releases, nothing else can be had with it', () => {
    const bed = new Bed()
    const grant = bed.take('a', 'exclusive', { leaseMs: 2_000, owner: 'x' })
    const session = { id: grant.session, proof: 'i' }
    bed.pass(1_500)
    expect(bed.run({ type: 'session_keepalive', session })).toEqual({ type: 'alive', remainingMs: 2_000 })
    expect(refusalOf(bed.acquire('b', 'exclusive', { session })).code).toBe('INVALID_ARGUMENT')
    expect(refusalOf(bed.run({ type: 'session_close', session: { ...session, proof: 'forged' } })).code).toBe('NOT_OWNER')
    expect(bed.run({ type: 'session_close', session })).toEqual({ type: 'closed', released: 1 })
    expect(refusalOf(bed.run({ type: 'session_keepalive', session })).code).toBe('SESSION_EXPIRED')
  })

  test('a session serves its own namespace', () => {
    const bed = new Bed()
    const session = bed.open()
    expect(refusalOf(bed.acquire('a', 'exclusive', { session, namespace: 'other' })).code).toBe('FORBIDDEN')
  })

  test('list, page by page', () => {
    const bed = new Bed()
    const ids = [1, 2, 3].map(() => bed.open().id)
    bed.take('a', 'exclusive', { session: { id: ids[0] as string, proof: 'p' } })
    const page = (cursor: string): unknown => bed.machine.query({ type: 'session_list', namespace: 'default', cursor, limit: 2 }, bed.time)
    const view = { name: 'worker', ttlMs: 30_000, remainingMs: 30_000, waits: 0, metadata: {} }
    expect(page('')).toEqual({
      sessions: [
        { id: ids[0], grants: 1, ...view },
        { id: ids[1], grants: 0, ...view },
      ],
      cursor: ids[1],
    })
    expect(page(ids[1] as string)).toEqual({ sessions: [{ id: ids[2], grants: 0, ...view }], cursor: null })
  })
})

describe('time and loss', () => {
  test('the wait deadline is decided by T', () => {
    const bed = new Bed()
    const holder = bed.take('a', 'exclusive', { owner: 'h' })
    const ticket = bed.queue('a', 'exclusive', { waitMs: 500 })
    bed.pass(499)
    expect(bed.answerOf(ticket)).toBe(undefined)
    bed.pass(1)
    expect(refusalOf(bed.answerOf(ticket))).toMatchObject({ code: 'WAIT_TIMEOUT', details: { holders: [{ owner: 'h' }], queueLength: 0 } })
    bed.release(holder)
    expect(bed.settledLog.length).toBe(1)
  })

  test('a wait whose caller has gone is taken out, once', () => {
    const bed = new Bed()
    const holder = bed.take('a', 'shared')
    const writer = bed.queue('a', 'exclusive')
    const reader = bed.queue('a', 'shared')
    bed.cancel(writer)
    bed.cancel(writer)
    bed.cancel(999)
    expect(refusalOf(bed.answerOf(writer)).code).toBe('WAIT_TIMEOUT')
    expect(grantOf(bed.answerOf(reader)).token).toBe(2)
    bed.release(holder)
  })

  test('a mass death is paced: 1,000 per entry, in order, and the rest live until the next', () => {
    const bed = new Bed()
    for (let i = 0; i < 1_500; i++) bed.machine.apply(bed, ++bed.ticket, encodeHold(i))
    bed.pass(1_000)
    expect(bed.machine.stats().grants).toBe(500)
    expect(bed.events.filter(({ type }) => type === 'expired')).toHaveLength(1_000)
    expect(bed.status('l999').state).toBe('free')
    expect(bed.status('l1000')).toMatchObject({ state: 'held', holders: [{ remainingMs: 0 }] })
    expect(bed.machine.nextDeadline()).toBeLessThanOrEqual(bed.time)
    bed.pass(0)
    expect(bed.machine.stats()).toMatchObject({ grants: 0, locks: 0 })
    expect(bed.machine.nextDeadline()).toBe(Infinity)
  })
})

describe('records', () => {
  test('what came and went between two drains is not written', () => {
    const bed = new Bed()
    bed.drain()
    bed.release(bed.take('a'))
    expect(bed.machine.dirty).toBe(1)
    expect(bed.drain()).toBe(1)
    expect([...bed.store.keys()]).toEqual(['63'])
  })

  test('what was stored is deleted when it ends', () => {
    const bed = new Bed()
    const session = bed.open()
    const grant = bed.take('a', 'exclusive', { session })
    bed.queue('a')
    expect(bed.drain()).toBe(4)
    bed.release(grant, session)
    bed.run({ type: 'session_close', session })
    bed.pass(30_000)
    bed.drain()
    expect([...bed.store.keys()]).toEqual(['63'])
  })

  test('tokens go on rising after a restart without any lock; numbers beyond 32 bits survive', () => {
    const bed = new Bed()
    bed.time = 2 ** 40
    bed.release(bed.take('a'))
    const grant = bed.take('b', 'exclusive', { leaseMs: 86_400_000, metadata: { a: 1 } })
    const copy = bed.copy()
    expect(copy.status('b')).toEqual(bed.status('b'))
    expect(copy.machine.nextDeadline()).toBe(2 ** 40 + 86_400_000)
    expect(copy.take('a').token).toBe(grant.token + 1)
  })

  test('reset forgets everything', () => {
    const bed = new Bed()
    bed.take('a')
    bed.machine.reset()
    expect(bed.machine.stats()).toMatchObject({ grants: 0, locks: 0 })
    expect(bed.machine.dirty).toBe(0)
    expect(bed.take('a').token).toBe(1)
  })

  test('a record of a session that is not there is a damaged store', () => {
    const bed = new Bed()
    bed.take('a', 'exclusive', { session: bed.open() })
    bed.drain()
    for (const key of bed.store.keys()) if (key.startsWith('73')) bed.store.delete(key)
    expect(() => bed.copy()).toThrow('session that is not there')
  })
})

test('events tell what happened', () => {
  const bed = new Bed()
  const session = bed.open()
  const first = bed.take('a', 'exclusive', { session, owner: 'x' })
  bed.queue('a', 'shared', { owner: 'y' })
  bed.release(first, session)
  bed.pass(30_000)
  const a = { namespace: 'default', name: 'a' }
  const y = { ...a, owner: 'y', mode: 'shared' }
  expect(bed.events).toMatchObject([
    { ...a, type: 'granted', owner: 'x', mode: 'exclusive', token: 1, grantId: first.grantId, session: session.id },
    { ...y, type: 'waiting', token: null, grantId: null, session: null },
    { ...a, type: 'released', owner: 'x', token: 1 },
    { ...y, type: 'granted', token: 2 },
    { type: 'session_expired', session: session.id },
    { ...y, type: 'expired', token: 2 },
  ])
  expect(bed.machine.stats().tally).toMatchObject({ granted: 2, waited: 1, released: 1, expired: 1, sessionsExpired: 1 })
})
