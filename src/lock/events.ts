/**
 * What observers may want to know of the locks: tuples, cheap to make, since every replica makes them and only the
 * leader's watchers read them.
 *
 *   [type, namespace, name, owner, mode, token, session]     session 0: implicit; token 0: waiting, not granted
 *   ['session_expired', namespace, number]
 */
import type { Plain } from '../actors/envelope.ts'
import type { Claim } from './waiter.ts'
import type { Grant } from './grant.ts'
import type { Mode } from './types.ts'
import type { Session } from './session.ts'
import { grantId, sessionId } from './ids.ts'
import { modeName } from './modes.ts'
import type { ModeIndex } from './modes.ts'

export type GrantEventType = 'granted' | 'released' | 'expired'

export interface LockEvent {
  readonly type: GrantEventType | 'waiting'
  readonly namespace: string
  readonly name: string
  readonly owner: string
  readonly mode: Mode
  /** null while it waits. */
  readonly token: number | null
  readonly grantId: string | null
  /** null: an implicit session that does not exist before the grant. */
  readonly session: string | null
}
export interface SessionEvent {
  readonly type: 'session_expired'
  readonly namespace: string
  readonly session: string
}

type EventTuple = readonly [type: string, namespace: string, name: string, owner: string, mode: ModeIndex, token: number, session: number]
type SessionTuple = readonly [type: string, namespace: string, number: number]

export function grantEvent(type: GrantEventType, grant: Grant): Plain {
  const { lock, owner, mode, token, session } = grant
  return [type, lock.namespace, lock.name, owner, mode, token, session === null ? 0 : session.number]
}

export function waitingEvent(claim: Claim): Plain {
  const { lock, mode, waiter } = claim
  return ['waiting', lock.namespace, lock.name, waiter.owner, mode, 0, waiter.session === null ? 0 : waiter.session.number]
}

export function sessionExpiredEvent(session: Session): Plain {
  return ['session_expired', session.namespace, session.number]
}

/** The event in words; null for an event that is none of ours. */
export function decodeEvent(event: Plain): LockEvent | SessionEvent | null {
  if (!Array.isArray(event)) return null
  const type = event[0] as unknown
  switch (type) {
    case 'session_expired': {
      const [, namespace, number] = event as unknown as SessionTuple
      return { type, namespace, session: sessionId(number, '') }
    }
    case 'waiting': {
      const [, namespace, name, owner, mode, , session] = event as unknown as EventTuple
      const id = session === 0 ? null : sessionId(session, '')
      return { type, namespace, name, owner, mode: modeName(mode), token: null, grantId: null, session: id }
    }
    case 'granted':
    case 'released':
    case 'expired': {
      const [, namespace, name, owner, mode, token, session] = event as unknown as EventTuple
      const id = grantId(token, session, owner)
      return { type, namespace, name, owner, mode: modeName(mode), token, grantId: id, session: sessionId(session, id) }
    }
    default:
      return null
  }
}
