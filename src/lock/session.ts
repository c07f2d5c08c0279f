/**
 * An explicit session: it owns grants and waits, and takes them all with it when it ends. Its deadline moves by
 * keepalives alone; renewing a grant extends that grant and nothing else.
 */
import type { Millis } from '../base/ids.ts'
import type { Grant } from './grant.ts'
import type { Timed } from './deadlines.ts'
import type { Tracked } from './changes.ts'
import type { Waiter } from './waiter.ts'
import { KINDS } from './grant.ts'

const KIND = 1

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
  readonly number: number
  readonly namespace: string
  readonly proof: string
  readonly name: string
  readonly ttlMs: Millis
  readonly lingers: boolean
  readonly metadata: string
  deadline: Millis
  heapAt = -1
  dirtyAt = -1
  stored = false
  grantCount = 0
  /** Head of the list that runs through the grants. */
  #firstGrant: Grant | null = null
  /** By ticket; null while there is none. */
  #waiters: Map<number, Waiter> | null = null
  /** The waits of named owners: at most one each. */
  #busy: Map<string, Waiter> | null = null

  constructor(of: SessionFacts, deadline: Millis) {
    this.number = of.number
    this.namespace = of.namespace
    this.proof = of.proof
    this.name = of.name
    this.ttlMs = of.ttlMs
    this.lingers = of.lingers
    this.metadata = of.metadata
    this.deadline = deadline
  }

  get order(): number {
    return this.number * KINDS + KIND
  }

  get waitCount(): number {
    return this.#waiters?.size ?? 0
  }

  link(grant: Grant): void {
    grant.after = this.#firstGrant
    if (this.#firstGrant !== null) this.#firstGrant.before = grant
    this.#firstGrant = grant
    this.grantCount += 1
  }

  unlink(grant: Grant): void {
    if (grant.before === null) this.#firstGrant = grant.after
    else grant.before.after = grant.after
    if (grant.after !== null) grant.after.before = grant.before
    grant.before = null
    grant.after = null
    this.grantCount -= 1
  }

  /** When the last of its leases ends; 0 without grants. */
  get leasesEnd(): Millis {
    let end = 0
    for (let at = this.#firstGrant; at !== null; at = at.after) end = Math.max(end, at.deadline)
    return end
  }

  /** Oldest token first: an order that does not depend on how the list was built. */
  grants(): Grant[] {
    const grants: Grant[] = []
    for (let at = this.#firstGrant; at !== null; at = at.after) grants.push(at)
    return grants.sort((a, b) => a.token - b.token)
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
