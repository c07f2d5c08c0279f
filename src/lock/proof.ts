/**
 * Who speaks: from the ids and proofs that a command carries to the session or grant that they stand for.
 *
 *   an id nobody has (any more)                     SESSION_EXPIRED, or for a grant NOT_FOUND / LEASE_EXPIRED / STALE_GRANT
 *   an id that exists, and a proof that is not its   NOT_OWNER
 */
import { type Refused, refuse } from '../base/refusal.ts'
import type { GrantCommand } from './codec.ts'
import type { LockTable } from './table.ts'
import type { Session } from './session.ts'
import { Grant } from './grant.ts'
import { idOfGrant } from './views.ts'
import { ownerTag, parseGrantId, parseImplicitId, parseSessionId } from './ids.ts'

/** The session of that id. An implicit one is its grant. */
export function findSession(table: LockTable, id: string, proof: string): Session | Grant | Refused {
  const implicit = parseImplicitId(id)
  if (implicit !== null) {
    const grant = table.findGrant(implicit.token)
    if (grant === null || grant.session !== null || implicit.tag !== ownerTag(grant.owner)) return sessionExpired(id)
    return grant.proof === proof ? grant : notOwner('the secret is not that of the session')
  }
  const session = table.sessions.get(parseSessionId(id)) ?? null
  if (session === null || session.ending !== null) return sessionExpired(id)
  return session.proof === proof ? session : notOwner('the secret is not that of the session')
}

/** The live grant that a release or a renewal means, if the caller may touch it. */
export function findGrant(table: LockTable, command: GrantCommand): Grant | Refused {
  const id = parseGrantId(command.grantId)
  if (id === null || id.token > table.lastToken) return noSuchGrant(command)
  const grant = table.findGrant(id.token)
  if (grant === null) return deadGrant(table, command, id.token, id.tag)
  const { lock, session } = grant
  if (lock.name !== command.name || lock.namespace !== command.namespace) return noSuchGrant(command)
  if (id.tag !== (session === null ? ownerTag(grant.owner) : 0)) return noSuchGrant(command)
  // Without a session, who knows the id of a grant that was taken without one may end it: the plain curl case.
  if (command.session === '') return session === null ? grant : notOwner('the grant belongs to a session: send it')
  if (session === null) return isImplicitOwner(grant, command) ? grant : notOwner('the grant belongs to another session')
  const caller = findSession(table, command.session, command.proof)
  if (session.ending !== null && 'type' in caller) return caller
  return caller === session ? grant : notOwner('the grant belongs to another session')
}

/** Whether the command names and proves the implicit session of this grant, whose id is 's_' + the grant's. */
function isImplicitOwner(grant: Grant, { session, grantId, proof }: GrantCommand): boolean {
  return grant.proof === proof && session.length === grantId.length + 2 && session.startsWith('s_') && session.endsWith(grantId)
}

/** The token was given once, and the grant is gone. */
function deadGrant(table: LockTable, command: GrantCommand, token: number, tag: number): Refused {
  const { namespace, name } = command
  let session: Session | null = null
  if (command.session !== '' && parseImplicitId(command.session) === null) {
    const caller = findSession(table, command.session, command.proof)
    if ('type' in caller) return caller
    if (!(caller instanceof Grant)) session = caller
  }
  for (const holder of table.findLock(namespace, name)?.holders() ?? []) {
    if (holder.token < token || holder.session !== session) continue
    if (session === null && (tag === 0 || ownerTag(holder.owner) !== tag)) continue
    const newer = idOfGrant(holder)
    return refuse('STALE_GRANT', `${command.grantId} is over; the same owner holds ${name} again as ${newer}`, { name, grantId: newer })
  }
  return refuse('LEASE_EXPIRED', `${command.grantId} of ${name} is over: it was released, or its lease ran out`, { name })
}

function noSuchGrant(command: GrantCommand): Refused {
  return refuse('NOT_FOUND', `${command.name} has and had no grant ${command.grantId}`, { name: command.name })
}

function sessionExpired(id: string): Refused {
  return refuse('SESSION_EXPIRED', `there is no session ${id}: it was closed, or its time ran out`)
}

function notOwner(message: string): Refused {
  return refuse('NOT_OWNER', message)
}
