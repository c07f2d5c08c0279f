/**
 * One lock while it is held or waited for; without either it does not exist. Nearly all locks have one holder and no
 * queue, and cost these few fields.
 *
 * Invariants: (1) `crowd` is null or has at least two grants, and then `holder` is null; (2) `queue` is null or not empty;
 * (3) the holders are compatible with each other; (4) a named owner holds it once at most.
 */
import { hashString } from './string-hash.ts'
import { Crowd } from './crowd.ts'
import { Queue } from './queue.ts'
import type { Claim } from './waiter.ts'
import type { Grant } from './grant.ts'
import type { Hashed } from './linear-hash.ts'
import type { ModeMask } from './modes.ts'
import type { Session } from './session.ts'

export function hashLock(seed: number, namespace: string, name: string): number {
  return hashString(hashString(seed, namespace), name)
}

export class Lock implements Hashed<Lock> {
  readonly namespace: string
  readonly name: string
  readonly hash: number
  next: Lock | null = null
  holder: Grant | null = null
  crowd: Crowd | null = null
  queue: Queue | null = null

  constructor(namespace: string, name: string, hash: number) {
    this.namespace = namespace
    this.name = name
    this.hash = hash
  }

  get isHeld(): boolean {
    return this.holder !== null || this.crowd !== null
  }

  get isEmpty(): boolean {
    return this.holder === null && this.crowd === null && this.queue === null
  }

  get holderCount(): number {
    return this.crowd !== null ? this.crowd.grants.size : this.holder === null ? 0 : 1
  }

  get queueLength(): number {
    return this.queue === null ? 0 : this.queue.claims.length
  }

  /** The set of modes held. */
  get held(): ModeMask {
    return this.crowd !== null ? this.crowd.mask : this.holder === null ? 0 : 1 << this.holder.mode
  }

  addHolder(grant: Grant): void {
    if (this.crowd !== null) {
      this.crowd.add(grant)
    } else if (this.holder === null) {
      this.holder = grant
    } else {
      this.crowd = new Crowd()
      this.crowd.add(this.holder)
      this.crowd.add(grant)
      this.holder = null
    }
  }

  removeHolder(grant: Grant): void {
    if (this.crowd === null) {
      this.holder = null
      return
    }
    this.crowd.remove(grant)
    if (this.crowd.grants.size > 1) return
    for (const last of this.crowd.grants.values()) this.holder = last
    this.crowd = null
  }

  /** The hold of a named owner of an explicit session, or null. */
  heldBy(session: Session | null, owner: string): Grant | null {
    if (session === null || owner === '') return null
    if (this.crowd !== null) return this.crowd.heldBy(session, owner)
    const { holder } = this
    return holder !== null && holder.session === session && holder.owner === owner ? holder : null
  }

  /** Oldest token first. */
  holders(): Iterable<Grant> {
    if (this.crowd !== null) return this.crowd.grants.values()
    return this.holder === null ? [] : [this.holder]
  }

  enqueue(claim: Claim): void {
    this.queue ??= new Queue()
    this.queue.add(claim)
  }

  dequeue(claim: Claim): void {
    this.queue?.remove(claim)
    if (this.queue?.claims.length === 0) this.queue = null
  }
}
