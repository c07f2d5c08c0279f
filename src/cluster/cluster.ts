/**
 * The cluster as the API sees it, and the actor `cluster` that tells other nodes of this one's groups.
 */
import type { Actor, ActorContext, ActorSystem } from '../actors/actor.ts'
import { type Envelope, type Plain, actorId } from '../actors/envelope.ts'
import type { Hash } from '../base/hash.ts'
import { type GroupId, LOCKS_GROUP, type MemberId, type Millis, type NodeId, groupName, partitionGroup } from '../base/ids.ts'
import type { GroupHost } from '../raft/group-host.ts'
import type { ClusterDirectory } from './directory.ts'
import type { FailureDetector } from './failure-detector.ts'
import { place } from './placement.ts'
import { VIRTUAL_NODES, partitionOf } from './ring.ts'
import { type StatusRow, groupViews, readRows, statusRows } from './status.ts'
import type { Cluster, ClusterStatus, Formation, MemberState, NodeView, RingPlan, RingView } from './types.ts'

export const CLUSTER_PATH = 'cluster'
const STATUS_TIMEOUT_MS: Millis = 1_000

export interface ClusterDeps {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  readonly detector: FailureDetector
  readonly formation: Formation
  readonly hash: Hash
  /** Groups whose replica on this node is damaged: others serve them. */
  readonly lost: ReadonlySet<GroupId>
}

export function createClusterActor(host: GroupHost): Actor {
  return {
    receive(envelope: Envelope, ctx: ActorContext): void {
      if (envelope.msgType === 'cluster_status') ctx.reply(envelope, 'cluster_status_reply', statusRows(host) as unknown as Plain)
    },
  }
}

export function createCluster(deps: ClusterDeps): Cluster {
  return new ClusterFacade(deps)
}

class ClusterFacade implements Cluster {
  readonly #deps: ClusterDeps

  constructor(deps: ClusterDeps) {
    this.#deps = deps
  }

  async status(): Promise<ClusterStatus> {
    const { system, host, directory, formation } = this.#deps
    const peers = directory.members.filter(({ id }) => id !== system.node)
    const answers = await Promise.all(peers.map(({ id }) => this.#ask(id)))
    const groups = groupViews(directory, [statusRows(host), ...answers.filter((rows) => rows !== null)])
    const nodes = directory.members.map(({ id, url, version }): NodeView => ({ id, state: this.#stateOf(id), url, version }))
    const locks = groups.find(({ id }) => id === groupName(LOCKS_GROUP))
    const alive = nodes.filter(({ state }) => state !== 'down').length
    const quorum = alive > nodes.length / 2 && groups.every(({ leader }) => leader !== null)
    return { cluster: formation.name, node: system.node, epoch: directory.epoch, leader: locks?.leader ?? null, quorum, nodes, groups }
  }

  ring(): RingView {
    const { directory, formation } = this.#deps
    const placements = directory.placements
    const members = directory.members.map(({ id, member }) => ({
      id,
      replicas: placements.filter(({ replicas }) => replicas.includes(member)).length,
      leaders: placements.filter(({ replicas }) => replicas[0] === member).length,
    }))
    const rows = placements.map(({ group, replicas }) => ({ group: groupName(group), replicas: directory.nodesOf(replicas) }))
    return { epoch: directory.epoch, partitions: formation.partitions, virtualNodes: VIRTUAL_NODES, members, placements: rows }
  }

  explain(key: string): ReturnType<Cluster['explain']> {
    const { directory, formation, hash, host } = this.#deps
    const partition = partitionOf(key, formation.partitions, hash)
    const group = partitionGroup(partition)
    const row = statusRows(host).find(([id]) => id === group)
    const leader = row && row[1] !== 0 ? directory.nodeOf(row[1]) : null
    return { partition, replicas: directory.hostsOf(group), leader, epoch: directory.epoch }
  }

  plan(change: { readonly add: readonly NodeId[]; readonly remove: readonly NodeId[] }): RingPlan {
    const { directory, formation, hash } = this.#deps
    const names = new Map<MemberId, NodeId>(directory.members.map(({ member, id }) => [member, id]))
    const staying = directory.members.filter(({ id }) => !change.remove.includes(id)).map(({ member }) => member)
    const next = Math.max(...names.keys()) + 1
    const joining = change.add.filter((id) => !directory.members.some((member) => member.id === id))
    for (const [at, id] of joining.entries()) names.set(next + at, id)
    const { partitions, replicas } = formation
    const members = [...staying, ...joining.map((_, at) => next + at)]
    const moves: { group: string; from: readonly NodeId[]; to: readonly NodeId[] }[] = []
    for (const { group, replicas: to } of place(members, { partitions, replicas, lifeOf: () => 0 }, hash)) {
      const from = directory.placementOf(group)?.replicas ?? []
      if (to.every((member) => from.includes(member)) && to.length === from.length) continue
      const nodes = (list: readonly MemberId[]) => list.map((member) => names.get(member) ?? '')
      moves.push({ group: groupName(group), from: nodes(from), to: nodes(to) })
    }
    return { epoch: directory.epoch, moves }
  }

  ready(): { readonly ready: boolean; readonly reason: string } {
    const { host, directory, lost, system } = this.#deps
    const led = new Set(statusRows(host).flatMap(([group, leader]) => (leader === 0 ? [] : [group])))
    const own = directory.placements.filter(({ group }) => directory.hostsOf(group).includes(system.node) && !lost.has(group))
    const names = own.filter(({ group }) => !led.has(group)).map(({ group }) => groupName(group))
    if (names.length === 0) return { ready: true, reason: '' }
    return {
      ready: false,
      reason: `no leader yet for ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`,
    }
  }

  async #ask(node: NodeId): Promise<readonly StatusRow[] | null> {
    const { system, detector } = this.#deps
    if (!detector.isUp(node)) return null
    const answer = await system.ask(actorId(node, CLUSTER_PATH), 'cluster_status', null, STATUS_TIMEOUT_MS).catch(() => null)
    return answer && readRows(answer.payload)
  }

  #stateOf(node: NodeId): MemberState {
    return node === this.#deps.system.node || this.#deps.detector.isUp(node) ? 'up' : 'down'
  }
}
