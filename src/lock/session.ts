/**
 * An explicit session: it owns grants and waits, and takes them all with it when it ends. Its deadline moves by
 * keepalives alone; renewing a grant extends that grant and nothing else.
 *
 * Invariant: its grants are in a list by token, newest first, however they came.
 */
import type { Millis } from '../base/ids.ts'
import type { Grant } from './grant.ts'
import type { Timed } from '../base/deadlines.ts'
import type { Tracked } from '../base/changes.ts'
import type { Waiter } from './waiter.ts'
import { KINDS } from './grant.ts'

const KIND = 1

/** Whether its holder let go, or was lost. */
export type Ending = 'released' | 'expired'

/** What a session is from its opening to its end. */
export interface SessionFacts {
  /** Replicated counter, from 1, never reused. */
  readonly number: number
  readonly namespace: string
  readonly proof: string
  readonly name: string
  readonly ttlMs: Millis
  /** See OpenSessionCommand. */
  readonly lingers: boolean
  readonly metadata: string
}

export class Session implements SessionFacts, Timed, Tracked {
  #facts: SessionFacts
  deadline: Millis
  /** Set once it has ended and still has grants, for the next entries to end: nobody can use it any more. */
  ending: Ending | null = null
  place = -1
  dirtyAt = -1
  stored = false
  grantCount = 0
  #newest: Grant | null = null
  #oldest: Grant | null = null
  /** By ticket; null while there is none. */
  #waiters: Map<number, Waiter> | null = null
  /** The waits of named owners: at most one each. */
  #busy: Map<string, Waiter> | null = null

  constructor(of: SessionFacts, deadline: Millis) {
    this.#facts = of
    this.deadline = deadline
  }

  /** For records of its grants that come before its own: a session of which only the number is known. */
  static promised(number: number): Session {
    return new Session({ number, namespace: '', proof: '', name: '', ttlMs: 0, lingers: false, metadata: '' }, Infinity)
  }

  fulfil(of: SessionFacts, deadline: Millis, ending: Ending | null): void {
    this.#facts = of
    this.deadline = deadline
    this.ending = ending
  }

  get number(): number {
    return this.#facts.number
  }

  get namespace(): string {
    return this.#facts.namespace
  }

  get proof(): string {
    return this.#facts.proof
  }

  get name(): string {
    return this.#facts.name
  }

  get ttlMs(): Millis {
    return this.#facts.ttlMs
  }

  get lingers(): boolean {
    return this.#facts.lingers
  }

  get metadata(): string {
    return this.#facts.metadata
  }

  get order(): number {
    return this.number * KINDS + KIND
  }

  get waitCount(): number {
    return this.#waiters?.size ?? 0
  }

  /** Tokens rise, and records are loaded by token: the place is nearly always the head. */
  link(grant: Grant): void {
    let newer: Grant | null = null
    let older = this.#newest
    while (older !== null && older.token > grant.token) {
      newer = older
      older = older.after
    }
    grant.before = newer
    grant.after = older
    if (newer === null) this.#newest = grant
    else newer.after = grant
    if (older === null) this.#oldest = grant
    else older.before = grant
    this.grantCount += 1
  }

  unlink(grant: Grant): void {
    if (grant.before === null) this.#newest = grant.after
    else grant.before.after = grant.after
    if (grant.after === null) this.#oldest = grant.before
    else grant.after.before = grant.before
    grant.before = null
    grant.after = null
    this.grantCount -= 1
  }

  /** When the last of its leases ends; 0 without grants. */
  get leasesEnd(): Millis {
    let end = 0
    for (let at = this.#newest; at !== null; at = at.after) end = Math.max(end, at.deadline)
    return end
  }

  /** The grant with the lowest token. */
  get oldest(): Grant | null {
    return this.#oldest
  }

  /** Oldest token first. */
  grants(): Grant[] {
    const grants: Grant[] = []
    for (let at = this.#oldest; at !== null; at = at.before) grants.push(at)
    return grants
  }

  isBusy(owner: string): boolean {
    return this.#busy !== null && owner !== '' && this.#busy.has(owner)
  }

  attach(waiter: Waiter): void {
    this.#waiters ??= new Map()
    this.#waiters.set(waiter.ticket, waiter)
    if (waiter.owner === '') return
    this.#busy ??= new Map()
    this.#busy.set(waiter.owner, waiter)
  }

  detach(waiter: Waiter): void {
    this.#waiters?.delete(waiter.ticket)
    if (this.#waiters?.size === 0) this.#waiters = null
    if (waiter.owner !== '') this.#busy?.delete(waiter.owner)
    if (this.#busy?.size === 0) this.#busy = null
  }

  /** Oldest ticket first. */
  waiters(): Waiter[] {
    return this.#waiters === null ? [] : [...this.#waiters.values()].sort((a, b) => a.ticket - b.ticket)
  }
}
