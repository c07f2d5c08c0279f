/**
 * One run: a seed, its options, two phases, the verdict.
 *
 *   form ──> safety: chaos and clients, checkers after every event ──> heal a quorum, stop the chaos ──> liveness:
 *   a leader, an answer through every node, all replicas equal, every client answered, within a bound ──> histories
 */
import type { Hash } from '../base/hash.ts'
import { LOCKS_GROUP, groupName, partitionGroup, META_GROUP, type GroupId } from '../base/ids.ts'
import { guardAmbient } from './ambient.ts'
import { CacheWorkload } from './cache-workload.ts'
import { Chaos } from './chaos.ts'
import type { Checker } from './checkers/checker.ts'
import { commitOnQuorum } from './checkers/commit-quorum.ts'
import { diskIdentity } from './checkers/disk-identity.ts'
import { History, committed } from './checkers/committed.ts'
import { electionSafety } from './checkers/election-safety.ts'
import { leaderCompleteness } from './checkers/leader-completeness.ts'
import { logMatching } from './checkers/log-matching.ts'
import { monotonic } from './checkers/monotonic.ts'
import { ordering } from './checkers/ordering.ts'
import { punctual } from './checkers/punctual.ts'
import { recovery } from './checkers/recovery.ts'
import { roomIsSaid } from './checkers/room.ts'
import { soundDisks } from './checkers/sound-disks.ts'
import { steady } from './checkers/steady.ts'
import { storedStates } from './checkers/stored-states.ts'
import { SimCluster, type SimNode } from './cluster.ts'
import { LockWorkload } from './lock-workload.ts'
import { calm } from './network.ts'
import { Observer } from './observer.ts'
import { Operator } from './operator.ts'
import { QuietWorkload } from './quiet-workload.ts'
import { DRIFT_PPM_MAX, type SimOptions, drawOptions, type SimOverrides, type WorkloadChoice } from './options.ts'
import { QueueWorkload } from './queue-workload.ts'
import type { Workload, WorkloadTally } from './workload.ts'
import { SimFailure, World } from './world.ts'

const LOCKED: ReadonlySet<WorkloadChoice> = new Set(['locks', 'both', 'all'])
const QUEUED: ReadonlySet<WorkloadChoice> = new Set(['queues', 'both', 'all'])
const CACHED: ReadonlySet<WorkloadChoice> = new Set(['caches', 'all'])
const FORM_MS = 20_000
const TRACE_LINES = 60
/** Of a log that was compacted: the one that is written, the one before, and one that a restart began. */
const LOG_SEGMENTS_MAX = 3

export interface RunResult {
  readonly seed: number
  readonly options: SimOptions
  readonly hash: string
  readonly events: number
  /** Virtual time. */
  readonly elapsedMs: number
  readonly faults: ReadonlyMap<string, number>
  readonly operations: number
  readonly acknowledged: number
  readonly unknown: number
  readonly inconclusive: number
  /** Keys of which something was read that was not current any more: only where clocks are wrong beyond the bound. */
  readonly stale: number
  readonly failure: Error | null
  /** The last lines before the end. */
  readonly trace: readonly string[]
}

export async function runSeed(seed: number, hash: Hash, overrides: SimOverrides = {}): Promise<RunResult> {
  const run = new Run(drawOptions(seed, overrides), hash)
  const guard = guardAmbient()
  const onRejection = (reason: unknown): void => run.world.fail(reason)
  process.on('unhandledRejection', onRejection)
  try {
    return await run.go()
  } finally {
    process.off('unhandledRejection', onRejection)
    guard.restore()
  }
}

class Run {
  readonly world: World
  readonly #options: SimOptions
  readonly #cluster: SimCluster
  readonly #observer: Observer
  readonly #chaos: Chaos
  readonly #operator: Operator
  readonly #workloads: readonly Workload[]
  readonly #punctual: ReturnType<typeof punctual>
  readonly #committed = new History()
  #inconclusive = 0

  constructor(options: SimOptions, hash: Hash) {
    this.#options = options
    this.world = new World(options.seed)
    this.#cluster = new SimCluster(this.world, options, hash, {
      admitted: (node) => this.#observer.attach(node),
      booting: (node) => this.#observer.logs.reload(node.id, node.disk),
      ending: (node, isStopped) => this.#check(() => this.#workloads.forEach((workload) => workload.nodeEnding?.(node, isStopped))),
      warned: (node, message, fields) => this.#check(() => this.#workloads.forEach((workload) => workload.warned?.(node, message, fields))),
      ended: (node) => this.#workloads.forEach((workload) => workload.nodeEnded(node)),
    })
    this.#workloads = workloadsOf(this.#cluster, options)
    this.#punctual = punctual(this.#cluster, this.#groups, options.driftPpm)
    const checkers: readonly Checker[] = [
      electionSafety(),
      logMatching(),
      committed(this.#committed),
      leaderCompleteness(this.#committed),
      commitOnQuorum(),
      monotonic(),
      ordering(),
      recovery((node) => this.#cluster.node(node)?.sound === false),
      diskIdentity(),
      this.#punctual,
      ...(options.quiet ? [steady(this.#cluster)] : []),
      soundDisks(this.#cluster),
      storedStates(),
      ...this.#workloads.flatMap((workload) => workload.checkers),
    ]
    this.#observer = new Observer(checkers, (error) => this.world.fail(error))
    this.#cluster.found()
    this.#operator = new Operator(this.#cluster)
    this.#chaos = new Chaos(this.#cluster, options.chaos, this.#operator)
  }

  async go(): Promise<RunResult> {
    for (const node of this.#cluster.nodes) this.#cluster.start(node)
    if (this.#options.chaos.fromStart) this.#chaos.start()
    else await this.#until(FORM_MS, 'the cluster serves', () => this.#serving(this.#cluster.nodes))
    this.#chaos.start()
    this.#operator.start()
    for (const workload of this.#workloads) workload.start()
    await this.#advance(this.world.now + this.#options.safetyMs)
    await this.#liveness()
    if (!this.world.failure) this.#check(() => void (this.#inconclusive = sum(this.#workloads, (workload) => workload.check())))
    return this.#result()
  }

  get #groups(): readonly GroupId[] {
    return [META_GROUP, LOCKS_GROUP, ...Array.from({ length: this.#options.partitions }, (_, i) => partitionGroup(i))]
  }

  #advance(until: number, done?: () => boolean): Promise<void> {
    return this.world.run(until, () => this.#observer.look(this.#cluster), done)
  }

  /** Runs until `reached`; a failure if that takes longer than `withinMs`. */
  async #until(withinMs: number, what: string | (() => string), reached: () => boolean): Promise<void> {
    const limit = this.world.now + withinMs
    await this.#advance(limit, reached)
    if (this.world.failure || reached()) return
    this.world.fail(
      new SimFailure(`liveness: within ${withinMs} ms not reached: ${typeof what === 'string' ? what : what()}\n${this.#standing()}`),
    )
  }

  /** Where every replica stands: for the report. */
  #standing(): string {
    const lines = this.#cluster.nodes.flatMap(({ id, running, life }) => {
      const host = running?.node.host
      if (!host) return [`  ${id} ${life?.alive ? 'starting' : 'down'}`]
      return host.groups().map((group) => {
        const status = host.status(group)
        const { role, term, leader, commit, applied, last, serving, quiesced, progress = [] } = status ?? {}
        const behind = progress.flatMap(({ replica, match, state }) => (match === last ? [] : [` ${replica} ${state} ${match}`])).join()
        const marks = `term ${term} leader ${leader} applied ${applied} commit ${commit} last ${last}`
        return `  ${id} ${groupName(group)} ${role} ${marks}${serving ? '' : ' not serving'}${quiesced ? ' quiesced' : ''}${behind}`
      })
    })
    return lines.join('\n')
  }

  #check(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.world.fail(error)
    }
  }

  #serving(nodes: readonly SimNode[]): boolean {
    return nodes.every((node) => node.running?.node.cluster.ready().ready === true)
  }

  /** The second phase. Disks that rotted or were emptied stay out of the core; so does, at times, one more node. */
  async #liveness(): Promise<void> {
    if (this.world.failure) return
    const { world } = this
    this.#chaos.stop()
    for (const workload of this.#workloads) workload.stop()
    let core = this.#healCore()
    world.log(`heal: the core is ${core.map(({ id }) => id).join()}`)
    const { livenessMs } = this.#options
    if (this.#operator.active && this.#cluster.formed) core = await this.#settle()
    await this.#until(livenessMs, 'the core serves', () => this.#coreServes(core))
    this.#punctual.calm()
    await this.#until(livenessMs, 'every client is answered', () => this.#workloads.every(({ busy }) => busy === 0))
    let asked = 0
    for (const workload of this.#workloads) {
      for (const [at, node] of core.entries()) {
        asked++
        workload.ask(node, at, livenessMs, () => asked--)
      }
    }
    await this.#until(livenessMs, 'an answer through each node of the core', () => asked === 0)
    await this.#until(livenessMs, 'equal replicas', () => this.#equal(core))
    const { replicaBytesMax } = this.#options
    const roomed = (): boolean => replicaBytesMax === 0 || this.#groupsOf(core).every(roomIsSaid(core, replicaBytesMax))
    await this.#until(livenessMs, 'as much room in each partition as the placement leaves', roomed)
    const short = (): boolean => core.every(({ disk }) => disk.paths.filter((path) => path.endsWith('.wal')).length <= LOG_SEGMENTS_MAX)
    await this.#until(livenessMs, 'logs that hold nothing which is over', short)
    if (!world.failure) this.#check(() => this.#final(core))
  }

  /** Lost disks are replaced, all who were to come are members, all who were to go are gone, and each group is where it belongs. */
  async #settle(): Promise<readonly SimNode[]> {
    await this.#until(
      2 * this.#options.livenessMs,
      () => `members and groups as the table says; ${this.#operator.unsettled}`,
      () => this.#operator.unsettled === null,
    )
    return [...this.#cluster.nodes]
  }

  #healCore(): readonly SimNode[] {
    const { world, network, nodes, options } = this.#cluster
    const dice = world.dice.fork('core')
    if (this.#operator.active && this.#cluster.formed) this.#operator.replaceAll()
    const moving = this.#operator.active
    const sound = nodes.filter((node) => moving || (!node.rotten && !node.wiped))
    const quorum = Math.floor(nodes.length / 2) + 1
    const spare = !moving && nodes.length === 3 && options.chaos.weights.crash > 0 && dice.chance(0.3)
    // A cluster that has not formed needs all its founders.
    const core = !this.#cluster.formed ? [...nodes] : spare ? dice.shuffle(sound).slice(0, quorum) : sound
    network.links.heal()
    network.options = calm(options.network)
    for (const node of nodes) {
      node.disk.full = false
      node.disk.failNextSync = false
      if (!core.includes(node)) this.#cluster.crash(node, 'not in the core')
      else this.#revive(node)
    }
    return core
  }

  #revive(node: SimNode): void {
    node.clock?.resume()
    if (node.life?.paused) node.life.resume()
    this.#cluster.network.transportOf(node.id)?.setConnected(true)
    if (!node.life?.alive) this.#cluster.start(node)
    // It may still be on its way out (a graceful stop).
    else this.world.at(1_000, 'revive', () => this.#revive(node))
  }

  /** The groups whose replicas all are, but for a minority, in the core: those must come back. */
  #groupsOf(core: readonly SimNode[]): GroupId[] {
    return this.#groups.filter((group) => {
      const voters = core.flatMap((node) => node.running?.node.host.status(group)?.membership.voters ?? [])[0]
      const hosts = core.filter((node) => node.running?.node.host.replicaOf(group) != null)
      return voters === undefined || hosts.length >= 2
    })
  }

  #coreServes(core: readonly SimNode[]): boolean {
    if (!core.every((node) => node.up && !node.stopping)) return false
    return this.#groupsOf(core).every((group) => {
      const replicas = core.map((node) => node.running?.node.host.status(group) ?? null).filter((status) => status !== null)
      return replicas.every((status) => status.serving) && replicas.some((status) => status.role === 'leader')
    })
  }

  #equal(core: readonly SimNode[]): boolean {
    return this.#groupsOf(core).every((group) => {
      const statuses = core.map((node) => node.running?.node.host.status(group) ?? null).filter((status) => status !== null)
      // Less than what was applied once would be a loss; more likely a leader has yet to commit in its term.
      const least = Math.max(this.#committed.last(group), statuses[0]?.last ?? 0)
      return statuses.every(({ applied, commit, last }) => applied >= least && applied === commit && applied === last)
    })
  }

  #final(core: readonly SimNode[]): void {
    for (const node of core) {
      for (const group of this.#groupsOf(core)) {
        node.running?.node.host.machine(group)?.check()
      }
    }
    if (this.#workloads.some(({ open }) => open > 0)) throw new SimFailure('liveness: requests were never answered')
  }

  #total(what: keyof WorkloadTally): number {
    return sum(this.#workloads, ({ tally }) => tally[what])
  }

  #result(): RunResult {
    const { world } = this
    return {
      seed: this.#options.seed,
      options: this.#options,
      hash: world.hash,
      events: world.events,
      elapsedMs: world.now,
      faults: world.faults,
      operations: this.#total('operations'),
      acknowledged: this.#total('acknowledged'),
      unknown: this.#total('unknown'),
      inconclusive: this.#inconclusive,
      stale: sum(this.#workloads, (workload) => workload.stale ?? 0),
      failure: world.failure,
      trace: world.trace(TRACE_LINES),
    }
  }
}

function workloadsOf(cluster: SimCluster, { quiet, workload, locks, queues, caches, driftPpm }: SimOptions): readonly Workload[] {
  if (quiet) return [new QuietWorkload(cluster)]
  return [
    ...(LOCKED.has(workload) ? [new LockWorkload(cluster, locks)] : []),
    ...(QUEUED.has(workload) ? [new QueueWorkload(cluster, queues)] : []),
    ...(CACHED.has(workload) ? [new CacheWorkload(cluster, caches, driftPpm > DRIFT_PPM_MAX)] : []),
  ]
}

function sum(workloads: readonly Workload[], of: (workload: Workload) => number): number {
  return workloads.reduce((total, workload) => total + of(workload), 0)
}
