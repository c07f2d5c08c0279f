/**
 * Lines that a node writes alone (caches with `writeback`). The number of an ownership is in the log, so that what an owner
 * says later than it may counts for nothing; that the node holds the line now is known here.
 *
 *   getM ──▶ copies are taken back ──▶ port.own ──given──▶ dataX ──▶ owned
 *                                                                     │ getS, getM of another: inv; it flushes, then acknowledges,
 *   free ◀──released── port.release ◀── nobody holds it, the log says owned ◀──┘   or its session is over
 *
 * A line that is to be cleared is given to nobody for a while: who asks for it writes through the log.
 *
 * Nobody is told anything of a line that the log says is owned: the owner may have newer values, or may have had, and what
 * it flushed is certain only once nothing more can come of it. So questions wait in a queue.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Home, HomeLine, Owner, Question } from './home.ts'
import { createLine, isLive, refuse, sessionOf, tell } from './home.ts'
import { forgetIfIdle, grant, invalidate } from './home-lines.ts'
import type { LineId, ToHome } from './protocol.ts'

/** Lines that are being cleared at a time. Others may be owned again before they are. */
const CLEARING_MAX = 65_536

/** What the log gave. */
export interface Given {
  readonly own: number
  readonly versionFirst: number
  readonly versionMax: number
}

export function isOwned({ port }: Home, id: LineId, line: HomeLine | undefined): boolean {
  return (line !== undefined && (line.owner !== null || line.step !== null)) || port.owned(id) !== 0
}

export function receiveGetM(home: Home, node: NodeId, { sid, rid, line: id }: Extract<ToHome, { type: 'getM' }>, now: Millis): void {
  if (sessionOf(home, node, sid, now) === null) return refuse(home, node, sid)
  const { owner = null, step = null } = home.state.lines.get(id) ?? {}
  if (owner !== null && isSame(owner, node, sid, rid)) return tellOwner(home, id, owner)
  // It is on its way through the log: queued, it would take the line back from itself.
  if (step !== null && step !== 'release' && isSame(step, node, sid, rid)) return
  enqueue(home, id, { node, sid, rid, wants: 'X' }, now)
}

function isSame(question: Pick<Question, 'node' | 'sid' | 'rid'>, node: NodeId, sid: number, rid: number): boolean {
  return question.node === node && question.sid === sid && question.rid === rid
}

export function enqueue(home: Home, id: LineId, question: Question, now: Millis): void {
  const { state } = home
  const line = state.lines.get(id) ?? createLine()
  state.lines.set(id, line)
  // It has asked before: the newest question is the one that counts.
  line.queue = line.queue.filter(({ node, wants }) => node !== question.node || wants !== question.wants)
  line.queue.push(question)
  serve(home, id, line, now)
  forgetIfIdle(home, id, line, now)
}

/** Does what the first in the queue needs next. Those who read come first: they need nothing but that the line is free. */
export function serve(home: Home, id: LineId, line: HomeLine, now: Millis): void {
  const { state, port } = home
  line.queue = line.queue.filter(({ node, sid }) => sessionOf(home, node, sid, now) !== null)
  if (line.busy !== null || line.step !== null || line.queue.length === 0) return
  if (line.owner !== null && invalidate(home, id, line, 'recall', now) !== null) return
  const own = port.owned(id)
  if (own !== 0) {
    line.step = 'release'
    return port.release(id, own)
  }
  for (const { node, sid, rid, wants } of line.queue) if (wants === 'S') grant(home, id, line, node, sid, rid)
  line.queue = line.queue.filter(({ wants }) => wants === 'X')
  if (line.queue.length > 0 && isClearing(home, id, now)) {
    for (const question of line.queue) tellUnowned(home, id, question)
    line.queue = []
  }
  const next = line.queue[0]
  if (next === undefined || invalidate(home, id, line, 'put', now) !== null) return
  line.queue.shift()
  line.step = next
  state.active.add(id)
  port.own(id, next.node)
}

/** `cache_own` is applied. */
export function given(home: Home, id: LineId, what: Given, now: Millis): void {
  home.round.at = Math.min(home.round.at, now + home.options.holderIdleMs)
  const line = home.state.lines.get(id)
  if (line === undefined || line.step === null || line.step === 'release') return
  const { node, sid, rid } = line.step
  line.step = null
  if (sessionOf(home, node, sid, now) !== null) {
    home.state.g += 1
    line.owner = { node, sid, rid, g: home.state.g, ...what }
    tellOwner(home, id, line.owner)
  }
  serve(home, id, line, now)
  forgetIfIdle(home, id, line, now)
}

/** It is certain that the ownership was refused. Who asked is told what the line holds, and writes through the log. */
export function notGiven(home: Home, id: LineId, now: Millis): void {
  const step = home.state.lines.get(id)?.step ?? null
  if (step !== null && step !== 'release' && sessionOf(home, step.node, step.sid, now) !== null) tellUnowned(home, id, step)
  stepIsOver(home, id, now)
}

function tellUnowned(home: Home, id: LineId, { node, sid, rid }: Question): void {
  tell(home, node, { type: 'dataU', term: home.options.term, sid, rid, line: id, held: home.port.read(id) })
}

/**
 * An invalidation was told that the line is owned, and comes again once it is given back. Who writes the line all the time would own it
 * again by then, each time.
 */
export function clear({ clearing, options }: Home, id: LineId, now: Millis): void {
  clearing.delete(id)
  for (const [other, until] of clearing) {
    if (now < until) break
    clearing.delete(other)
  }
  if (clearing.size < CLEARING_MAX) clearing.set(id, now + options.clearMs)
}

function isClearing({ clearing }: Home, id: LineId, now: Millis): boolean {
  return now < (clearing.get(id) ?? -Infinity)
}

/** It is certain that the ownership before is over. */
export function stepIsOver(home: Home, id: LineId, now: Millis): void {
  const line = home.state.lines.get(id)
  if (line === undefined || line.step === null) return
  line.step = null
  serve(home, id, line, now)
  forgetIfIdle(home, id, line, now)
}

function tellOwner(home: Home, id: LineId, owner: Owner): void {
  const { node, sid, rid, g, own, versionFirst, versionMax } = owner
  const held = home.port.read(id)
  tell(home, node, { type: 'dataX', term: home.options.term, sid, rid, line: id, g, held, own, versionFirst, versionMax })
}

/** For writes through the log that found the line owned. A silent home does not: the owner of an older term flushes before it speaks. */
export function takeBack(home: Home, id: LineId, now: Millis): void {
  const line = home.state.lines.get(id)
  if (!home.state.open || line?.busy || line?.step) return
  if (line?.owner && isLive(home, line.owner)) {
    invalidate(home, id, line, 'recall', now)
    return
  }
  const own = home.port.owned(id)
  if (own === 0) return
  const known = line ?? createLine()
  home.state.lines.set(id, known)
  known.owner = null
  known.step = 'release'
  home.state.active.add(id)
  home.port.release(id, own)
}
