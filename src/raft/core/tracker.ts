/**
 * The leader's view of everybody: one Progress per replica of the membership, and what their quorums have reached.
 * Lists are rebuilt when the membership changes, never on the way of a message; iteration is in the order of ids.
 */
import type { LogIndex, ReplicaId } from '../../base/ids.ts'
import { replicasOf } from './membership.ts'
import { Progress } from './progress.ts'
import { majority, quorumValue } from './quorum.ts'
import type { RaftOptions } from './raft-core.ts'
import type { Membership } from './types.ts'

export class Tracker {
  readonly #options: RaftOptions
  #all = new Map<ReplicaId, Progress>()
  #voters: Progress[] = []
  #outgoing: Progress[] = []
  #scratch = new Float64Array(8)
  /** Everybody but the leader itself, sorted. */
  peers: readonly Progress[] = []
  /** The leader's own: there even where it is no voter. */
  own: Progress

  constructor(options: RaftOptions) {
    this.#options = options
    this.own = new Progress(options.self, 1, false, true, options)
  }

  /** Forgets everybody: a term of leadership begins or ends. */
  clear(): void {
    this.#all = new Map()
    this.#voters = []
    this.#outgoing = []
    this.peers = []
    this.own = new Progress(this.#options.self, 1, false, true, this.#options)
  }

  /**
   * The membership is now this. Who stays keeps its progress; who comes starts from nothing, even if it was here
   * before (pitfall 10). A newcomer counts as active, so that it cannot cost the leader its quorum before it could answer.
   */
  configure(membership: Membership, last: LogIndex, newcomersActive: boolean): void {
    const all = new Map<ReplicaId, Progress>()
    const peers: Progress[] = []
    for (const replica of replicasOf(membership)) {
      const learner = membership.learners.includes(replica)
      if (replica === this.own.replica) {
        this.own.learner = learner
        all.set(replica, this.own)
        continue
      }
      const progress = this.#all.get(replica) ?? new Progress(replica, last + 1, learner, newcomersActive, this.#options)
      progress.learner = learner
      all.set(replica, progress)
      peers.push(progress)
    }
    this.#all = all
    this.peers = peers
    this.#voters = membership.voters.map((id) => all.get(id)!)
    this.#outgoing = membership.outgoing.map((id) => all.get(id)!)
    const most = Math.max(this.#voters.length, this.#outgoing.length)
    if (most > this.#scratch.length) this.#scratch = new Float64Array(most)
  }

  get(replica: ReplicaId): Progress | undefined {
    return this.#all.get(replica)
  }

  /** Everybody, the leader included, sorted. */
  all(): Iterable<Progress> {
    return this.#all.values()
  }

  /** The highest index that is durable on a quorum (on both, while joint). */
  committed(): LogIndex {
    return Math.min(this.#matchOf(this.#voters), this.#matchOf(this.#outgoing))
  }

  /** The highest read round that a quorum has confirmed. */
  confirmedReads(): number {
    return Math.min(this.#readSeqOf(this.#voters), this.#readSeqOf(this.#outgoing))
  }

  /** Whether a quorum was heard from since the last call. */
  takeActiveQuorum(): boolean {
    const active = activeMajority(this.#voters) && activeMajority(this.#outgoing)
    for (const peer of this.peers) peer.active = false
    return active
  }

  #matchOf(voters: readonly Progress[]): number {
    for (let i = 0; i < voters.length; i++) this.#scratch[i] = voters[i]!.match
    return quorumValue(this.#scratch, voters.length)
  }

  #readSeqOf(voters: readonly Progress[]): number {
    for (let i = 0; i < voters.length; i++) this.#scratch[i] = voters[i]!.readSeq
    return quorumValue(this.#scratch, voters.length)
  }
}

function activeMajority(voters: readonly Progress[]): boolean {
  if (voters.length === 0) return true
  let active = 0
  for (const voter of voters) if (voter.active) active++
  return active >= majority(voters.length)
}
