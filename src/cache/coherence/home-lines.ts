/**
 * Who holds what, and getting it back. One counter `g` numbers grants and revocations, so an invalidation numbered `t` kills
 * what was granted up to `t`, held or on its way, and is acknowledged by nodes that hold nothing, too.
 *
 *              getS: grant, dataS          proposed or changed: inv to all ─▶ busy
 *   (no line) ───────────────────▶ shared ──────────────────────────────────▶ getS: dataU, what was last settled
 *        ▲                                                                      │
 *        └───────────────────── all acknowledged, or their sessions over ◀──────┘   settled(version) …
 *
 * Nothing is granted while busy, so writes that come meanwhile need no invalidation of their own. What they changed is not
 * answered and not shown to anybody before the last copy is gone.
 */
import { assert } from '../../base/assert.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { ChangeReason, InvalidationCause } from '../types.ts'
import type { Home, HomeLine, Invalidation } from './home.ts'
import { createLine, isLive, refuse, sessionOf, tell } from './home.ts'
import { enqueue, isOwned, serve } from './home-owners.ts'
import { retryMs } from './lease.ts'
import type { Held, LineId, ToHome } from './protocol.ts'

/** Of how many lines the last invalidation is remembered. */
const PAST_MAX = 1_024

export interface Change {
  readonly line: LineId
  readonly version: number
  readonly cause: ChangeReason
  /** The ownership under which it was made; 0: none. */
  readonly own: number
}

export function receiveGetS(home: Home, node: NodeId, { sid, rid, line: id }: Extract<ToHome, { type: 'getS' }>, now: Millis): void {
  const { state, port, options } = home
  if (sessionOf(home, node, sid, now) === null) return refuse(home, node, sid)
  const { term } = options
  let line = state.lines.get(id)
  if (isOwned(home, id, line)) return enqueue(home, id, { node, sid, rid, wants: 'S' }, now)
  if (line !== undefined && isGuarded(line, now)) {
    return tell(home, node, { type: 'dataU', term, sid, rid, line: id, held: heldBefore(line.busy, now) ?? port.read(id) })
  }
  if (line === undefined) {
    if (state.lines.size >= options.linesMax) return tell(home, node, { type: 'dataU', term, sid, rid, line: id, held: port.read(id) })
    line = createLine()
    state.lines.set(id, line)
  }
  grant(home, id, line, node, sid, rid)
}

export function grant(home: Home, id: LineId, line: HomeLine, node: NodeId, sid: number, rid: number): void {
  const { state, port, options } = home
  state.g += 1
  line.grants = line.grants.filter((other) => other.node !== node && isLive(home, other))
  line.grants.push({ node, sid, g: state.g })
  tell(home, node, { type: 'dataS', term: options.term, sid, rid, line: id, g: state.g, held: port.read(id) })
}

function isGuarded(line: HomeLine, now: Millis): boolean {
  return line.busy !== null || now < line.expectUntil
}

/** A write of it was proposed here: its copies may go now, beside the replication. */
export function prepare(home: Home, id: LineId, cause: ChangeReason, now: Millis): void {
  const line = home.state.lines.get(id)
  if (line === undefined) return
  line.expectUntil = now + home.options.expectMs
  home.state.active.add(id)
  // What the owner has is newer than any write through the log, which is refused.
  if (line.busy === null && line.owner === null) invalidate(home, id, line, cause, now)
}

/** What was proposed changed nothing. */
export function expectNothing({ state }: Home, id: LineId): void {
  const line = state.lines.get(id)
  if (line !== undefined) line.expectUntil = -Infinity
}

/** What may be told while copies are taken back; null: what there is. It goes on ageing. */
function heldBefore(busy: Invalidation | null, now: Millis): Held | null {
  if (busy === null || busy.before === null || busy.beforeUntil === Infinity) return busy?.before ?? null
  return { ...busy.before, ttlLeftMs: Math.max(1, Math.floor(busy.beforeUntil - now)) }
}

/** A write was applied. */
export function change(home: Home, { version, cause, own, line: id }: Change, previous: Held, now: Millis): void {
  const { state } = home
  if (cause === 'invalidate') home.clearing.delete(id)
  const line = state.lines.get(id)
  // What an owner flushes is news to nobody else: nobody else has a copy until its ownership is over.
  if (line === undefined || own !== 0) return
  line.expectUntil = -Infinity
  const busy = line.busy ?? invalidate(home, id, line, cause, now)
  if (busy === null) return forgetIfIdle(home, id, line, now)
  if (busy.before === null) {
    busy.before = previous
    busy.beforeUntil = previous.ttlLeftMs === null ? Infinity : now + previous.ttlLeftMs
  }
  busy.cause = cause
  busy.versions.push(version)
  state.unsettled.set(version, id)
}

/** Takes the copies of a line back, the owner's as well; null where there are none. */
export function invalidate(home: Home, id: LineId, line: HomeLine, cause: InvalidationCause, now: Millis): Invalidation | null {
  const { state } = home
  const waits = new Set(line.grants.filter((grant) => isLive(home, grant)).map(({ node }) => node))
  if (line.owner !== null && isLive(home, line.owner)) {
    waits.add(line.owner.node)
  }
  line.grants = []
  if (waits.size === 0) line.owner = null
  if (waits.size === 0) return null
  state.g += 1
  const none = { acks: [], versions: [], before: null, beforeUntil: Infinity }
  line.busy = { t: state.g, startedAt: now, waits, sendAt: now + retryMs(0), tries: 1, cause, ...none }
  state.active.add(id)
  sendInvalidation(home, id, line, line.busy)
  return line.busy
}

export function receiveInvAck(home: Home, node: NodeId, t: number, id: LineId, now: Millis): void {
  const line = home.state.lines.get(id)
  const busy = line?.busy
  if (line === undefined || !busy || busy.t !== t) return
  acknowledged(busy, node, now)
  settleIfDone(home, id, line, now)
}

/** Its session is over: it holds nothing. */
export function nodeIsGone(home: Home, node: NodeId, now: Millis): void {
  for (const id of home.state.active) {
    const line = home.state.lines.get(id)
    if (line?.busy && acknowledged(line.busy, node, now)) settleIfDone(home, id, line, now)
  }
}

/** False: it was not asked, or has said so before. */
function acknowledged({ waits, acks, startedAt }: Invalidation, node: NodeId, now: Millis): boolean {
  const isNew = waits.delete(node)
  if (isNew) acks.push([node, now - startedAt])
  return isNew
}

function settleIfDone(home: Home, id: LineId, line: HomeLine, now: Millis): void {
  const { busy } = line
  if (busy === null || busy.waits.size > 0) return
  line.busy = null
  line.owner = null
  remember(home, id, busy, now)
  for (const version of busy.versions) home.state.unsettled.delete(version)
  serve(home, id, line, now)
  forgetIfIdle(home, id, line, now)
  for (const version of busy.versions) home.port.settled(version)
}

function remember({ past }: Home, id: LineId, { cause, startedAt, acks }: Invalidation, now: Millis): void {
  past.delete(id)
  past.set(id, { cause, startedAt, ackMs: now - startedAt, acks })
  if (past.size <= PAST_MAX) return
  for (const oldest of past.keys()) {
    past.delete(oldest)
    return
  }
}

export function forgetIfIdle({ state }: Home, id: LineId, line: HomeLine, now: Millis): void {
  if (isGuarded(line, now) || line.step !== null || line.queue.length > 0) return
  state.active.delete(id)
  if (line.grants.length === 0 && line.owner === null) state.lines.delete(id)
}

/** Since when the node leaves an invalidation unanswered; Infinity: it does not. */
export function owesSince({ state }: Home, node: NodeId): Millis {
  let since = Infinity
  for (const id of state.active) {
    const busy = state.lines.get(id)?.busy
    if (busy?.waits.has(node) && busy.startedAt < since) since = busy.startedAt
  }
  return since
}

/** Sends again what was not acknowledged; returns when to look again. */
export function tickLines(home: Home, now: Millis): Millis {
  const { state } = home
  let next = Infinity
  for (const id of state.active) {
    const line = state.lines.get(id)
    assert(line !== undefined, 'an active line is known')
    if (line.busy !== null) next = Math.min(next, sendAgain(home, id, line, line.busy, now))
    else if (now < line.expectUntil) next = Math.min(next, line.expectUntil)
    else forgetIfIdle(home, id, line, now)
  }
  return next
}

function sendAgain(home: Home, id: LineId, line: HomeLine, busy: Invalidation, now: Millis): Millis {
  if (now < busy.sendAt) return busy.sendAt
  busy.sendAt = now + retryMs(busy.tries)
  busy.tries += 1
  sendInvalidation(home, id, line, busy)
  return busy.sendAt
}

function sendInvalidation(home: Home, id: LineId, { owner }: HomeLine, { t, waits }: Invalidation): void {
  const { term } = home.options
  for (const node of waits) {
    if (owner !== null && owner.node === node) tell(home, node, { type: 'recall', term, t, gx: owner.g, line: id })
    else tell(home, node, { type: 'inv', term, t, line: id })
  }
}

/** One step of the hand that goes round: lines whose holders are gone are forgotten, and with `callBack` those held, too. */
export function sweep(home: Home, id: LineId, callBack: boolean, now: Millis): void {
  const line = home.state.lines.get(id)
  if (line === undefined || isGuarded(line, now)) return
  if (line.owner !== null && !isLive(home, line.owner)) line.owner = null
  if (callBack) invalidate(home, id, line, 'evict', now)
  else line.grants = line.grants.filter((grant) => isLive(home, grant))
  forgetIfIdle(home, id, line, now)
}
