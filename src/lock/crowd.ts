/**
 * The holders of a lock that has more than one: by token, by named owner, and how many in each mode.
 * Locks with a single holder, nearly all of them, do without.
 */
import { MODES } from './types.ts'
import type { Grant } from './grant.ts'
import type { ModeMask } from './modes.ts'
import type { Session } from './session.ts'

export class Crowd {
  /** Oldest token first: tokens only rise, and `restoreOrder` repairs what loading mixed up. */
  readonly grants = new Map<number, Grant>()
  mask: ModeMask = 0
  #counts = MODES.map(() => 0)
  #named = new Map<string, Grant>()

  add(grant: Grant): void {
    this.grants.set(grant.token, grant)
    this.#counts[grant.mode] = (this.#counts[grant.mode] as number) + 1
    this.mask |= 1 << grant.mode
    if (grant.session !== null && grant.owner !== '') this.#named.set(ownerKey(grant.session, grant.owner), grant)
  }

  remove(grant: Grant): void {
    this.grants.delete(grant.token)
    const left = (this.#counts[grant.mode] as number) - 1
    this.#counts[grant.mode] = left
    if (left === 0) this.mask &= ~(1 << grant.mode)
    if (grant.session !== null && grant.owner !== '') this.#named.delete(ownerKey(grant.session, grant.owner))
  }

  /** After a load in any order. */
  restoreOrder(): void {
    const grants = [...this.grants.values()].sort((a, b) => a.token - b.token)
    this.grants.clear()
    for (const grant of grants) this.grants.set(grant.token, grant)
  }

  heldBy(session: Session, owner: string): Grant | null {
    return this.#named.get(ownerKey(session, owner)) ?? null
  }
}

function ownerKey(session: Session, owner: string): string {
  return `${session.number}/${owner}`
}
