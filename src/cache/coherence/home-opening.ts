/**
 * The silence of a new home. Copies of older terms may still be read, and what the log of this term brought is applied
 * beside them: until they are gone the home says nothing about any value, and the gate lets no answer pass.
 *
 *   elected ──view to all holders──▶ silent ──own entry applied, and (all acknowledged, or V is over)──▶ it speaks
 *
 * V counts from the election: whatever an older home granted stands on a confirmation that was asked for before it.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Home } from './home.ts'
import { tell } from './home.ts'
import { letIn } from './home-sessions.ts'
import { retryMs, waitMs } from './lease.ts'

export function startHome(home: Home, now: Millis, holders: Iterable<NodeId>): void {
  home.state.startedAt = now
  home.state.holders = new Set(holders)
  sendViews(home, now)
}

/** The first entry of the term is applied: these are all that an older home can have granted anything to. */
export function catchUp(home: Home, now: Millis, holders: Iterable<NodeId>): void {
  const { state } = home
  state.caughtUp = true
  state.holders = new Set(holders)
  openIfSilenceIsOver(home, now)
  if (!state.open) sendViews(home, now)
}

export function receiveViewAck(home: Home, node: NodeId, now: Millis): void {
  home.state.acked.add(node)
  openIfSilenceIsOver(home, now)
}

function openIfSilenceIsOver(home: Home, now: Millis): void {
  const { state, options, port } = home
  if (state.open || !state.caughtUp) return
  if (now < state.startedAt + waitMs(options) && missing(home).length > 0) return
  state.open = true
  port.opened()
  letIn(home, now)
}

function missing({ state }: Home): NodeId[] {
  return [...state.holders].filter((node) => !state.acked.has(node))
}

function sendViews(home: Home, now: Millis): void {
  const { state, options } = home
  for (const node of missing(home)) tell(home, node, { type: 'view', term: options.term })
  state.viewAt = now + retryMs(state.viewTries)
  state.viewTries += 1
}

export function tickOpening(home: Home, now: Millis): Millis {
  const { state, options } = home
  openIfSilenceIsOver(home, now)
  if (state.open) return Infinity
  if (now >= state.viewAt) sendViews(home, now)
  const over = state.startedAt + waitMs(options)
  return state.caughtUp ? Math.min(state.viewAt, over) : state.viewAt
}
