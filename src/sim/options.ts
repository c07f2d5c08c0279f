/**
 * The options of a run, all drawn from its seed (swarm testing): no two seeds test the same cluster under the same faults.
 * Each kind of fault is there or not there at all in a run, because a fault that is always there hides what only happens
 * without it. Limits are often tiny, so that segments roll, logs are compacted and snapshots are sent within seconds.
 */
import type { NodeId } from '../base/ids.ts'
import { type ChaosOptions, FAULTS, type Fault } from './chaos.ts'
import { Dice } from './dice.ts'
import type { DiskOptions } from './disk.ts'
import { type NetworkOptions, calm } from './network.ts'
import type { CacheWorkloadOptions } from './cache-workload.ts'
import type { LockWorkloadOptions } from './lock-workload.ts'
import { NEVER_DEAD, type QueueWorkloadOptions } from './queue-workload.ts'

/** `both`: locks and queues. */
export const WORKLOADS = ['locks', 'queues', 'both', 'caches', 'all'] as const
export type WorkloadChoice = (typeof WORKLOADS)[number]
const WITH_CACHES: ReadonlySet<WorkloadChoice> = new Set(['caches', 'all'])
/** What the caches are told that clocks keep to (ADR 0006). */
export const DRIFT_PPM_MAX = 10_000

export interface SimOptions {
  readonly seed: number
  readonly nodes: readonly NodeId[]
  /** Nodes that may join them; none: the members of this run stay what they are. */
  readonly spares: readonly NodeId[]
  readonly partitions: number
  readonly heartbeatMs: number
  readonly electionMs: number
  readonly segmentBytes: number
  readonly logBytesMax: number
  readonly checkpointMs: number
  readonly failureTimeoutMs: number
  /** Each clock runs wrong by up to so many parts in a million. */
  readonly driftPpm: number
  /** All of that, one way or the other; else anything in between. */
  readonly driftsMost: boolean
  readonly network: NetworkOptions
  readonly disk: DiskOptions
  readonly chaos: ChaosOptions
  readonly workload: WorkloadChoice
  readonly locks: LockWorkloadOptions
  /** No faults, or now and then one crash; nothing but long waits: for what happens while nothing happens. */
  readonly quiet: boolean
  readonly queues: QueueWorkloadOptions
  readonly caches: CacheWorkloadOptions
  /** What the entries of all replicas of a node may take; 0: whatever there is, and homes say nothing of it. */
  readonly replicaBytesMax: number
  /** More kinds of rot (rot.ts); `heals`: nobody replaces the node in the end, it has to come back by itself. */
  readonly rotten: { readonly heals: boolean } | null
  /** Virtual time of the first phase (chaos), and the bound of the second (progress). */
  readonly safetyMs: number
  readonly livenessMs: number
}

const MOVING_SHARE = 0.35
const WRITEBACK_SHARE = 0.4
const LENT_SHARE = 0.4
const SPARES = 4
const REPLICA_BYTES = 1_073_741_824
/** So many that how many of them a node has follows from how many nodes there are. */
const PARTITIONS_WITH_ROOM = 6
const QUIET_MS = 240_000

export interface SimOverrides {
  readonly safetyMs?: number
  /** Whether members come and go; drawn where it is not given. */
  readonly membership?: boolean
  readonly quiet?: boolean
  /** What the clients work on; drawn where it is not given. */
  readonly workload?: WorkloadChoice
  readonly rotten?: boolean
  /** Whether nodes write lines of caches alone; drawn where it is not given. */
  readonly writeback?: boolean
  /** Whether clients are lent copies of caches; drawn where it is not given. */
  readonly lending?: boolean
  /** Whether the entries of a node are bounded: by more than any run has. */
  readonly room?: boolean
  /** How wrong clocks are; beyond DRIFT_PPM_MAX the caches may show what is no longer there. */
  readonly driftPpm?: number
}

export function drawOptions(seed: number, overrides: SimOverrides = {}): SimOptions {
  if (overrides.rotten === true) return decay(drawLoud(seed, { ...overrides, membership: true }))
  const loud = drawLoud(seed, overrides)
  const skewed = overrides.driftPpm === undefined ? loud : skew(loud)
  const drawn = overrides.room === true ? { ...skewed, partitions: PARTITIONS_WITH_ROOM, replicaBytesMax: REPLICA_BYTES } : skewed
  return overrides.quiet === true ? hush(drawn, overrides) : drawn
}

/** The cluster of the seed, left in peace; in every second seed a node crashes once in a long while, most often the leader. */
function hush(options: SimOptions, { safetyMs = QUIET_MS }: SimOverrides): SimOptions {
  const { chaos, disk, network } = options
  const still = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>
  const crash = new Dice(options.seed).fork('quiet').pick([0, 1])
  return {
    ...options,
    quiet: true,
    spares: [],
    network: calm(network),
    disk: { ...disk, slow: 0 },
    chaos: { ...chaos, meanMs: QUIET_MS / 2, weights: { ...still, crash }, fromStart: false },
    safetyMs,
  }
}

/** The cluster of the seed on a disk that rots again and again, in more ways; the operator has less to do, so that more is left to the nodes. */
function decay(options: SimOptions): SimOptions {
  const dice = new Dice(options.seed).fork('rotten')
  const { chaos } = options
  const { crash, wipe } = chaos.weights
  const weights = {
    ...chaos.weights,
    crash: Math.max(2, crash),
    wipe: Math.min(dice.pick([0, 0.3]), wipe),
    rot: dice.pick([2, 4]),
    join: dice.pick([0, 1]),
    leave: dice.pick([0, 1]),
    replace: dice.pick([0, 0.5, 2]),
  }
  return { ...options, chaos: { ...chaos, weights }, rotten: { heals: dice.chance(0.6) } }
}

/** Where clocks are what matters: links that are cut for longer than a lease lasts, and reads of copies all the time. */
function skew(options: SimOptions): SimOptions {
  if (!WITH_CACHES.has(options.workload)) return options
  const { chaos, network, caches } = options
  const weights = { ...chaos.weights, crash: 0.5, crashAll: 0, stop: 0, pause: 1, partition: 8, diskFull: 0, suspend: 4 }
  return {
    ...options,
    network: calm(network),
    chaos: { ...chaos, weights, meanMs: 1_000, outageMeanMs: 3_000 },
    caches: { ...caches, clients: 6, keys: 2, readShare: 0.8, timeoutMs: 500 },
  }
}

function drawLoud(seed: number, overrides: SimOverrides): SimOptions {
  const dice = new Dice(seed).fork('options')
  const nodes = Array.from({ length: dice.pick([3, 3, 3, 5]) }, (_, i) => `n${i + 1}`)
  // From dice of its own: a run without changes of membership is what its seed has always been.
  const moving = new Dice(seed).fork('membership')
  const moves = moving.chance(MOVING_SHARE) ? overrides.membership !== false : overrides.membership === true
  const working = new Dice(seed).fork('workload')
  const workload = overrides.workload ?? drawWorkload(seed, working)
  const heartbeatMs = dice.pick([20, 50, 100])
  return {
    seed,
    nodes,
    spares: moves ? Array.from({ length: SPARES }, (_, i) => `n${nodes.length + i + 1}`) : [],
    partitions: dice.pick([1, 1, 2]),
    heartbeatMs,
    electionMs: heartbeatMs * dice.pick([4, 5, 8]),
    segmentBytes: dice.pick([16_384, 65_536, 262_144]),
    logBytesMax: dice.pick([0, 2_048, 65_536]),
    checkpointMs: dice.pick([20, 200, 1_000]),
    failureTimeoutMs: dice.pick([300, 1_000]),
    driftPpm: driftOf(dice.pick([0, 200, 20_000]), workload, overrides),
    driftsMost: overrides.driftPpm !== undefined || (WITH_CACHES.has(workload) && new Dice(seed).fork('drift').chance(0.5)),
    network: drawNetwork(dice),
    disk: drawDisk(dice),
    chaos: drawSuspensions(seed, workload, moves ? drawMoves(moving, drawChaos(dice, nodes)) : drawChaos(dice, nodes)),
    workload,
    locks: drawLocks(dice),
    quiet: false,
    queues: drawQueues(working),
    caches: drawCaches(seed, overrides),
    replicaBytesMax: 0,
    rotten: null,
    safetyMs: overrides.safetyMs ?? 20_000,
    livenessMs: 60_000,
  }
}

/** Caches came later: a run without them is what its seed has always been. */
function drawWorkload(seed: number, dice: Dice): WorkloadChoice {
  const others = dice.pick(['locks', 'queues', 'both'] as const)
  return new Dice(seed).fork('with caches').pick([others, others, 'caches', 'all'] as const)
}

function driftOf(drawn: number, workload: WorkloadChoice, { driftPpm }: SimOverrides): number {
  return driftPpm ?? (WITH_CACHES.has(workload) ? Math.min(drawn, DRIFT_PPM_MAX) : drawn)
}

/** A fault that is there in `share` of the runs, then with a probability up to `max`. */
function sometimes(dice: Dice, share: number, max: number): number {
  return dice.chance(share) ? dice.next() * max : 0
}

function drawNetwork(dice: Dice): NetworkOptions {
  return {
    latencyMinMs: dice.pick([0.1, 0.5, 2]),
    latencyMeanMs: dice.pick([0.3, 1, 5]),
    loss: sometimes(dice, 0.6, 0.1),
    duplicate: sometimes(dice, 0.6, 0.1),
    straggle: sometimes(dice, 0.5, 0.02),
    straggleMs: dice.pick([50, 300, 2_000]),
    ordered: dice.chance(0.4),
    frameBytesMax: dice.pick([32_768, 393_216, 524_288]),
  }
}

function drawDisk(dice: Dice): DiskOptions {
  return {
    latencyMeanMs: dice.pick([0.1, 0.5, 3]),
    slow: sometimes(dice, 0.5, 0.02),
    slowMs: dice.pick([20, 100, 400]),
  }
}

function drawChaos(dice: Dice, nodes: readonly NodeId[]): ChaosOptions {
  const on = (share: number, weight: number): number => (dice.chance(share) ? weight : 0)
  return {
    meanMs: dice.pick([150, 400, 1_000]),
    weights: {
      crash: on(0.8, 4),
      crashAll: on(0.3, 0.5),
      stop: on(0.4, 1),
      pause: on(0.6, 3),
      partition: on(0.8, 4),
      clog: on(0.6, 3),
      swizzle: on(0.4, 1),
      disconnect: on(0.4, 1),
      diskFull: on(0.4, 1),
      syncError: on(0.4, 1),
      rot: on(0.35, 1),
      wipe: on(0.25, 0.4),
      transfer: on(0.5, 2),
      join: 0,
      leave: 0,
      replace: 0,
      suspend: 0,
    },
    outageMeanMs: dice.pick([300, 1_000, 3_000]),
    // The fault atlas: only this disk ever rots or is emptied. A group has three replicas, so no datum is lost on a majority.
    victims: [dice.pick(nodes)],
    fromStart: dice.chance(0.3),
  }
}

/** Where leases are what reads stand on: the clocks that they are counted by stand still. */
function drawSuspensions(seed: number, workload: WorkloadChoice, chaos: ChaosOptions): ChaosOptions {
  const suspend = WITH_CACHES.has(workload) ? new Dice(seed).fork('suspensions').pick([0, 0, 3]) : 0
  return { ...chaos, weights: { ...chaos.weights, suspend } }
}

/** Members come and go; the disk that may be lost is lost more often, and the node begins anew on an empty one. */
function drawMoves(dice: Dice, chaos: ChaosOptions): ChaosOptions {
  const wipe = dice.chance(0.6) ? 0.7 : chaos.weights.wipe
  return { ...chaos, weights: { ...chaos.weights, wipe, join: dice.pick([1, 3]), leave: dice.pick([0, 1, 3]), replace: 3 } }
}

function drawLocks(dice: Dice): LockWorkloadOptions {
  return {
    clients: dice.integer(3, 7),
    thinkMeanMs: dice.pick([5, 30, 100]),
    timeoutMs: dice.pick([500, 2_000, 8_000]),
    busyNames: dice.integer(1, 4),
    busyLeaseMs: dice.pick([1_000, 3_000]),
    waitMaxMs: dice.pick([0, 300, 3_000]),
    sharedShare: dice.pick([0, 0.3, 0.8]),
    registerNames: dice.integer(1, 2),
    registerOpsMax: 80,
    retryShare: dice.pick([0, 0.5, 1]),
  }
}

function drawQueues(dice: Dice): QueueWorkloadOptions {
  return {
    tags: dice.pick([1, 1, 2]),
    producers: dice.integer(1, 3),
    consumers: dice.integer(2, 5),
    thinkMeanMs: dice.pick([30, 80, 200]),
    timeoutMs: dice.pick([500, 2_000, 8_000]),
    messagesMax: 120,
    bodyBytesMax: dice.pick([64, 3_000, 20_000]),
    batchMax: dice.pick([2, 8]),
    groups: dice.pick([0, 1, 3]),
    delayShare: dice.pick([0, 0.2]),
    dedupShare: dice.pick([0, 0.1, 0.4]),
    priorityShare: dice.pick([0, 0.5]),
    waitMaxMs: dice.pick([0, 300, 3_000]),
    visibilityMs: dice.pick([400, 2_000]),
    maxDeliveries: dice.pick([2, 4, NEVER_DEAD]),
    poison: dice.pick(['dlq', 'dlq', 'block']),
    retryShare: dice.pick([0.3, 0.7, 1]),
    bodyCacheBytes: dice.pick([0, 0, 1 << 20]),
    sentries: dice.pick([0, 1, 2]),
    dedupWindowMs: dice.pick([300, 1_500, 5_000]),
    stewarded: dice.chance(0.6),
    subscribers: dice.pick([0, 1, 2]),
  }
}

/**
 * They came later: a run without them is what its seed has always been. Leases mean nothing where clocks are wrong beyond the bound.
 */
function drawNear(seed: number, driftPpm: number): Pick<CacheWorkloadOptions, 'nearClients' | 'mangled'> {
  const dice = new Dice(seed).fork('near')
  return { nearClients: driftPpm > DRIFT_PPM_MAX ? 0 : dice.pick([0, 0, 2, 4]), mangled: dice.chance(0.5) }
}

/** They came later still. */
function drawLent(seed: number, { driftPpm = 0, lending }: SimOverrides): number {
  const dice = new Dice(seed).fork('lent')
  const [isLent, some] = [dice.chance(LENT_SHARE), dice.pick([1, 2, 3])]
  return driftPpm <= DRIFT_PPM_MAX && (lending ?? isLent) ? some : 0
}

function drawCaches(seed: number, overrides: SimOverrides): CacheWorkloadOptions {
  const { driftPpm = 0, writeback = true } = overrides
  const dice = new Dice(seed).fork('caches')
  const drawn: CacheWorkloadOptions = {
    clients: dice.integer(3, 6),
    keys: dice.integer(1, 4),
    timeoutMs: dice.pick([500, 2_000, 8_000]),
    opsMax: 250,
    readShare: dice.pick([0.5, 0.8, 0.9]),
    retryShare: dice.pick([0.5, 0.9, 1]),
    ttlShare: dice.pick([0, 0, 0.2]),
    // With clocks that are wrong, what is known of tags is stale as well, and who writes by it writes what is dead.
    tagged: dice.chance(0.5) && driftPpm <= DRIFT_PPM_MAX,
    writeback: 'never',
    ...drawNear(seed, driftPpm),
    lentClients: drawLent(seed, overrides),
  }
  // From dice of its own: a run in which all goes through the log is what its seed has always been.
  const alone = dice.fork('writeback')
  const isDrawn = alone.chance(WRITEBACK_SHARE) && writeback
  // With clocks that are wrong an owner writes on when its line is another's, and says so too late.
  return driftPpm <= DRIFT_PPM_MAX && (isDrawn || overrides.writeback === true) ? drawWriteback(alone, drawn) : drawn
}

/** More writes than elsewhere, and fewer of them under keys: those go through the log. */
function drawWriteback(dice: Dice, drawn: CacheWorkloadOptions): CacheWorkloadOptions {
  return {
    ...drawn,
    nearClients: dice.fork('near').pick([0, 0, 2, 4]),
    readShare: dice.pick([0.2, 0.4, 0.7]),
    retryShare: dice.pick([0.1, 0.3, 0.6]),
    writeback: dice.pick(['always', 'always', 'switched'] as const),
  }
}
