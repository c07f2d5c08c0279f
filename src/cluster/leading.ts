/**
 * A node's part as leader of groups: who asked to be let in, what each group needs next (reconcile-group.ts), and when
 * its leadership goes back to the preferred one (restore-leaders.ts).
 *
 * A leader speaks of its membership, or changes it, only once it has applied everything it found in its log: before, there
 * may be a change that it knows nothing of. And once an entry after its own last change is applied: before, perhaps nobody
 * else knows that the change is committed, and a voter that it tells to be out may still be needed.
 *
 * Voters are changed only once a majority of the next ones has answered a question that was put to them for it: what the
 * failure detector thinks is of the past, and a node that died since would leave the group without a majority for ever.
 */
import {
  type GroupId,
  type LogIndex,
  type MemberId,
  type Millis,
  type ReplicaId,
  type Term,
  NOBODY,
  memberOf,
  replicaId,
} from '../base/ids.ts'
import { hasMoreRoom } from '../raft/disk-room.ts'
import type { GroupHost, GroupStatus } from '../raft/group-host.ts'
import type { ClusterDirectory } from './directory.ts'
import type { Membership } from '../raft/core/types.ts'
import type { FailureDetector } from './failure-detector.ts'
import { planGroup, targetOf } from './reconcile-group.ts'
import { LeaderRestore } from './restore-leaders.ts'
import type { Placement } from './types.ts'

/** How long a request to be let in counts; it is repeated until it is met. */
const ASKING_MS: Millis = 3_000
/** How long an answer counts, and how long one is waited for before it is asked for again. */
const ANSWER_MS: Millis = 1_000
/** Groups handed back at a time: while one is, its callers wait. */
const TRANSFERS_MAX = 2

export interface LeadingDeps {
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  readonly detector: FailureDetector
  readonly member: MemberId
  readonly onLog: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

interface Reign {
  readonly term: Term
  readonly since: Millis
  /** Everything up to here has to be applied first: the end of the log when it began, then what its own changes ended with. */
  from: LogIndex
  membership: Membership
}

export class Leading {
  readonly #deps: LeadingDeps
  readonly #movesMax: number
  readonly #restore = new LeaderRestore()
  readonly #reigns = new Map<GroupId, Reign>()
  readonly #asking = new Map<GroupId, Map<ReplicaId, Millis>>()
  /** Changes of voters that wait for answers of those that come to decide. */
  readonly #wishes = new Map<GroupId, { readonly voters: string; readonly since: Millis }>()
  /** Groups in which a replica is on its way in, with our help. */
  #moving = new Set<GroupId>()
  #missing: (readonly [group: GroupId, replica: ReplicaId])[] = []

  constructor(deps: LeadingDeps, movesMax: number) {
    this.#deps = deps
    this.#movesMax = movesMax
  }

  asked(group: GroupId, replica: ReplicaId, now: Millis): void {
    const status = this.#deps.host.status(group)
    if (status?.role !== 'leader') return
    // Only what the table gives counts, so this stays small.
    if (this.#wanted(group, replica)) this.#heard(group, replica, now)
  }

  #heard(group: GroupId, replica: ReplicaId, now: Millis): void {
    let asking = this.#asking.get(group)
    if (!asking) this.#asking.set(group, (asking = new Map()))
    asking.set(replica, now)
  }

  #wanted(group: GroupId, replica: ReplicaId): boolean {
    const placement = this.#deps.directory.placementOf(group)
    if (!placement) return false
    const { voters, learners } = targetOf(placement)
    return voters.includes(replica) || learners.includes(replica)
  }

  /** Whether the replica is out, where this node can know; a member that asks would like to be. */
  answer(group: GroupId, replica: ReplicaId, now: Millis): readonly (readonly [GroupId, ReplicaId, Term])[] {
    const status = this.#deps.host.status(group)
    if (!status || status.role !== 'leader' || !this.#settled(status)) return []
    const { voters, outgoing, learners, learnersNext } = status.membership
    const member = [voters, outgoing, learners, learnersNext].some((list) => list.includes(replica))
    if (member) this.#heard(group, replica, now)
    if (member || outgoing.length > 0) return []
    this.#asking.get(group)?.delete(replica)
    return [[group, replica, status.term]]
  }

  /** Replicas that groups led here wait for, as of the last round. They may be there and not know that they are out. */
  get missing(): readonly (readonly [group: GroupId, replica: ReplicaId])[] {
    return this.#missing
  }

  /** One round over the groups led here. True: something is on its way. */
  look(now: Millis): boolean {
    let transfers = this.#transfers()
    const { diskRoom } = this.#deps.host.stats
    const moving = new Set<GroupId>()
    this.#missing = []
    for (const placement of this.#deps.directory.placements) {
      const { group } = placement
      const status = this.#deps.host.status(group)
      if (!status || status.role !== 'leader') {
        this.#reigns.delete(group)
        this.#asking.delete(group)
        this.#wishes.delete(group)
        continue
      }
      this.#note(status, now)
      if (diskRoom !== 'enough' && this.#giveAway(status)) continue
      // What would follow writes: nothing can be written here.
      if (diskRoom === 'full') continue
      if (!this.#settled(status)) continue
      const steady = this.#lookAt(placement, status, now, moving)
      if (steady && transfers < TRANSFERS_MAX && this.#handBack(placement, status, now)) transfers++
    }
    this.#moving = moving
    return moving.size > 0
  }

  /** Groups that are being handed over now. */
  #transfers(): number {
    const { directory, host } = this.#deps
    return directory.placements.filter(({ group }) => (host.status(group)?.transferee ?? NOBODY) !== NOBODY).length
  }

  #lookAt(placement: Placement, status: GroupStatus, now: Millis, moving: Set<GroupId>): boolean {
    const { group } = placement
    const { host, onLog } = this.#deps
    const others = new Set([...this.#moving, ...moving])
    others.delete(group)
    const step = planGroup({
      self: host.replicaOf(group) ?? 0,
      membership: status.membership,
      progress: status.progress,
      last: status.last,
      target: targetOf(placement),
      asking: (replica) => now - (this.#asking.get(group)?.get(replica) ?? -Infinity) < ASKING_MS,
      alive: (replica) => this.#alive(replica),
      mayAdd: others.size < this.#movesMax,
    })
    if (step.type !== 'change') this.#wishes.delete(group)
    if (step.type === 'steady') return true
    if (step.moving) moving.add(group)
    if (step.type === 'wait') for (const replica of step.missing) this.#missing.push([group, replica])
    if (step.type !== 'change' || !this.#mayChange(status, step.voters, now)) return false
    const proposed = host.proposeMembership(group, step.voters, step.learners)
    if (!proposed.ok) return false
    const reign = this.#reigns.get(group)
    if (reign) reign.from = proposed.index
    onLog('info', 'the membership of a group changes', { group, voters: step.voters, learners: step.learners })
    return false
  }

  /** Asks a change's next voters, and again after a while; true once enough have answered. */
  #mayChange({ group, membership }: GroupStatus, voters: readonly ReplicaId[], now: Millis): boolean {
    const { detector, directory, member } = this.#deps
    const key = voters.join()
    if (key === membership.voters.join()) {
      this.#wishes.delete(group)
      return true
    }
    const nodes = voters.filter((replica) => memberOf(replica) !== member).map((replica) => directory.nodeOf(memberOf(replica)))
    let wish = this.#wishes.get(group)
    if (wish?.voters !== key || now - wish.since >= ANSWER_MS) {
      this.#wishes.set(group, (wish = { voters: key, since: now }))
      for (const node of nodes) if (node !== null) detector.ask(node)
    }
    const { since } = wish
    const silent = nodes.filter((node) => node === null || detector.answered(node) < since)
    if (silent.length * 2 >= voters.length) return false
    this.#wishes.delete(group)
    return true
  }

  /** True: this group goes, or is going, to a node whose disk has more room; of those, to the one with most of the log. */
  #giveAway({ group, progress, membership, transferee }: GroupStatus): boolean {
    if (transferee !== 0) return true
    const able = progress.filter(
      ({ replica, state }) =>
        state === 'replicate' && membership.voters.includes(replica) && this.#alive(replica) && this.#hasMoreRoom(replica),
    )
    const [best] = able.sort((a, b) => b.match - a.match)
    if (!best || !this.#deps.host.transferLeadership(group, best.replica)) return false
    this.#deps.onLog('warn', 'the disk has no room: a group is handed over', { group, to: best.replica })
    return true
  }

  #hasMoreRoom(replica: ReplicaId): boolean {
    const { directory, detector, host, member } = this.#deps
    const node = directory.nodeOf(memberOf(replica))
    return node !== null && memberOf(replica) !== member && hasMoreRoom(detector.roomOf(node), host.stats.diskRoom)
  }

  #handBack(placement: Placement, status: GroupStatus, now: Millis): boolean {
    const { group, replicas, lives } = placement
    const { host, detector, directory } = this.#deps
    const [first = 0] = replicas
    const preferred = replicaId(first, lives[0] ?? 0)
    if (preferred === host.replicaOf(group) || status.transferee !== 0) return false
    const node = directory.nodeOf(first)
    const { progress, last } = status
    if (node !== null && hasMoreRoom(host.stats.diskRoom, detector.roomOf(node))) return false
    const preferredUpSince = node === null ? null : detector.upSince(node)
    const ledSince = this.#reigns.get(group)?.since ?? now
    if (!this.#restore.shouldTransfer({ group, ledSince, preferred, preferredUpSince, progress, last }, now)) return false
    return host.transferLeadership(group, preferred)
  }

  #alive(replica: ReplicaId): boolean {
    const { directory, detector, member } = this.#deps
    const node = directory.nodeOf(memberOf(replica))
    return memberOf(replica) === member || (node !== null && detector.isUp(node))
  }

  #note({ group, term, last, membership }: GroupStatus, now: Millis): void {
    if (this.#reigns.get(group)?.term !== term) this.#reigns.set(group, { term, since: now, from: last, membership })
  }

  #settled({ group, term, applied, last, membership }: GroupStatus): boolean {
    const reign = this.#reigns.get(group)
    if (reign === undefined || reign.term !== term) return false
    // The entry that makes a change known to others was appended as the change was applied.
    if (reign.membership !== membership) Object.assign(reign, { from: last, membership })
    return applied >= reign.from
  }
}
