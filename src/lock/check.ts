/**
 * The invariants of the lock machine, asserted over the whole state. For tests and the simulator.
 * Numbers are those of the list in `docs/locks.md`.
 */
import { assert } from '../base/assert.ts'
import type { Millis } from '../base/ids.ts'
import type { Grant } from './grant.ts'
import type { Lock } from './lock.ts'
import type { LockTable } from './table.ts'
import { Session } from './session.ts'
import { LIMITS } from './types.ts'
import { blockedClaim } from './rule.ts'
import { conflictsOf } from './modes.ts'

/** `time`: of the last apply. `paced`: the last `advance` left something due for the next entry. */
export function checkTable(table: LockTable, time: Millis, paced: boolean): void {
  const held = checkLocks(table)
  checkGrants(table, held)
  checkWaiters(table)
  table.deadlines.check()
  const records = table.grants.size + table.sessions.size + table.waiters.size
  assert(table.deadlines.size === records, 'every grant, session and waiter has one deadline')
  const next = table.deadlines.first()
  const isEnding = next instanceof Session && next.ending !== null
  assert(paced || isEnding || next === null || next.deadline > time, '(5) something overdue is alive')
}

/** Locks by themselves; returns how many grants they have. */
function checkLocks(table: LockTable): number {
  let grants = 0
  let heldLocks = 0
  for (const lock of table.locks) {
    assert(!lock.isEmpty, `(6) an empty lock exists: ${lock.name}`)
    assert(table.findLock(lock.namespace, lock.name) === lock, 'a lock is not found under its name')
    if (lock.isHeld) heldLocks += 1
    assert(lock.crowd === null || (lock.holder === null && lock.holderCount > 1), 'a crowd of one')
    grants += lock.holderCount
    checkCompatible(lock, [...lock.holders()])
    checkQueue(lock)
  }
  assert(heldLocks === table.heldLocks, 'the count of held locks is wrong')
  return grants
}

function checkCompatible(lock: Lock, holders: readonly Grant[]): void {
  let mask = 0
  let token = 0
  for (const holder of holders) {
    assert((conflictsOf(holder.mode) & mask) === 0, `(1) incompatible holders of ${lock.name}`)
    assert(holder.token > token, `holders of ${lock.name} are out of order`)
    assert(holder.lock === lock && lock.heldBy(holder.session, holder.owner) === (isNamed(holder) ? holder : null), 'owner index is wrong')
    mask |= 1 << holder.mode
    token = holder.token
  }
  assert(lock.held === mask, `the modes held of ${lock.name} are wrong`)
}

function isNamed(grant: Grant): boolean {
  return grant.session !== null && grant.owner !== ''
}

function checkQueue(lock: Lock): void {
  if (lock.queue === null) return
  let mask = 0
  lock.queue.claims.forEach((claim, at, claims) => {
    const before = claims[at - 1]?.waiter
    assert(before === undefined || before.precedes(claim.waiter.vkey, claim.waiter.ticket), `the queue of ${lock.name} is out of order`)
    assert(claim.lock === lock && claim.waiter.claims.includes(claim), 'a claim is in the wrong queue')
    mask |= 1 << claim.mode
  })
  assert(lock.queue.mask === mask, `the modes that wait for ${lock.name} are wrong`)
  assert(lock.queueLength > 0 && lock.queueLength <= LIMITS.waitersPerLockMax, 'length of a queue')
}

function checkGrants(table: LockTable, held: number): void {
  let grants = 0
  const perSession = new Map<number, number>()
  for (const grant of table.grants) {
    grants += 1
    assert(table.findGrant(grant.token) === grant, 'a grant is not found by its token')
    assert(grant.token > 0 && grant.token <= table.lastToken, '(3) a token above the counter')
    assert(table.findLock(grant.lock.namespace, grant.lock.name) === grant.lock, 'a grant of a lock that does not exist')
    if (grant.session === null) continue
    assert(table.sessions.get(grant.session.number) === grant.session, '(2) a grant outlives its session')
    perSession.set(grant.session.number, (perSession.get(grant.session.number) ?? 0) + 1)
  }
  assert(grants === held && grants === table.grants.size, 'grants by token and by lock differ')
  for (const session of table.sessions.values()) {
    assert(session.grantCount === (perSession.get(session.number) ?? 0), "the count of a session's grants is wrong")
    const tokens = session.grants().map((grant) => grant.token)
    assert(tokens.length === session.grantCount, "the list of a session's grants is wrong")
    assert(!tokens.some((token, at) => token <= (tokens[at - 1] ?? 0)), "the list of a session's grants is out of order")
    assert(session.ending === null || (session.grantCount > 0 && session.waitCount === 0), 'a session that has ended is still there')
    assert(session.number <= table.lastSession, 'a session above the counter')
  }
}

function checkWaiters(table: LockTable): void {
  let waits = 0
  for (const waiter of table.waiters.values()) {
    const { session } = waiter
    assert(session === null || table.sessions.get(session.number) === session, '(2) a wait outlives its session')
    assert(session === null || session.waiters().includes(waiter), 'a session does not know its waiter')
    assert(waiter.owner === '' || session === null || session.isBusy(waiter.owner), 'a waiting owner is not busy')
    for (const claim of waiter.claims) assert(claim.lock.queue?.claims.includes(claim), 'a claim is in no queue')
    assert(blockedClaim(waiter) !== null, `(4) a waiter is grantable: ticket ${waiter.ticket}`)
    if (session !== null) waits += 1
  }
  let known = 0
  for (const session of table.sessions.values()) known += session.waitCount
  assert(known === waits, 'waits by ticket and by session differ')
}
