/**
 * When to hand a group back to its preferred leader. Damped: only to a node that has been up for a while, only after this
 * node has led for a while, and ever more rarely where it does not last. Pure but for what it remembers.
 */
import type { GroupId, Millis, ReplicaId } from '../base/ids.ts'
import type { PeerProgress } from '../raft/core/raft-core.ts'

/** A node that was started again has its caches cold and its groups to catch up; one that is stopping is gone by then. */
const SETTLED_MS: Millis = 5_000
const AGAIN_MS: Millis = 10_000
const AGAIN_MAX_MS: Millis = 600_000

export interface LedGroup {
  readonly group: GroupId
  readonly ledSince: Millis
  readonly preferred: ReplicaId
  /** Null: its node is not up. */
  readonly preferredUpSince: Millis | null
  readonly progress: readonly PeerProgress[]
  readonly last: number
}

export class LeaderRestore {
  readonly #tries = new Map<GroupId, { readonly at: Millis; readonly count: number }>()

  /** Whether to hand it over now; a yes counts as a try. */
  shouldTransfer({ group, ledSince, preferred, preferredUpSince, progress, last }: LedGroup, now: Millis): boolean {
    if (preferredUpSince === null || now - preferredUpSince < SETTLED_MS || now - ledSince < SETTLED_MS) return false
    const peer = progress.find(({ replica }) => replica === preferred)
    if (!peer || peer.learner || peer.state !== 'replicate' || peer.match < last) return false
    const tried = this.#tries.get(group) ?? { at: -Infinity, count: 0 }
    const pause = Math.min(AGAIN_MS * 2 ** tried.count, AGAIN_MAX_MS)
    if (now - tried.at < pause) return false
    // It lasted for long since the last time: that one is forgotten.
    this.#tries.set(group, { at: now, count: now - tried.at > AGAIN_MAX_MS ? 0 : tried.count + 1 })
    return true
  }
}
