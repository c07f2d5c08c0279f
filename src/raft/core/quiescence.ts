/**
 * Idle groups sleep: no ticks, no heartbeats. The leader asks, everybody must agree, anything wakes.
 *
 *     leader                                        followers
 *     idle for quiesceTicks, all matched & applied
 *       heartbeat quiesce ──────────────────────>   all applied, nothing asked: election timer stops
 *       <────────────────────── quiesced: true
 *     everybody said true: sleeps too
 *
 * The leader heartbeats until all have agreed, so a lost message costs a delay and not an election. A follower is woken
 * by any message but another request to sleep; woken by its host (the leader's node is down) it may vote at once.
 */
import { broadcastHeartbeat } from './heartbeat.ts'
import type { RaftNode } from './node.ts'
import type { PeerMessage } from './types.ts'

/** Work arrived: the leader counts its idle ticks from here. */
export function touch(node: RaftNode): void {
  node.idleTicks = 0
  if (!node.quiescing) return
  node.quiescing = false
  for (const peer of node.tracker.peers) peer.quiesced = false
}

/** A message is about to be taken: does it end the sleep? Old news and the sleep's own messages do not. */
export function disturbs(node: RaftNode, message: PeerMessage): boolean {
  if (message.type === 'heartbeat') return message.term !== node.term || !message.quiesce
  if (message.type === 'heartbeat_response') return message.term > node.term || (message.term === node.term && !message.quiesced)
  return message.term >= node.term || message.type === 'request_vote'
}

/** Ends the sleep. A leader calls its followers at once; a follower gives the leader a full election timeout. */
export function awake(node: RaftNode): void {
  if (!node.quiesced) return
  node.quiesced = false
  node.silence = 0
  node.resetElectionTimer()
  if (node.role !== 'leader') return
  touch(node)
  broadcastHeartbeat(node, false)
}

/** The leader's heartbeat is due: whether it may ask for sleep. */
export function mayQuiesce(node: RaftNode): boolean {
  const { log, tracker } = node
  if (node.options.quiesceTicks === 0 || node.idleTicks < node.options.quiesceTicks) return false
  if (log.applied !== log.last || log.stable !== log.last || node.membership.outgoing.length > 0) return false
  if (!node.reads.empty || node.transferee !== 0) return false
  for (const peer of tracker.peers) if (peer.state !== 'replicate' || peer.match !== log.last) return false
  return true
}

/** Asks everybody to sleep, and falls asleep once everybody does. */
export function quiesce(node: RaftNode): void {
  if (!node.quiescing) {
    node.quiescing = true
    node.reads.voidLease()
    for (const peer of node.tracker.peers) peer.quiesced = false
  }
  broadcastHeartbeat(node, true)
  sleepIfAllDo(node)
}

export function sleepIfAllDo(node: RaftNode): void {
  if (!node.quiescing) return
  for (const peer of node.tracker.peers) if (!peer.quiesced) return
  if (mayQuiesce(node)) node.quiesced = true
}

/** Whether a follower that is asked to sleep can: it has everything, durably and applied, and waits for no answer. */
export function mayFollowToSleep(node: RaftNode): boolean {
  const { log } = node
  return log.applied === log.last && log.stable === log.last && node.forwarded.size === 0
}
