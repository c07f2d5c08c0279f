/**
 * Who may hold copies: one session per node.
 *
 *   open ──▶ hold committed? ──no──▶ port.hold ──▶ held ─┐
 *              └──yes──▶ confirm, asked after the open came ─┴──▶ opened
 *
 * An open ends the session before it: the node had dropped its copies when it sent the `first` of them. But where the session was
 * opened for an earlier one of the same, which is on its way still, this one makes it last longer. A confirmation that was asked for before
 * the open came is not enough: the node may have started a moment ago and forgotten that it had acknowledged a newer
 * term, whose home speaks already. One that is asked for now is refused then.
 */
import { assert } from '../../base/assert.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Home, Peer } from './home.ts'
import type { ToHome } from './protocol.ts'
import { refuse, sessionOf, tell } from './home.ts'
import { nodeIsGone, owesSince } from './home-lines.ts'
import { leaseLeftMs, waitMs } from './lease.ts'

/** Confirmations under way at most; and after how long another is asked for. */
const ASKS_MAX = 8
/** Of one node. */
const OPENINGS_MAX = 8
const ASK_AGAIN_MS = 250

export function receiveOpen(home: Home, node: NodeId, { n, first }: Extract<ToHome, { type: 'open' }>, now: Millis): void {
  const { state } = home
  const peer = peerOf(home, node, now)
  if (n <= peer.tried) return
  peer.tried = n
  if (peer.openedFor < first) endSession(home, node, peer, now)
  // A session that goes on is not made longer for who leaves an invalidation unanswered.
  if (peer.sid !== 0 && owesSince(home, node) <= now - home.options.unackedMs) return
  const same = peer.openings.filter((opening) => opening.n >= first)
  peer.openings = [...same.slice(0, OPENINGS_MAX - 1), { n, ask: state.asked + 1 }]
  if (!state.open) return
  letHold(home, node, now)
}

function peerOf({ state }: Home, node: NodeId, now: Millis): Peer {
  let peer = state.peers.get(node)
  if (peer === undefined) {
    peer = { tried: 0, sid: 0, openedFor: 0, endsAt: 0, overAt: now, openings: [], renewing: null, leaving: 0, left: 0 }
    state.peers.set(node, peer)
  }
  return peer
}

/** The node stops, and says so until it is answered. A silent home has asked it already what it holds. */
export function receiveLeave(home: Home, node: NodeId, n: number, now: Millis): void {
  const { state } = home
  if (!home.state.open) return
  const peer = peerOf(home, node, now)
  if (n < peer.tried) return
  if (n > peer.tried) {
    peer.tried = n
    endSession(home, node, peer, now)
    peer.openings = []
    if (state.holders.has(node)) letGo(home, node)
  }
  peer.leaving = n
  peer.left = n
  if (!state.leaving.has(node)) tellLeft(home, node)
}

function tellLeft(home: Home, node: NodeId): void {
  const peer = home.state.peers.get(node)
  if (peer === undefined || peer.leaving === 0) return
  tell(home, node, { type: 'left', term: home.options.term, n: peer.leaving })
  peer.leaving = 0
}

/** Its session is over, and no other home waits for it once that is in the log. */
function letGo({ state, port }: Home, node: NodeId): void {
  state.idleSince.delete(node)
  state.holders.delete(node)
  state.leaving.add(node)
  port.unhold(node)
}

/** Lets a node in that is a holder, and makes it one that is none. */
function letHold(home: Home, node: NodeId, now: Millis): void {
  const { state, port } = home
  if (state.holders.has(node)) ask(home, now)
  else if (!state.leaving.has(node)) port.hold(node)
}

export function receiveRenew(home: Home, node: NodeId, sid: number, n: number, now: Millis): void {
  const { state, options } = home
  const peer = sessionOf(home, node, sid, now)
  if (peer === null) return refuse(home, node, sid)
  if (owesSince(home, node) <= now - options.unackedMs) return
  if (now - state.confirmedAt <= options.confirmMs) return renew(home, node, peer, n, now)
  peer.renewing = { n, arrivedAt: now }
  if (!isAsking(home, now)) ask(home, now)
}

/** The log says that the node may hold lines. */
export function holderAdded(home: Home, node: NodeId, now: Millis): void {
  const { state } = home
  // Asked for more than once: this one came into the log before the end of all of them, which is on its way.
  if (state.leaving.has(node)) return
  const peer = state.peers.get(node)
  state.holders.add(node)
  if (state.open && isOpening(peer)) ask(home, now)
  // It was on its way when the node said that it holds nothing: the next home need not wait for who is gone.
  else if (peer !== undefined && peer.left === peer.tried) letGo(home, node)
}

export function confirmed(home: Home, answered: number, now: Millis): void {
  const { state } = home
  const found = state.asks.find(({ ask }) => ask === answered)
  if (found === undefined) return
  state.asks = state.asks.filter(({ ask }) => ask > answered)
  state.confirmedAt = Math.max(state.confirmedAt, found.at)
  for (const [node, peer] of state.peers) {
    const opening = state.holders.has(node) ? peer.openings.findLast(({ ask }) => ask <= answered) : undefined
    if (opening !== undefined) openSession(home, node, peer, opening.n, found.at)
    if (peer.renewing !== null) renewAfterAsking(home, node, peer, now)
  }
}

/** Sessions are not ended by it, for a clock that jumped looks the same: they last at least as long as the nodes believe. */
export function forgetConfirmations({ state }: Home): void {
  state.confirmedAt = -Infinity
  // Who waits for one knocks again, soon.
  state.asks = []
  for (const peer of state.peers.values()) peer.renewing = null
}

function renewAfterAsking(home: Home, node: NodeId, peer: Peer, now: Millis): void {
  const { n, arrivedAt } = peer.renewing as NonNullable<Peer['renewing']>
  peer.renewing = null
  if (sessionOf(home, node, peer.sid, now) !== null) renew(home, node, peer, n, arrivedAt)
}

function openSession(home: Home, node: NodeId, peer: Peer, n: number, askedAt: Millis): void {
  const { state, options } = home
  assert(state.open, 'a silent home opens no session')
  peer.openings = peer.openings.filter((opening) => opening.n > n)
  if (peer.sid === 0) {
    state.sids += 1
    peer.sid = state.sids
    peer.openedFor = n
    peer.endsAt = -Infinity
  }
  peer.endsAt = Math.max(peer.endsAt, askedAt + waitMs(options))
  tell(home, node, { type: 'opened', term: options.term, sid: peer.sid, n, leaseMs: options.leaseMs })
}

function renew(home: Home, node: NodeId, peer: Peer, n: number, arrivedAt: Millis): void {
  const { state, options } = home
  const leaseMs = leaseLeftMs(options.leaseMs, state.confirmedAt, arrivedAt)
  if (leaseMs <= 0) return
  peer.endsAt = Math.max(peer.endsAt, state.confirmedAt + waitMs(options))
  tell(home, node, { type: 'renewed', term: options.term, sid: peer.sid, n, leaseMs })
}

function endSession(home: Home, node: NodeId, peer: Peer, now: Millis): void {
  if (peer.sid === 0) return
  peer.sid = 0
  peer.overAt = now
  peer.renewing = null
  nodeIsGone(home, node, now)
}

/** When the home begins to speak: those who knocked are let in. */
export function letIn(home: Home, now: Millis): void {
  let wanted = false
  for (const [node, peer] of home.state.peers) {
    if (!isOpening(peer)) continue
    if (home.state.holders.has(node)) wanted = true
    else if (!home.state.leaving.has(node)) home.port.hold(node)
  }
  if (wanted) ask(home, now)
}

function isOpening(peer: Peer | undefined): boolean {
  return peer !== undefined && peer.openings.length > 0
}

function ask({ state, port, options }: Home, now: Millis): void {
  // What is as old as a lease nobody waits for any more. Else the newest is asked anew: the older ones are answered sooner.
  state.asks = state.asks.filter(({ at }) => now < at + options.leaseMs)
  if (state.asks.length >= ASKS_MAX) state.asks.pop()
  state.asked += 1
  state.asks.push({ ask: state.asked, at: now })
  port.confirm(state.asked)
}

function isAsking({ state }: Home, now: Millis): boolean {
  const last = state.asks.at(-1)
  return last !== undefined && now - last.at < ASK_AGAIN_MS
}

/**
 * Holders that were without a session for long are let go; returns when to look again. They hold nothing: what older homes granted
 * was over when this one began to speak, and what this one granted ended with the session.
 */
export function tickHolders(home: Home, now: Millis): Millis {
  const { state, options } = home
  if (!state.open) return Infinity
  let next = Infinity
  for (const node of state.holders) {
    const peer = state.peers.get(node)
    if (peer !== undefined && (peer.sid !== 0 || isOpening(peer))) {
      state.idleSince.delete(node)
      continue
    }
    const since = state.idleSince.get(node) ?? now
    state.idleSince.set(node, since)
    if (now < since + options.holderIdleMs) {
      next = Math.min(next, since + options.holderIdleMs)
      continue
    }
    letGo(home, node)
  }
  return next
}

/** The log says that it holds nothing. It may have knocked meanwhile. */
export function holderGone(home: Home, node: NodeId, now: Millis): void {
  home.state.leaving.delete(node)
  tellLeft(home, node)
  if (home.state.open && isOpening(home.state.peers.get(node))) letHold(home, node, now)
}

/** Ends what is over; returns when to look again. */
export function tickSessions(home: Home, now: Millis): Millis {
  let next = Infinity
  for (const [node, peer] of home.state.peers) {
    if (peer.sid === 0) continue
    if (now >= peer.endsAt) endSession(home, node, peer, now)
    else next = Math.min(next, peer.endsAt)
  }
  return next
}

/** Of a node whose session is over though no tick has seen it yet. */
export function endIfOver(home: Home, node: NodeId, now: Millis): void {
  const peer = home.state.peers.get(node)
  if (peer !== undefined && peer.sid !== 0 && now >= peer.endsAt) endSession(home, node, peer, now)
}
