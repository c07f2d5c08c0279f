/**
 * Whole cluster floors of several nodes in one process: local bus, memory disks, virtual time, and machines without a state
 * in the groups. A node can be killed (nothing is flushed), started again from its disk, or cut off.
 */
import type { ActorSystem } from '../src/actors/actor.ts'
import { createActorSystem } from '../src/actors/system.ts'
import { type GroupId, META_GROUP, type NodeId, memberOf } from '../src/base/ids.ts'
import { Prng } from '../src/base/prng.ts'
import { openIdentity } from '../src/cluster/identity.ts'
import { MetaMachine } from '../src/cluster/meta-machine.ts'
import { type ClusterOptions, type StartedCluster, startCluster } from '../src/cluster/start.ts'
import type { MetaView } from '../src/cluster/types.ts'
import { loadHash } from '../src/io/hash.ts'
import { MemoryDisk, createMemoryStorage } from '../src/io/storage-memory.ts'
import { createLocalBus } from '../src/io/transport-local.ts'
import type { StateMachine } from '../src/raft/machine.ts'
import { createProposer } from '../src/raft/host/proposer.ts'
import type { SubmitResult } from '../src/raft/proposer.ts'
import { lossyTransport } from './lossy-transport.ts'
import { ManualClock } from './manual-clock.ts'
import { ToyMachine, toyCommand } from './toy-machine.ts'

const hash = await loadHash()

export interface BedOptions {
  readonly partitions: number
  readonly replicas?: number
  readonly machine?: () => StateMachine
}

export class BedNode {
  readonly id: NodeId
  disk = new MemoryDisk()
  system: ActorSystem | null = null
  started: StartedCluster | null = null
  error: Error | null = null
  left = false

  constructor(id: NodeId) {
    this.id = id
  }

  get up(): boolean {
    return this.system !== null
  }

  /** The table as the replica of `meta` here has it. */
  get view(): MetaView | null {
    const machine = this.started?.host.machine(META_GROUP)
    return machine instanceof MetaMachine ? machine.view : null
  }
}

export class ClusterBed {
  readonly clock = new ManualClock()
  readonly nodes = new Map<NodeId, BedNode>()
  readonly bugs: unknown[] = []
  readonly log: string[] = []
  readonly cut = new Set<string>()
  readonly #bus = createLocalBus(this.clock)
  readonly #random = new Prng(11)
  /** Of the nodes that begin from now on. */
  options: BedOptions

  constructor(options: BedOptions) {
    this.options = options
  }

  node(id: NodeId): BedNode {
    let node = this.nodes.get(id)
    if (!node) this.nodes.set(id, (node = new BedNode(id)))
    return node
  }

  get up(): BedNode[] {
    return [...this.nodes.values()].filter((node) => node.up && node.started !== null)
  }

  /** Begins to start; `started` or `error` of the node tells how it went. */
  async begin(id: NodeId, peers: readonly NodeId[], join = false): Promise<BedNode> {
    const node = this.node(id)
    node.error = null
    node.started = null
    node.left = false
    const storage = createMemoryStorage(node.disk)
    let identity: Awaited<ReturnType<typeof openIdentity>> | null = null
    void openIdentity(storage, this.clock, this.#random.fork(), { node: id, cluster: 'test' }).then((opened) => (identity = opened))
    await this.clock.until(() => identity !== null, `${id} opens its identity`)
    const own = identity as unknown as Awaited<ReturnType<typeof openIdentity>>
    const transport = lossyTransport(this.#bus.transport(id, own.incarnation), (to, go) => {
      if (!this.cut.has(`${id}>${to}`)) go()
    })
    const [clock, random] = [this.clock, this.#random.fork()]
    node.system = createActorSystem({
      node: id,
      incarnation: own.incarnation,
      cluster: 'test',
      clock,
      random,
      transport,
      mailboxMax: 10_000,
      drainMax: 1_000,
      onBug: (error) => this.bugs.push(error),
    })
    startCluster(node.system, { clock, random, transport, storage }, own, this.#clusterOptions(node, peers, join)).then(
      (started) => {
        node.started = started
        this.#watchRemovals(started)
      },
      (error: Error) => (node.error = error),
    )
    return node
  }

  /** A replica that its group's leader counts on must not be deleted. */
  #watchRemovals({ host }: StartedCluster): void {
    const remove = host.removeReplica.bind(host)
    host.removeReplica = (group) => {
      const replica = host.replicaOf(group)
      const membership = this.leaderOf(group)?.started?.host.status(group)?.membership
      const counted = membership && [...membership.voters, ...membership.outgoing, ...membership.learners]
      if (replica !== null && counted?.includes(replica)) this.bugs.push(new Error(`${replica} of group ${group} is deleted, and a member`))
      remove(group)
    }
  }

  #clusterOptions(node: BedNode, peers: readonly NodeId[], join: boolean): ClusterOptions {
    return {
      machineFor: this.options.machine ?? ((): StateMachine => new ToyMachine()),
      peers,
      join,
      partitions: this.options.partitions,
      replicas: this.options.replicas ?? 3,
      url: `http://${node.id}`,
      version: '1',
      failureTimeoutMs: 1_000,
      hash,
      tickMs: 20,
      electionTimeoutMs: 200,
      heartbeatIntervalMs: 40,
      segmentBytes: 4_000_000,
      logBytesMax: 1_000_000,
      checkpointIntervalMs: 100,
      diskLowBytes: 1_000_000,
      snapshotBytesPerSecond: 0,
      onDiskFatal: (error) => this.bugs.push(error),
      onLog: (level, message, fields) =>
        this.log.push(`${Math.round(this.clock.now())} ${node.id} ${level} ${message} ${JSON.stringify(fields ?? {})}`),
      onLeft: () => (node.left = true),
    }
  }

  async start(ids: readonly NodeId[], peers: readonly NodeId[] = ids, join = false): Promise<void> {
    for (const id of ids) await this.begin(id, peers, join)
    await this.until(() => ids.every((id) => this.node(id).started !== null), `${ids.join()} start`)
  }

  /** As kill -9: nothing is flushed. */
  async kill(id: NodeId): Promise<void> {
    const node = this.node(id)
    node.started?.close()
    await node.system?.close()
    node.system = null
    node.started = null
    await this.clock.settle()
  }

  /** As SIGTERM; `ended` once the node is gone. */
  end(id: NodeId): { readonly ended: boolean } {
    const node = this.node(id)
    const { started, system } = node
    const progress = { ended: false }
    const over = async (): Promise<void> => {
      started?.close()
      await started?.host.drain(5_000, () => started.detector.end())
      await started?.host.close()
      await system?.close()
      node.system = null
      node.started = null
      progress.ended = true
    }
    void over().catch((error: unknown) => this.bugs.push(error))
    return progress
  }

  async until(reached: () => boolean, what: string, limitMs = 120_000): Promise<void> {
    const healthy = (): boolean => {
      if (this.bugs.length > 0) throw this.bugs[0]
      return reached()
    }
    await this.clock.until(healthy, what, limitMs).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log.slice(-30).join('\n')}\n${this.describe()}`, { cause: error })
    })
  }

  /** Who holds what, as each node has it. */
  describe(): string {
    const lines = this.up.map(({ id, started }) => {
      const groups = started!.host.groups().map((group) => {
        const status = started!.host.status(group)
        return `${group}:${status ? `${status.role[0]}${status.serving ? '' : '!'}[${status.membership.voters.join()}|${status.membership.learners.join()}]` : '?'}`
      })
      return `${id} epoch ${started!.directory.epoch} ${groups.join(' ')}`
    })
    return lines.join('\n')
  }

  /** What is, is what the newest table says: every group led, its members as placed, nobody holds anything else. */
  get settled(): boolean {
    const epoch = Math.max(...this.up.map(({ started }) => started!.directory.epoch))
    const newest = this.up.find(({ started }) => started!.directory.epoch === epoch)
    const { view = null } = newest?.started?.directory ?? {}
    const placements = view?.formation ? view.placements : []
    return (
      placements.length > 0 &&
      placements.every(({ group, replicas }) => this.#isPlaced(group, replicas)) &&
      this.#holdNothingElse(placements)
    )
  }

  #isPlaced(group: GroupId, replicas: readonly number[]): boolean {
    const leader = this.leaderOf(group)
    if (!leader) return false
    const { voters, outgoing, learners } = leader.started!.host.status(group)!.membership
    const members = [...voters, ...learners].map(memberOf).sort((a, b) => a - b)
    return outgoing.length === 0 && members.join() === [...replicas].sort((a, b) => a - b).join()
  }

  #holdNothingElse(placements: MetaView['placements']): boolean {
    return this.up.every(({ id, started }) => {
      const member = started!.directory.members.find((one) => one.id === id)?.member
      const given = placements.filter(({ replicas }) => member !== undefined && replicas.includes(member)).map(({ group }) => group)
      const held = started!.host.groups().filter((group) => started!.host.status(group)?.serving)
      return held.length === started!.host.groups().length && held.length === given.length && held.every((group) => given.includes(group))
    })
  }

  leaderOf(group: GroupId): BedNode | null {
    let best: { node: BedNode; term: number } | null = null
    for (const node of this.up) {
      const status = node.started!.host.status(group)
      if (status?.role === 'leader' && (!best || status.term > best.term)) best = { node, term: status.term }
    }
    return best?.node ?? null
  }

  /** Adds to the sum of a group's machine, through any node. */
  add(id: NodeId, group: GroupId, by: number): Promise<SubmitResult> {
    return this.do(id, group, { add: by })
  }

  async do(id: NodeId, group: GroupId, command: object): Promise<SubmitResult> {
    const proposer = createProposer(this.node(id).system!, { raft: `${id}/raft`, path: `adder-${this.clock.now()}-${group}` })
    let result: SubmitResult | null = null
    proposer.submit(group, toyCommand(command), { timeoutMs: 30_000 }, (got) => (result = got))
    await this.until(() => result !== null, `an answer of group ${group}`)
    proposer.close()
    return result as unknown as SubmitResult
  }

  async ask<T>(promise: Promise<T>, what: string): Promise<T> {
    let over = false
    promise.then(
      () => (over = true),
      () => (over = true),
    )
    await this.until(() => over, what)
    return promise
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) if (node.up) await this.kill(node.id)
  }
}
