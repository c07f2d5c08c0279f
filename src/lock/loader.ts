/**
 * Takes records back, in any order, and puts each to its place at once: `finish` has to be short, however many there are.
 * What refers to a session that has not come yet (by their keys grants come first) is given the promise of it. Only the
 * few things whose order in memory matters wait for the end.
 */
import { assert } from '../base/assert.ts'
import { COUNTERS, GRANT, SESSION, VERSION, WAITER, numberOf, requestOf } from './records.ts'
import { Grant } from './grant.ts'
import { Session } from './session.ts'
import { Waiter } from './waiter.ts'
import type { Lock } from './lock.ts'
import type { LockTable } from './table.ts'
import type { CountersTuple, GrantTuple, SessionTuple, WaiterTuple } from './records.ts'
import { packer } from './codec-packer.ts'

export class Loader {
  readonly #table: LockTable
  readonly #promised = new Map<number, Session>()
  #crowds = new Set<Lock>()

  constructor(table: LockTable) {
    this.#table = table
  }

  /** One record. A record that is not ours is a bug or a damaged store: it asserts. */
  load(key: Uint8Array, value: Uint8Array): void {
    const tuple: unknown = packer.unpack(value)
    assert(Array.isArray(tuple) && tuple[0] === VERSION, 'a lock record of an unknown version')
    switch (key[0]) {
      case COUNTERS:
        return this.#loadCounters(tuple as unknown as CountersTuple)
      case GRANT:
        return this.#loadGrant(numberOf(key), tuple as unknown as GrantTuple)
      case SESSION:
        return this.#loadSession(numberOf(key), tuple as unknown as SessionTuple)
      case WAITER:
        return this.#loadWaiter(numberOf(key), tuple as unknown as WaiterTuple)
    }
    assert(false, `a lock record of an unknown kind: ${key[0]}`)
  }

  finish(): void {
    for (const number of this.#promised.keys()) assert(false, `record of a session that is not there: ${number}`)
    for (const lock of this.#crowds) lock.crowd?.restoreOrder()
    const { sessions } = this.#table
    const ordered = [...sessions].sort(([a], [b]) => a - b)
    sessions.clear()
    for (const [number, session] of ordered) sessions.set(number, session)
    this.#crowds = new Set()
  }

  #loadCounters([, lastToken, lastSession]: CountersTuple): void {
    this.#table.lastToken = lastToken
    this.#table.lastSession = lastSession
  }

  #loadSession(number: number, tuple: SessionTuple): void {
    const [, namespace, proof, name, ttlMs, lingers, deadline, metadata, ending = null] = tuple
    const session = this.#promised.get(number) ?? Session.promised(number)
    this.#promised.delete(number)
    session.fulfil({ number, namespace: this.#table.intern(namespace), proof, name, ttlMs, lingers, metadata }, deadline, ending)
    session.stored = true
    this.#table.linkSession(session)
  }

  #loadGrant(token: number, tuple: GrantTuple): void {
    const table = this.#table
    const [, namespace, name, mode, owner, session, proof, grantedAt, leaseMs, deadline, count, metadata] = tuple
    const lock = table.lockFor(namespace, name)
    const by = this.#session(session)
    const grant = new Grant(lock, token, mode, by, proof, table.intern(owner), grantedAt, leaseMs, deadline, count, metadata)
    grant.stored = true
    table.link(grant)
    if (lock.crowd !== null) this.#crowds.add(lock)
  }

  #loadWaiter(ticket: number, tuple: WaiterTuple): void {
    const table = this.#table
    const [, , session, , , since] = tuple
    const request = requestOf(tuple)
    const locks = request.items.map(({ name }) => table.lockFor(request.namespace, name))
    const waiter = new Waiter(ticket, request, this.#session(session), since, locks)
    waiter.stored = true
    table.linkWaiter(waiter)
  }

  #session(number: number): Session | null {
    if (number === 0) return null
    const known = this.#table.sessions.get(number) ?? this.#promised.get(number)
    if (known !== undefined) return known
    const session = Session.promised(number)
    this.#promised.set(number, session)
    return session
  }
}
