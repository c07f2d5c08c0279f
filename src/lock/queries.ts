/** Reads: status of a name, list of sessions, numbers. Requests come from other nodes and are not trusted. */
import type { Millis } from '../base/ids.ts'
import { invalid } from '../base/refusal.ts'
import type { Plain } from '../actors/envelope.ts'
import type { LockStats, SessionView } from './types.ts'
import type { LockTable } from './table.ts'
import { LIMITS } from './types.ts'
import { parseSessionId } from './ids.ts'
import { refused } from './replies.ts'
import { sessionView, statusView } from './views.ts'

export function statsOf(table: LockTable): LockStats {
  return { grants: table.grants.size, locks: table.heldLocks, waiters: table.waiters.size, sessions: table.sessions.size }
}

export function answer(table: LockTable, request: Plain, time: Millis): Plain {
  if (typeof request !== 'object' || request === null) return refused(invalid('', 'not a question to the locks'))
  const { type, namespace, name, cursor, limit } = request as { readonly [key: string]: unknown }
  switch (type) {
    case 'lock_status':
      if (typeof namespace !== 'string' || typeof name !== 'string') return refused(invalid('name', 'namespace and name are strings'))
      return statusView(name, table.findLock(namespace, name), time) as unknown as Plain
    case 'session_list':
      if (typeof namespace !== 'string' || typeof cursor !== 'string') return refused(invalid('cursor', 'namespace and cursor are strings'))
      return listSessions(table, namespace, cursor, typeof limit === 'number' ? limit : 0, time)
    case 'lock_stats':
      return statsOf(table) as unknown as Plain
    default:
      return refused(invalid('type', 'not a question to the locks'))
  }
}

/** Sessions after the cursor (the last id seen, '' to begin), by number. */
function listSessions(table: LockTable, namespace: string, cursor: string, limit: number, time: Millis): Plain {
  const max = Math.min(limit >= 1 ? Math.floor(limit) : LIMITS.sessionListMax, LIMITS.sessionListMax)
  const after = cursor === '' ? 0 : parseSessionId(cursor)
  if (cursor !== '' && after === 0) return refused(invalid('cursor', 'not a cursor of this list'))
  const sessions: SessionView[] = []
  let more = false
  for (const session of table.sessions.values()) {
    if (session.number <= after || session.namespace !== namespace || session.ending !== null) continue
    if (sessions.length === max) {
      more = true
      break
    }
    sessions.push(sessionView(session, time))
  }
  const last = sessions.at(-1)
  return { sessions, cursor: more && last !== undefined ? last.id : null } as unknown as Plain
}
