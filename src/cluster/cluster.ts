/**
 * The cluster as the API sees it, and the actor `cluster` that tells other nodes of this one's groups.
 */
import type { Actor, ActorContext, ActorSystem } from '../actors/actor.ts'
import { type Envelope, type Plain, actorId } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import type { Hash } from '../base/hash.ts'
import {
  type GroupId,
  LOCKS_GROUP,
  META_GROUP,
  type MemberId,
  type Millis,
  NOBODY,
  type NodeId,
  groupName,
  partitionGroup,
} from '../base/ids.ts'
import type { GroupHost } from '../raft/group-host.ts'
import type { Proposer } from '../raft/proposer.ts'
import type { ClusterDirectory } from './directory.ts'
import type { FailureDetector } from './failure-detector.ts'
import { CLUSTER_PATH } from './join.ts'
import { type MetaCommand, encodeMetaCommand, valueOf } from './meta-machine-commands.ts'
import { carries } from './meta-machine.ts'
import { place } from './placement.ts'
import { encodeView } from './redistribute.ts'
import { VIRTUAL_NODES, partitionOf } from './ring.ts'
import { type StatusRow, encodeAnswer, groupViews, readAnswer, stateBytes, statusRows } from './status.ts'
import type { Cluster, ClusterStatus, Formation, Member, MemberState, NodeView, RingMove, RingPlan, RingView } from './types.ts'

const STATUS_TIMEOUT_MS: Millis = 1_000
const PROPOSE_TIMEOUT_MS: Millis = 4_000

export interface ClusterDeps {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  readonly detector: FailureDetector
  readonly proposer: Proposer
  readonly formation: Formation
  readonly hash: Hash
  readonly member: MemberId
  /** True until all founding replicas of this node are durable. */
  readonly founding: () => boolean
}

export function createClusterActor(deps: ClusterDeps): Actor {
  return {
    receive(envelope: Envelope, ctx: ActorContext): void {
      if (envelope.msgType === 'cluster_status') {
        const answer = { epoch: deps.directory.epoch, rows: statusRows(deps.host) }
        ctx.reply(envelope, 'cluster_status_reply', encodeAnswer(answer))
      } else if (envelope.msgType === 'join_cluster') onJoin(deps, envelope, ctx)
    },
  }
}

function onJoin(deps: ClusterDeps, envelope: Envelope, ctx: ActorContext): void {
  const claim = Array.isArray(envelope.payload) ? (envelope.payload as readonly Plain[]) : []
  if (claim.length !== 4 || !claim.every((field) => typeof field === 'string') || claim[1] === '') {
    return ctx.fail(envelope, 'INVALID_ARGUMENT', 'join_cluster is [id, uid, url, version]')
  }
  const [id, uid, url, version] = claim as unknown as readonly [string, string, string, string]
  const { formation, directory } = deps
  ctx.pipeToSelf(
    propose(deps.proposer, { name: 'add_member', id, uid, url, version }),
    (member) => ctx.reply(envelope, 'join_cluster_reply', [formation as unknown as Plain, member, encodeView(directory.view)]),
    (error) => {
      if (!(error instanceof TricordError)) throw error
      ctx.fail(envelope, error.code, error.message)
    },
  )
}

/** Resolves with what `meta` answered; rejects with its refusal. */
function propose(proposer: Proposer, command: MetaCommand): Promise<Plain> {
  return new Promise((resolve, reject) => {
    proposer.submit(META_GROUP, encodeMetaCommand(command), { timeoutMs: PROPOSE_TIMEOUT_MS, essential: true }, (result) => {
      if (!result.ok) return reject(result.error)
      try {
        resolve(valueOf(result.reply))
      } catch (error) {
        reject(error as Error)
      }
    })
  })
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
    const { system, directory, formation } = this.#deps
    const groups = groupViews(directory, await this.#surveyAll())
    const nodes = directory.members.map((member): NodeView => ({
      id: member.id,
      state: this.#stateOf(member),
      url: member.url,
      version: member.version,
    }))
    const locks = groups.find(({ id }) => id === groupName(LOCKS_GROUP))
    // One that was only announced, or is on its way out, is missed by nobody.
    const carriers = directory.members.filter(carries)
    const alive = carriers.filter((member) => this.#stateOf(member) !== 'down').length
    const quorum = alive > carriers.length / 2 && groups.every(({ leader }) => leader !== null)
    return { cluster: formation.name, node: system.node, epoch: directory.epoch, leader: locks?.leader ?? null, quorum, nodes, groups }
  }

  /** What the replicas of all nodes that answer say. */
  async #surveyAll(): Promise<readonly (readonly StatusRow[])[]> {
    const { system, host, directory } = this.#deps
    const peers = directory.members.filter(({ id }) => id !== system.node)
    const answers = await Promise.all(peers.map(({ id }) => this.#ask(id)))
    return [statusRows(host), ...answers.filter((rows) => rows !== null)]
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
    const replicas = directory.nodesOf(directory.placementOf(group)?.replicas ?? [])
    return { partition, replicas, leader, epoch: directory.epoch }
  }

  async plan(change: { readonly add: readonly NodeId[]; readonly remove: readonly NodeId[] }): Promise<RingPlan> {
    const { directory, formation, hash } = this.#deps
    const names = new Map<MemberId, NodeId>(directory.members.map(({ member, id }) => [member, id]))
    const unknown = change.remove.find((id) => !directory.members.some((one) => one.id === id))
    if (unknown !== undefined) throw new TricordError('NOT_FOUND', `no member is called ${unknown}`)
    const staying = directory.members.filter((one) => carries(one) && !change.remove.includes(one.id)).map(({ member }) => member)
    let next = directory.nextMember
    const joining = [...new Set(change.add)].filter((id) => !directory.members.some((one) => carries(one) && one.id === id))
    // One that was announced has its number already.
    const numberOf = (id: NodeId): MemberId => directory.members.find((one) => one.id === id && one.state === 'joining')?.member ?? next++
    const newcomers = joining.map((id) => [numberOf(id), id] as const)
    for (const [member, id] of newcomers) names.set(member, id)
    const { partitions, replicas } = formation
    const members = [...staying, ...newcomers.map(([member]) => member)]
    if (members.length === 0) throw new TricordError('INVALID_ARGUMENT', 'nobody would be left')
    const sizes = stateBytes(await this.#surveyAll())
    const moves: RingMove[] = []
    const table = place(members, { partitions, replicas, lifeOf: () => 0, current: directory.placements }, hash)
    for (const { group, replicas: to } of table) {
      const from = directory.placementOf(group)?.replicas ?? []
      if (to.every((member) => from.includes(member)) && to.length === from.length) continue
      const nodes = (list: readonly MemberId[]) => list.map((member) => names.get(member) ?? '')
      const copies = to.filter((member) => !from.includes(member)).length
      moves.push({ group: groupName(group), from: nodes(from), to: nodes(to), bytes: copies * (sizes.get(group) ?? 0) })
    }
    return { epoch: directory.epoch, moves, bytes: moves.reduce((sum, { bytes }) => sum + bytes, 0) }
  }

  ready(): { readonly ready: boolean; readonly reason: string } {
    const { host, directory, member } = this.#deps
    if (!directory.memberOf(member)) return { ready: false, reason: 'this node is no member of the cluster (yet)' }
    const names = host
      .groups()
      .filter((group) => this.#waits(group))
      .map(groupName)
    if (names.length === 0) return { ready: true, reason: '' }
    return {
      ready: false,
      reason: `no leader yet for ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`,
    }
  }

  /** A replica that is still on its way in is no reason to wait: the others serve its group. */
  #waits(group: GroupId): boolean {
    const status = this.#deps.host.status(group)
    if (!status) return this.#deps.founding()
    return status.applied > 0 && status.leader === NOBODY
  }

  addMember({ id, url }: { readonly id: NodeId; readonly url: string }): Promise<{ readonly member: MemberId }> {
    return this.#change({ name: 'add_member', id, uid: '', url, version: '' })
  }

  removeMember(id: NodeId): Promise<{ readonly member: MemberId }> {
    return this.#change({ name: 'remove_member', id })
  }

  async #change(command: MetaCommand): Promise<{ readonly member: MemberId }> {
    return { member: Number(await propose(this.#deps.proposer, command)) }
  }

  async #ask(node: NodeId): Promise<readonly StatusRow[] | null> {
    const { system, detector } = this.#deps
    if (!detector.isUp(node)) return null
    const answer = await system.ask(actorId(node, CLUSTER_PATH), 'cluster_status', null, STATUS_TIMEOUT_MS).catch(() => null)
    return answer && (readAnswer(answer.payload)?.rows ?? null)
  }

  #stateOf({ id, state }: Member): MemberState {
    const up = id === this.#deps.system.node || this.#deps.detector.isUp(id)
    if (!up) return 'down'
    return state === 'active' ? 'up' : state
  }
}
