/**
 * A request that waits: a set of claims, one per lock, granted together or not at all. It holds nothing.
 *
 * Its place is fixed when it begins: vkey = T - priority * AGING_MS, then ticket. A request of a higher priority may
 * overtake one that came up to (difference of priority) * AGING_MS earlier, and never one that has waited longer; so
 * priority ages by itself, nobody starves, and no queue is ever re-sorted.
 */
import type { Millis } from '../base/ids.ts'
import type { Acquire } from './codec.ts'
import type { Lock } from './lock.ts'
import type { ModeIndex } from './modes.ts'
import type { Session } from './session.ts'
import type { Timed } from '../base/deadlines.ts'
import type { Tracked } from '../base/changes.ts'
import { KINDS } from './grant.ts'

/** What one step of priority is worth, in time already waited. */
export const AGING_MS = 1_000
const KIND = 0

export function vkeyOf(time: Millis, priority: number): number {
  return time - priority * AGING_MS
}

/** One lock of a waiting request. */
export interface Claim {
  readonly waiter: Waiter
  readonly lock: Lock
  readonly mode: ModeIndex
}

export class Waiter implements Timed, Tracked {
  /** The ticket of the command: the tie of the order, and where the answer goes. */
  readonly ticket: number
  readonly request: Acquire
  readonly session: Session | null
  readonly since: Millis
  readonly vkey: number
  readonly deadline: Millis
  /** In the order of the request's items. */
  readonly claims: readonly Claim[]
  place = -1
  dirtyAt = -1
  stored = false
  /** Set while the pump has it on its list. */
  ready = false

  constructor(ticket: number, request: Acquire, session: Session | null, since: Millis, locks: readonly Lock[]) {
    this.ticket = ticket
    this.request = request
    this.session = session
    this.since = since
    this.vkey = vkeyOf(since, request.priority)
    this.deadline = since + request.waitMs
    this.claims = request.items.map((item, at) => ({ waiter: this, lock: locks[at] as Lock, mode: item.mode }))
  }

  get owner(): string {
    return this.request.owner
  }

  get order(): number {
    return this.ticket * KINDS + KIND
  }

  /** Whether this request is ordered before one with that key. */
  precedes(vkey: number, ticket: number): boolean {
    return this.vkey < vkey || (this.vkey === vkey && this.ticket < ticket)
  }
}
