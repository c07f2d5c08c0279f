/**
 * The cluster floor comes up: form, join or find that it has formed; open the groups of this node; begin those that the
 * first table gives it; then watch the other nodes, and follow the table.
 *
 *   identity ─┬─ fresh, founder ──> formation ─┐
 *             ├─ fresh, --join ───> join ──────┼─> group host ─> founding replicas ─> detector, cluster, reconciler
 *             └─ known ────────────────────────┘
 */
import type { ActorSystem } from '../actors/actor.ts'
import type { Hash } from '../base/hash.ts'
import { META_GROUP, type MemberId, type Millis, type NodeId } from '../base/ids.ts'
import type { Ports } from '../io/ports.ts'
import type { GroupHost, GroupHostOptions } from '../raft/group-host.ts'
import { openGroupHost } from '../raft/host/open.ts'
import { createProposer } from '../raft/host/proposer.ts'
import type { Proposer } from '../raft/proposer.ts'
import { createCluster, createClusterActor } from './cluster.ts'
import { ClusterDirectory } from './directory.ts'
import { DETECTOR_PATH, type FailureDetector, createFailureDetector } from './failure-detector.ts'
import { form } from './formation.ts'
import { Founding } from './founding.ts'
import { joinFormation, joinRunning } from './identity.ts'
import { CLUSTER_PATH, join } from './join.ts'
import { ReplicaLedger } from './ledger.ts'
import { MetaMachine, memberAfter } from './meta-machine.ts'
import { RECONCILER_PATH, Reconciler } from './reconciler.ts'
import { firstTable } from './reconcile-meta.ts'
import type { Cluster, Formation, Identity, MetaView } from './types.ts'

const PROPOSER_PATH = 'cluster-proposer'

export interface ClusterOptions extends Omit<GroupHostOptions, 'directory' | 'member'> {
  readonly peers: readonly NodeId[]
  /** Become a member of a running cluster through one of the peers, where this disk belongs to none yet. */
  readonly join?: boolean
  readonly partitions: number
  readonly replicas: number
  readonly url: string
  readonly version: string
  readonly failureTimeoutMs: Millis
  readonly hash: Hash
  /** Ends the wait for others: `startCluster` rejects with its reason. */
  readonly signal?: AbortSignal
  /** This node was removed and holds nothing any more: it may stop. */
  readonly onLeft?: () => void
}

export interface StartedCluster {
  readonly cluster: Cluster
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  readonly detector: FailureDetector
  /** Of this node itself; it closes with the rest. */
  readonly proposer: Proposer
  /** Known to every node, and to nobody else. */
  readonly secret: string
  /** Where clients reach this node, where that is not known before it listens. */
  announce(url: string): void
  /** Stops moving things. Call it before the host is drained. */
  close(): void
}

export async function startCluster(
  system: ActorSystem,
  ports: Ports,
  identity: Identity,
  options: ClusterOptions,
): Promise<StartedCluster> {
  const { joined, formation, member, view } = await unlessAborted(belong(system, ports, identity, options), options.signal)
  const directory = new ClusterDirectory(view, () => system.peers.keys())
  let reconciler: Reconciler | null = null
  const adopt = (next: MetaView): void => void (reconciler ? reconciler.adopt(next) : directory.adopt(next))
  const machineFor: GroupHostOptions['machineFor'] = (group) => (group === META_GROUP ? new MetaMachine(adopt) : options.machineFor(group))
  const host = await openGroupHost(system, ports, { ...options, machineFor, directory, member })
  const founding = new Founding(host, formation, firstTable(formation, options.hash), member)
  if (!joined.founded) founding.begin(ports.storage, joined, options.onDiskFatal)
  const ledger = await ReplicaLedger.open(ports.storage, founding.groups)
  const proposer = createProposer(system, { raft: host.id, path: PROPOSER_PATH })
  const detector = watch(host, directory, options, () => reconciler?.poke())
  const parts = { ...options, host, directory, detector, proposer, ledger, formation, member, founding: () => founding.underWay }
  const facts = { system, uid: identity.uid, metaView: () => metaViewOf(host), onLeft: () => left(options) }
  reconciler = new Reconciler({ ...parts, ...facts })
  system.spawn(DETECTOR_PATH, detector)
  system.spawn(CLUSTER_PATH, createClusterActor({ ...parts, ...facts }))
  system.spawn(RECONCILER_PATH, reconciler)
  return {
    cluster: createCluster({ ...parts, ...facts }),
    host,
    directory,
    detector,
    proposer,
    secret: formation.secret ?? formation.clusterId,
    announce: (url) => reconciler.announce(url),
    close() {
      founding.close()
      system.stop(RECONCILER_PATH)
      proposer.close()
    },
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  const aborted = new Promise<never>((_, reject) => {
    const give = (): void => reject(signal.reason as Error)
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
  })
  return Promise.race([work, aborted])
}

interface Belonging {
  readonly joined: Identity
  readonly formation: Formation
  readonly member: MemberId
  /** The newest view at hand; the replica of `meta` on this disk may know a newer one. */
  readonly view: MetaView
}

/** Resolves once this node belongs to a cluster. */
async function belong(system: ActorSystem, ports: Ports, identity: Identity, options: ClusterOptions): Promise<Belonging> {
  let joined = identity
  let view: MetaView | null = null
  if (options.join && !identity.formation) {
    const onWaiting = (why: string): void => options.onLog('info', `waiting to be taken into the cluster: ${why}`)
    const taken = await join(system, identity, { ...options, seeds: options.peers, onWaiting })
    joined = await joinRunning(ports.storage, identity, taken.formation, taken.member)
    view = taken.view
  }
  const { formation, member } = await form(system, joined, {
    ...options,
    store: async (made, own) => {
      joined = await joinFormation(ports.storage, identity, made, own.member)
    },
    onWaiting: (missing) =>
      options.onLog('info', missing.length > 0 ? `waiting for ${missing.join(', ')}` : 'waiting for the cluster to form'),
  })
  sayWhatIsFixed(formation, options)
  const [members, placements] = [formation.founders, firstTable(formation, options.hash)]
  view ??= { formation: null, epoch: 0, nextMember: memberAfter(formation), members, placements }
  return { joined, formation, member: member.member, view }
}

/** A setting that is not followed is said. */
function sayWhatIsFixed({ partitions, replicas }: Formation, options: ClusterOptions): void {
  if (partitions === options.partitions && replicas === options.replicas) return
  options.onLog('warn', 'cluster.partitions and cluster.replicas stay what they were when the cluster formed', { partitions, replicas })
}

function watch(host: GroupHost, directory: ClusterDirectory, options: ClusterOptions, onAnswer: () => void): FailureDetector {
  const detector = createFailureDetector({
    peers: () => directory.members.map(({ id }) => id),
    timeoutMs: options.failureTimeoutMs,
    room: () => host.stats.diskRoom,
    onDown: (node) => {
      options.onLog('warn', `${node} is down`)
      host.nodeDown(node)
    },
    onUp: (node) => {
      options.onLog('info', `${node} is up`)
      host.nodeUp(node)
    },
    onRoom: (node, room) => host.nodeRoom(node, room),
    onAnswer,
  })
  host.onRoom(() => detector.tellRoom())
  return detector
}

function metaViewOf(host: GroupHost): MetaView | null {
  const machine = host.machine(META_GROUP)
  return machine instanceof MetaMachine ? machine.view : null
}

function left(options: ClusterOptions): void {
  options.onLog('warn', 'this node is no member of the cluster any more and holds nothing: it may be stopped')
  options.onLeft?.()
}
