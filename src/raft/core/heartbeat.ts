/**
 * The leader's heartbeats: signs of life, carriers of the read round, of the commit index (never past what the follower
 * has: pitfall 7), and of the request to sleep.
 */
import type { RaftNode } from './node.ts'
import type { Progress } from './progress.ts'

/** To everybody, at every heartbeat interval. */
export function broadcastHeartbeat(node: RaftNode, quiesce: boolean): void {
  node.heartbeatElapsed = 0
  // A sleeper may be woken by its host to vote at once, so a heartbeat that puts to sleep renews no lease.
  if (node.options.leaseReads && !quiesce) node.reads.beginLease(node.ticks)
  node.tracker.own.readSeq = node.reads.seq
  for (const peer of node.tracker.peers) sendHeartbeat(node, peer, quiesce)
}

/** To the voters: a round of reads asks for their confirmation now. */
export function broadcastReadRound(node: RaftNode): void {
  node.tracker.own.readSeq = node.reads.seq
  for (const peer of node.tracker.peers) if (!peer.learner) sendHeartbeat(node, peer, false)
}

function sendHeartbeat(node: RaftNode, peer: Progress, quiesce: boolean): void {
  node.outbox.send({
    type: 'heartbeat',
    from: node.self,
    to: peer.replica,
    term: node.term,
    commit: Math.min(peer.match, node.log.commit),
    readSeq: node.reads.seq,
    quiesce,
  })
}
