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

export class Session implements Timed, Tracked {
  /** Replicated counter, from 1, never reused. */
  readonly number: number
  readonly namespace: string
  readonly proof: string
  readonly name: string
  readonly ttlMs: Millis
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

  constructor(number: number, namespace: string, proof: string, name: string, ttlMs: Millis, deadline: Millis, metadata: string) {
    this.number = number
    this.namespace = namespace
    this.proof = proof
    this.name = name
    this.ttlMs = ttlMs
    this.deadline = deadline
    this.metadata = metadata
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
