/**
 * The state of the lock machine and the few ways to change it. Every change goes through here, so that the indexes
 * never disagree:
 *
 *   locks by name ──▶ Lock ──▶ holders, queue          deadlines: grants, sessions, waiters
 *   grants by token, sessions by number, waiters by ticket        changes: what the next drain writes
 *
 * Who may be granted is decided in `rule.ts` and `pump.ts`; the locks that a change freed wait in `touched` for the pump.
 */
import { assert } from '../base/assert.ts'
import type { Millis } from '../base/ids.ts'
import type { ModeIndex } from './modes.ts'
import { Changes } from '../base/changes.ts'
import { Deadlines } from '../base/deadlines.ts'
import { Grant, hashToken } from './grant.ts'
import { LIMITS } from './types.ts'
import { LinearHash } from './linear-hash.ts'
import { Lock, hashLock } from './lock.ts'
import { Session, type SessionFacts, type Ending } from './session.ts'
import type { Waiter } from './waiter.ts'

export type Record = Grant | Session | Waiter

/** What a new grant is made of, besides its lock and mode. */
export interface Claimant {
  readonly session: Session | null
  readonly proof: string
  readonly owner: string
  readonly leaseMs: Millis
  readonly metadata: string
}

const INTERNED_MAX = 4096

export class LockTable {
  readonly locks = new LinearHash<Lock>()
  readonly grants = new LinearHash<Grant>()
  readonly sessions = new Map<number, Session>()
  readonly waiters = new Map<number, Waiter>()
  readonly deadlines = new Deadlines<Record>()
  readonly changes = new Changes<Record>()
  /** Locks that lost a holder or a waiter since the last pump. May repeat. */
  touched: Lock[] = []
  /** Locks with a holder. */
  heldLocks = 0
  /** How much may still end in this entry (`expiry.ts`); the same on every replica, and anew for each entry. */
  endingsLeft: number = LIMITS.expiriesPerEntryMax
  /** The replicated counters. */
  lastToken = 0
  lastSession = 0
  countersChanged = false
  readonly #hashSeed: number
  #interned = new Map<string, string>()

  constructor(hashSeed: number) {
    this.#hashSeed = hashSeed
  }

  findLock(namespace: string, name: string): Lock | null {
    let at = this.locks.chain(hashLock(this.#hashSeed, namespace, name))
    while (at !== null && (at.name !== name || at.namespace !== namespace)) at = at.next
    return at
  }

  /** The lock of that name, made when it is not there: the caller gives it a holder or a waiter at once. */
  lockFor(namespace: string, name: string): Lock {
    const found = this.findLock(namespace, name)
    if (found !== null) return found
    const lock = new Lock(this.intern(namespace), name, hashLock(this.#hashSeed, namespace, name))
    this.locks.add(lock)
    return lock
  }

  findGrant(token: number): Grant | null {
    let at = this.grants.chain(hashToken(token))
    while (at !== null && at.token !== token) at = at.next
    return at
  }

  /** Grants the lock under the next token. */
  grant(lock: Lock, mode: ModeIndex, claimant: Claimant, time: Millis): Grant {
    const { session, proof, leaseMs, metadata } = claimant
    const owner = this.intern(claimant.owner)
    this.lastToken += 1
    this.countersChanged = true
    const grant = new Grant(lock, this.lastToken, mode, session, proof, owner, time, leaseMs, time + leaseMs, 1, metadata)
    this.link(grant)
    this.changes.touched(grant)
    return grant
  }

  /** Puts a grant into every index. */
  link(grant: Grant): void {
    const { lock } = grant
    if (!lock.isHeld) this.heldLocks += 1
    lock.addHolder(grant)
    this.grants.add(grant)
    grant.session?.link(grant)
    this.deadlines.add(grant)
  }

  /** Ends a grant. */
  drop(grant: Grant): void {
    const { lock } = grant
    lock.removeHolder(grant)
    if (!lock.isHeld) this.heldLocks -= 1
    this.grants.remove(grant)
    grant.session?.unlink(grant)
    this.deadlines.remove(grant)
    this.changes.removed(grant)
    this.touched.push(lock)
  }

  /** Re-enters, leaves by one, or moves the lease of a grant. */
  update(grant: Grant, count: number, deadline: Millis): void {
    grant.count = count
    grant.deadline = deadline
    this.deadlines.moved(grant)
    this.changes.touched(grant)
  }

  wait(waiter: Waiter): void {
    this.linkWaiter(waiter)
    this.changes.touched(waiter)
  }

  linkWaiter(waiter: Waiter): void {
    this.waiters.set(waiter.ticket, waiter)
    waiter.session?.attach(waiter)
    for (const claim of waiter.claims) claim.lock.enqueue(claim)
    this.deadlines.add(waiter)
  }

  unwait(waiter: Waiter): void {
    this.waiters.delete(waiter.ticket)
    waiter.session?.detach(waiter)
    for (const claim of waiter.claims) {
      claim.lock.dequeue(claim)
      this.touched.push(claim.lock)
    }
    this.deadlines.remove(waiter)
    this.changes.removed(waiter)
  }

  openSession(of: Omit<SessionFacts, 'number'>, deadline: Millis): Session {
    this.lastSession += 1
    this.countersChanged = true
    const session = new Session({ ...of, number: this.lastSession, namespace: this.intern(of.namespace) }, deadline)
    this.linkSession(session)
    this.changes.touched(session)
    return session
  }

  linkSession(session: Session): void {
    this.sessions.set(session.number, session)
    this.deadlines.add(session)
  }

  keepAlive(session: Session, deadline: Millis): void {
    session.deadline = deadline
    this.deadlines.moved(session)
    this.changes.touched(session)
  }

  /** It has more grants than may end in this entry: it is due from now on, and nobody's any more. */
  beginEnding(session: Session, how: Ending, time: Millis): void {
    session.ending = how
    this.keepAlive(session, Math.min(session.deadline, time))
  }

  /** Forgets a session that owns nothing any more. */
  dropSession(session: Session): void {
    assert(session.grantCount === 0 && session.waitCount === 0, 'a session that ends owns nothing')
    this.sessions.delete(session.number)
    this.deadlines.remove(session)
    this.changes.removed(session)
  }

  /** Takes a lock out that nobody holds or waits for. */
  collect(lock: Lock): void {
    if (lock.isEmpty && this.findLock(lock.namespace, lock.name) === lock) this.locks.remove(lock)
  }

  /** One copy of the strings that repeat: namespaces and owners. */
  intern(text: string): string {
    const known = this.#interned.get(text)
    if (known !== undefined) return known
    if (this.#interned.size === INTERNED_MAX) this.#interned.clear()
    this.#interned.set(text, text)
    return text
  }
}
