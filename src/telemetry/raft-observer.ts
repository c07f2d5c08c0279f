/**
 * The way of a sampled command through the log as spans, each a child of the gateway's `ask`:
 *
 *   POST /locks/:name/acquire                       gateway
 *   └─ ask lock_acquire                             gateway -> node
 *      ├─ raft.forward                              follower -> leader
 *      ├─ raft.propose                              leader: received until in the log
 *      ├─ raft.wal                                  every replica: write and fsync
 *      ├─ raft.replicate (one per peer)             leader: sent until durable there
 *      ├─ raft.commit                               leader: in the log until a majority has it; others: until they know
 *      ├─ raft.apply                                the state machine, every replica
 *      └─ raft.reply                                leader -> gateway
 *
 * The host tells monotonic times; spans are in wall time, so they are moved by the difference of the two clocks. That is
 * measured once, and again when the wall clock was set: it counts whole milliseconds, and each reading would move the
 * spans of one trace against each other.
 */
import { type GroupId, type LogIndex, type Millis, groupName, memberOf } from '../base/ids.ts'
import type { Clock } from '../io/clock.ts'
import type { RaftObserver, Traced } from '../raft/host/observer.ts'
import { type Attributes, recordSpan } from './tracing.ts'

const WALL_JITTER_MS: Millis = 2

export function createRaftObserver(node: string, clock: Clock): RaftObserver {
  let toWall = -Infinity
  const note = (name: string, of: Traced, from: Millis, to: Millis, more: Attributes): void => {
    const difference = clock.wall() - clock.now()
    if (Math.abs(difference - toWall) > WALL_JITTER_MS) toWall = difference
    recordSpan(name, of.traceparent, 'internal', { 'tricord.node': node, ...more }, from + toWall, to + toWall)
  }
  const at = (group: GroupId, index: LogIndex): Attributes => ({ 'tricord.group': groupName(group), 'tricord.index': index })
  return {
    // The time before the proposal is told by `proposed`.
    received: () => undefined,
    forwarded: (of, to, now) => note('raft.forward', of, now, now, { 'tricord.group': groupName(of.group), 'tricord.to': to }),
    proposed: (of, index, receivedAt, now) => note('raft.propose', of, receivedAt, now, at(of.group, index)),
    walSynced: (of, index, startedAt, now) => note('raft.wal', of, startedAt, now, at(of.group, index)),
    replicated: (of, index, peer, sentAt, now) =>
      note('raft.replicate', of, sentAt, now, { ...at(of.group, index), 'tricord.peer': memberOf(peer) }),
    committed: (of, index, proposedAt, now) => note('raft.commit', of, proposedAt, now, at(of.group, index)),
    applied: (of, index, startedAt, now) => note('raft.apply', of, startedAt, now, at(of.group, index)),
    replied: (of, index, now) => note('raft.reply', of, now, now, at(of.group, index)),
  }
}
