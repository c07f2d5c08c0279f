/**
 * Replies of the machine: tuples, since every one of them waits in the group's request table for a possible
 * repetition, and is sent to the caller's gateway.
 *
 *   [REFUSED, code, message, details]
 *   [GRANTED, waitedMs, (name, mode, owner, token, session, leaseMs, remainingMs, count)+]     session 0: implicit
 *   [RELEASED, count, heldMs]   [RENEWED, remainingMs, token]   [OPENED, number, ttlMs]   [ALIVE, remainingMs]   [CLOSED, released]
 *
 * Public ids are made from the numbers at the gateway, not inside the machine.
 */
import type { Plain } from '../actors/envelope.ts'
import { assert } from '../base/assert.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Refused } from '../base/refusal.ts'
import type { Grant } from './grant.ts'
import type { GrantView, LockReply } from './types.ts'
import { grantId, sessionId } from './ids.ts'
import { modeName } from './modes.ts'
import type { ModeIndex } from './modes.ts'

const REFUSED = 0
const GRANTED = 1
const RELEASED = 2
const RENEWED = 3
const OPENED = 4
const ALIVE = 5
const CLOSED = 6
const GRANT_WIDTH = 8

/** The reply to an acquire; the grants follow with `addGrant`. */
export function granted(waitedMs: number): Plain[] {
  return [GRANTED, waitedMs]
}

export function addGrant(reply: Plain[], grant: Grant, time: number): void {
  const session = grant.session === null ? 0 : grant.session.number
  const { lock, mode, owner, token, leaseMs, count } = grant
  reply.push(lock.name, mode, owner, token, session, leaseMs, Math.max(0, grant.deadline - time), count)
}

export function released(count: number, heldMs: number): Plain {
  return [RELEASED, count, heldMs]
}

export function renewed(remainingMs: number, token: number): Plain {
  return [RENEWED, remainingMs, token]
}

export function opened(session: number, ttlMs: number): Plain {
  return [OPENED, session, ttlMs]
}

export function alive(remainingMs: number): Plain {
  return [ALIVE, remainingMs]
}

export function closed(grants: number): Plain {
  return [CLOSED, grants]
}

export function refused(refusal: Refused): Plain {
  return [REFUSED, refusal.code, refusal.message, refusal.details as Plain]
}

type GrantTuple = readonly [
  name: string,
  mode: ModeIndex,
  owner: string,
  token: number,
  session: number,
  leaseMs: number,
  remainingMs: number,
  count: number,
]
type RefusedTuple = readonly [kind: number, code: ErrorCode, message: string, details: Readonly<Record<string, unknown>>]
type NumbersTuple = readonly [kind: number, first: number, second: number]

/** The reply in the words of `types.ts`. */
export function decodeReply(reply: Plain): LockReply {
  assert(Array.isArray(reply), 'a reply of the lock machine is a tuple')
  if (reply[0] === REFUSED) {
    const [, code, message, details] = reply as unknown as RefusedTuple
    return { type: 'refused', code, message, details }
  }
  const [kind, first, second] = reply as unknown as NumbersTuple
  switch (kind) {
    case GRANTED:
      return { type: 'granted', waitedMs: first, grants: grantViews(reply as readonly Plain[]) }
    case RELEASED:
      return { type: 'released', count: first, heldMs: second }
    case RENEWED:
      return { type: 'renewed', remainingMs: first, token: second }
    case OPENED:
      return { type: 'opened', session: sessionId(first, ''), ttlMs: second }
    case ALIVE:
      return { type: 'alive', remainingMs: first }
    case CLOSED:
      return { type: 'closed', released: first }
  }
  assert(false, `a reply of an unknown kind: ${String(kind)}`)
}

function grantViews(reply: readonly Plain[]): readonly GrantView[] {
  const views: GrantView[] = []
  for (let at = 2; at < reply.length; at += GRANT_WIDTH) {
    const tuple = reply.slice(at, at + GRANT_WIDTH) as unknown as GrantTuple
    const [name, mode, owner, token, number, leaseMs, remainingMs, count] = tuple
    const id = grantId(token, number, owner)
    const session = sessionId(number, id)
    views.push({ name, mode: modeName(mode), owner, grantId: id, token, session, leaseMs, remainingMs, count })
  }
  return views
}
