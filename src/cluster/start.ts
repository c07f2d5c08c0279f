/**
 * The cluster floor comes up: form (or find that it has formed), open the groups of this node, begin those that the first
 * table gives it, and watch the other nodes.
 */
import type { ActorSystem } from '../actors/actor.ts'
import type { Hash } from '../base/hash.ts'
import { type GroupId, type MemberId, type Millis, NOBODY, type NodeId, groupName, replicaId } from '../base/ids.ts'
import type { Ports } from '../io/ports.ts'
import type { Membership } from '../raft/core/types.ts'
import type { GroupHost, GroupHostOptions } from '../raft/group-host.ts'
import { openGroupHost } from '../raft/host/open.ts'
import { CLUSTER_PATH, createCluster, createClusterActor } from './cluster.ts'
import { ClusterDirectory } from './directory.ts'
import { DETECTOR_PATH, createFailureDetector } from './failure-detector.ts'
import { form } from './formation.ts'
import { joinFormation, markFounded } from './identity.ts'
import { place, votersOf } from './placement.ts'
import type { Cluster, Formation, Identity, Placement } from './types.ts'

export interface ClusterOptions extends Omit<GroupHostOptions, 'directory' | 'member'> {
  readonly peers: readonly NodeId[]
  readonly partitions: number
  readonly replicas: number
  readonly url: string
  readonly version: string
  readonly failureTimeoutMs: Millis
  readonly hash: Hash
}

export interface StartedCluster {
  readonly cluster: Cluster
  readonly host: GroupHost
}

export async function startCluster(
  system: ActorSystem,
  ports: Ports,
  identity: Identity,
  options: ClusterOptions,
): Promise<StartedCluster> {
  let joined = identity
  const { formation, member } = await form(system, identity, {
    ...options,
    store: async (made, own) => {
      joined = await joinFormation(ports.storage, identity, made, own.member)
    },
    onWaiting: (missing) =>
      options.onLog('info', missing.length > 0 ? `waiting for ${missing.join(', ')}` : 'waiting for the cluster to form'),
  })
  const placements = firstTable(formation, options.hash)
  const directory = new ClusterDirectory(formation.founders, { epoch: 1, placements })
  const host = await openGroupHost(system, ports, { ...options, directory, member: member.member })
  const lost = joined.founded ? lostReplicas(host, placements, member.member) : new Set<GroupId>()
  for (const group of lost) {
    options.onLog(
      'error',
      `the replica of group ${groupName(group)} on this node is damaged or lost: it is not served here, the others go on`,
    )
  }
  if (!joined.founded) found(host, placements, member.member, () => markFounded(ports.storage, joined), options)
  const detector = createFailureDetector({
    peers: () => directory.members.map(({ id }) => id),
    timeoutMs: options.failureTimeoutMs,
    onDown: (node) => {
      options.onLog('warn', `${node} is down`)
      host.nodeDown(node)
    },
    onUp: (node) => {
      options.onLog('info', `${node} is up`)
      host.nodeUp(node)
    },
  })
  system.spawn(DETECTOR_PATH, detector)
  system.spawn(CLUSTER_PATH, createClusterActor(host))
  return { cluster: createCluster({ system, host, directory, detector, formation, hash: options.hash, lost }), host }
}

/** Every founder computes it for itself from the same formation, so all compute the same. */
function firstTable(formation: Formation, hash: Hash): readonly Placement[] {
  const { partitions, replicas, founders } = formation
  return place(
    founders.map(({ member }) => member),
    { partitions, replicas, lifeOf: () => 0 },
    hash,
  )
}

/**
 * Begins this node's founding replicas. Once each of them has a leader they have written to the log after their creation,
 * so all of them are durable, and that is noted: from then on a missing replica is a lost one, and making it anew under
 * the same number could vote twice in one term.
 */
function found(
  host: GroupHost,
  placements: readonly Placement[],
  member: MemberId,
  note: () => Promise<void>,
  options: ClusterOptions,
): void {
  const own = placements.filter(({ replicas }) => replicas.includes(member))
  for (const placement of own) {
    if (host.replicaOf(placement.group) === null) host.createReplica(placement.group, replicaId(member, 0), membershipOf(placement))
  }
  let noted = false
  host.onChange(() => {
    if (noted || own.some(({ group }) => (host.status(group)?.leader ?? NOBODY) === NOBODY)) return
    noted = true
    note().catch((error: Error) => options.onDiskFatal(error))
  })
}

function lostReplicas(host: GroupHost, placements: readonly Placement[], member: MemberId): ReadonlySet<GroupId> {
  const own = placements.filter(({ replicas }) => replicas.includes(member))
  return new Set(own.map(({ group }) => group).filter((group) => host.replicaOf(group) === null))
}

function membershipOf(placement: Placement): Membership {
  const voters = votersOf(placement)
  const ids = (members: readonly MemberId[]) => members.map((member) => replicaId(member, 0)).sort((a, b) => a - b)
  return {
    voters: ids(voters),
    outgoing: [],
    learners: ids(placement.replicas.filter((member) => !voters.includes(member))),
    learnersNext: [],
  }
}
