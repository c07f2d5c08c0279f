/**
 * Hosts of several nodes in one process, on a local bus, memory disks and virtual time, with a toy machine in each
 * group. A node can be killed (nothing is flushed) and started again from its disk; messages can be lost on purpose.
 */
import type { ActorSystem } from '../src/actors/actor.ts'
import type { Plain } from '../src/actors/envelope.ts'
import { createActorSystem } from '../src/actors/system.ts'
import { Prng } from '../src/base/prng.ts'
import { type GroupId, type NodeId, type ReplicaId, replicaId } from '../src/base/ids.ts'
import { MemoryDisk, createMemoryStorage } from '../src/io/storage-memory.ts'
import type { Storage } from '../src/io/storage.ts'
import { createLocalBus } from '../src/io/transport-local.ts'
import type { Membership } from '../src/raft/core/types.ts'
import type { GroupHost } from '../src/raft/group-host.ts'
import type { RaftObserver } from '../src/raft/host/observer.ts'
import { openGroupHost } from '../src/raft/host/open.ts'
import { createProposer } from '../src/raft/host/proposer.ts'
import type { Proposer, SubmitOptions, SubmitResult } from '../src/raft/proposer.ts'
import { lossyTransport } from './lossy-transport.ts'
import { ManualClock } from './manual-clock.ts'
import type { ColdCommand } from './cold-machine.ts'
import { type ToyCommand, ToyMachine, toyCommand } from './toy-machine.ts'

export const GROUP: GroupId = 1

export interface ClusterOptions {
  readonly nodes: number
  readonly logBytesMax?: number
  readonly segmentBytes?: number
  readonly snapshotBytesPerSecond?: number
  readonly checkpointIntervalMs?: number
  readonly observer?: RaftObserver
  readonly machineFor?: (group: GroupId, node: NodeId) => ToyMachine
  readonly storage?: (disk: MemoryDisk, node: NodeId) => Storage
}

export class TestNode {
  readonly name: NodeId
  readonly member: number
  readonly disk = new MemoryDisk()
  readonly events: Plain[] = []
  incarnation = 0
  system!: ActorSystem
  host!: GroupHost
  proposer!: Proposer
  up = false

  constructor(member: number) {
    this.member = member
    this.name = `n${member}`
  }

  get machine(): ToyMachine {
    return this.host.machine(GROUP) as ToyMachine
  }

  get leads(): boolean {
    return this.up && this.host.status(GROUP)?.role === 'leader'
  }
}

/** What a submission came to, once it did. */
export interface Outcome {
  result: SubmitResult | null
  cancel: () => void
}

export class RaftCluster {
  readonly clock = new ManualClock()
  readonly nodes: TestNode[]
  /** Where the table says that the group is. */
  hosts: readonly NodeId[]
  readonly bugs: unknown[] = []
  readonly log: string[] = []
  /** Frames on a link `from>to` are lost while it is in here. */
  readonly cut = new Set<string>()
  /** Says which frames are lost besides. */
  loses: (from: NodeId, to: NodeId, frame: Uint8Array) => boolean = () => false
  readonly #bus = createLocalBus(this.clock)
  readonly #options: ClusterOptions
  readonly #random = new Prng(7)

  constructor(options: ClusterOptions) {
    this.#options = options
    this.nodes = Array.from({ length: options.nodes }, (_, i) => new TestNode(i + 1))
    this.hosts = this.nodes.map((one) => one.name)
  }

  node(member: number): TestNode {
    return this.nodes[member - 1]!
  }

  async start(node: TestNode): Promise<void> {
    node.incarnation++
    const transport = lossyTransport(this.#bus.transport(node.name, node.incarnation), (to, go, frame) => {
      if (!this.cut.has(`${node.name}>${to}`) && !this.loses(node.name, to, frame)) go()
    })
    const storage = (this.#options.storage ?? createMemoryStorage)(node.disk, node.name)
    node.system = createActorSystem({
      node: node.name,
      incarnation: node.incarnation,
      cluster: 'test',
      clock: this.clock,
      random: this.#random.fork(),
      transport,
      mailboxMax: 10_000,
      drainMax: 1_000,
      onBug: (error) => this.bugs.push(error),
    })
    const opening = openGroupHost(
      node.system,
      { clock: this.clock, random: this.#random.fork(), transport, storage },
      this.#hostOptions(node),
    )
    let settled = false
    const settle = (): void => void (settled = true)
    opening.then(settle, settle)
    await this.clock.until(() => settled, `${node.name} starts`)
    node.host = await opening
    node.host.onEvent((_group, event) => node.events.push(event))
    node.proposer = createProposer(node.system, { raft: node.host.id })
    node.up = true
  }

  #hostOptions(node: TestNode): Parameters<typeof openGroupHost>[2] {
    const {
      logBytesMax = 1_000_000,
      segmentBytes = 1_000_000,
      checkpointIntervalMs = 100,
      snapshotBytesPerSecond = 0,
      observer,
    } = this.#options
    return {
      machineFor: (group) => this.#options.machineFor?.(group, node.name) ?? new ToyMachine(),
      directory: { nodeOf: (member) => `n${member}`, hostsOf: () => this.hosts, nodes: this.nodes.map((one) => one.name) },
      member: node.member,
      tickMs: 10,
      electionTimeoutMs: 100,
      heartbeatIntervalMs: 20,
      segmentBytes,
      logBytesMax,
      checkpointIntervalMs,
      diskLowBytes: 1_000_000,
      snapshotBytesPerSecond,
      onDiskFatal: (error) => this.bugs.push(error),
      onLog: (level, message, fields) => this.log.push(`${node.name} ${level} ${message} ${JSON.stringify(fields ?? {})}`),
      ...(observer === undefined ? {} : { observer }),
    }
  }

  /** All nodes up, the group founded on the first `founders` of them, a leader elected. */
  async found(founders: number = this.nodes.length): Promise<TestNode> {
    for (const node of this.nodes) await this.start(node)
    const voters = this.nodes.slice(0, founders).map((node) => replicaId(node.member, 0))
    for (const node of this.nodes.slice(0, founders)) node.host.createReplica(GROUP, replicaId(node.member, 0), membership(voters))
    return this.leader()
  }

  async leader(): Promise<TestNode> {
    const leaders = (): TestNode[] => this.nodes.filter((node) => node.leads)
    await this.clock.until(() => leaders().length === 1, 'one leader')
    return leaders()[0]!
  }

  followers(): TestNode[] {
    return this.nodes.filter((node) => node.up && !node.leads && node.host.status(GROUP) !== null)
  }

  /** As kill -9: nothing is flushed. */
  async kill(node: TestNode): Promise<void> {
    node.up = false
    await node.system.close()
    await this.clock.settle()
  }

  isolate(node: TestNode, isolated: boolean): void {
    for (const other of this.nodes) {
      for (const link of [`${node.name}>${other.name}`, `${other.name}>${node.name}`]) {
        if (isolated) this.cut.add(link)
        else this.cut.delete(link)
      }
    }
  }

  submit(node: TestNode, command: ToyCommand | ColdCommand, options: Partial<SubmitOptions> = {}): Outcome {
    const outcome: Outcome = { result: null, cancel: () => {} }
    const submission = node.proposer.submit(GROUP, toyCommand(command), { timeoutMs: 20_000, ...options }, (result) => {
      if (outcome.result !== null) this.bugs.push(new Error('answered twice'))
      outcome.result = result
    })
    outcome.cancel = () => submission.cancel()
    return outcome
  }

  async do(node: TestNode, command: ToyCommand | ColdCommand, options: Partial<SubmitOptions> = {}): Promise<SubmitResult> {
    const outcome = this.submit(node, command, options)
    await this.clock.until(() => outcome.result !== null, `an answer to ${JSON.stringify(command)}`)
    return outcome.result!
  }

  async query(node: TestNode, request: Plain, consistency: 'linearizable' | 'stale' = 'linearizable'): Promise<Plain> {
    let answer: { reply: Plain } | Error | null = null
    node.proposer.query(GROUP, request, { timeoutMs: 10_000, consistency }).then(
      (got) => (answer = got),
      (error: Error) => (answer = error),
    )
    await this.clock.until(() => answer !== null, `an answer to the query ${JSON.stringify(request)}`)
    const got = answer as unknown as { reply: Plain } | Error
    if (got instanceof Error) throw got
    return got.reply
  }

  /** All replicas have applied the same. */
  async converge(): Promise<void> {
    const up = this.nodes.filter((node) => node.up && node.host.status(GROUP) !== null)
    const level = (): boolean => {
      const states = up.map((node) => node.host.status(GROUP)!)
      return states.every((state) => state.serving && state.applied === state.last && state.applied === states[0]!.applied)
    }
    await this.clock.until(level, 'all replicas have applied the same')
  }

  async close(): Promise<void> {
    for (const node of this.nodes) if (node.up) await this.kill(node)
  }
}

export function membership(voters: readonly ReplicaId[]): Membership {
  return { voters, outgoing: [], learners: [], learnersNext: [] }
}
