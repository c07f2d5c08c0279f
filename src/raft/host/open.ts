/**
 * Opens the Raft host of a node: store, log, recovered groups with their states loaded; then the actor starts. What
 * cannot be trusted is named in `damaged` and not served: the cluster floor replaces it with a new life.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import type { Plain } from '../../actors/envelope.ts'
import type { GroupId, LogIndex, Millis, NodeId, ReplicaId } from '../../base/ids.ts'
import type { Kv } from '../../io/kv/kv.ts'
import type { Ports } from '../../io/ports.ts'
import { openWal } from '../../io/wal/open.ts'
import type { Recovered, Wal } from '../../io/wal/wal.ts'
import type { Membership, ProposeResult } from '../core/types.ts'
import type { DiskRoom } from '../disk-room.ts'
import type { Confirmation, GroupHost, GroupHostOptions, GroupStatus, HostStats } from '../group-host.ts'
import type { StateMachine } from '../machine.ts'
import { Uptime } from './cluster-clock.ts'
import { DiskWatch } from './disk-watch.ts'
import { drainHost } from './drain.ts'
import type { Group } from './group.ts'
import { Host } from './host.ts'
import type { RaftObserver } from './observer.ts'
import { Outgoing } from './outgoing.ts'
import { noting, recoverHost } from './recover.ts'
import { HostCounters } from './stats.ts'
import { RAFT_PATH } from './wire.ts'

const WAL_DIRECTORY = 'wal'
/** One envelope per command in flight is far below this; beyond it the host is not keeping up and says so. */
const MAILBOX_MAX = 1_000_000

export interface HostOptions extends GroupHostOptions {
  readonly observer?: RaftObserver
}

export async function openGroupHost(system: ActorSystem, ports: Ports, given: HostOptions): Promise<GroupHost> {
  const options = { ...given, onDiskFatal: noting(ports.storage, given.onDiskFatal) }
  const recovered = await openWal(ports.storage, ports.clock, {
    directory: WAL_DIRECTORY,
    segmentBytes: options.segmentBytes,
    onFatal: options.onDiskFatal,
    onDiskFull: (full) => options.onLog(full ? 'error' : 'info', full ? 'the disk is full' : 'there is space on the disk again'),
  })
  for (const finding of recovered.findings) options.onLog('warn', finding)
  const make = (kv: Kv): Host => new Host(partsOf(ports, options, kv, recovered.wal), system.node)
  const { host, kv } = await recoverHost(ports.storage, recovered, options, make)
  system.spawn(RAFT_PATH, host, { mailboxMax: MAILBOX_MAX })
  system.onPeer((node) => host.nodeReborn(node))
  return new Face(host, system, kv, recovered, options)
}

function partsOf(ports: Ports, options: HostOptions, kv: Kv, wal: Wal): ConstructorParameters<typeof Host>[0] {
  const { clock, random } = ports
  return {
    options,
    observer: options.observer ?? null,
    clock,
    random,
    uptime: new Uptime(clock.now(), options.tickMs),
    kv,
    wal,
    outgoing: new Outgoing(options.directory),
    counters: new HostCounters(),
    disk: new DiskWatch({ wal, freeBytes: () => ports.storage.freeBytes(), options }),
  }
}

/** What the floors above see of the host. */
class Face implements GroupHost {
  readonly id: string
  readonly recovered: readonly GroupId[]
  readonly logHoles: boolean
  readonly stats: HostStats
  readonly #host: Host
  readonly #system: ActorSystem
  readonly #kv: Kv
  readonly #wal: Wal
  readonly #options: HostOptions

  constructor(host: Host, system: ActorSystem, kv: Kv, { wal, holes }: Recovered, options: HostOptions) {
    this.#host = host
    this.#system = system
    this.#kv = kv
    this.#wal = wal
    this.#options = options
    this.id = host.id
    this.recovered = host.replicas.groups
    this.logHoles = holes
    this.stats = statsOf(host, wal)
    host.wake()
  }

  get damaged(): readonly { readonly group: GroupId; readonly replica: ReplicaId }[] {
    return this.#host.replicas.damaged
  }

  createReplica(group: GroupId, replica: ReplicaId, founding: Membership | null): void {
    this.#host.replicas.create(group, replica, founding)
  }

  removeReplica(group: GroupId): void {
    this.#host.remove(group)
    this.#host.wake()
  }

  replicaOf(group: GroupId): ReplicaId | null {
    return this.#host.replicas.replicaOf(group)
  }

  groups(): readonly GroupId[] {
    return this.#host.replicas.groups
  }

  time(group: GroupId): Millis {
    return this.#host.replicas.get(group)?.time ?? 0
  }

  status(group: GroupId): GroupStatus | null {
    return this.#host.replicas.get(group)?.status() ?? null
  }

  proposeMembership(group: GroupId, voters: readonly ReplicaId[], learners: readonly ReplicaId[]): ProposeResult {
    return this.#with(group, (live) => live.core.proposeMembership({ voters, learners })) ?? { ok: false, reason: 'not-leader' }
  }

  transferLeadership(group: GroupId, to: ReplicaId): boolean {
    return this.#with(group, (live) => live.core.transferLeadership(to)) ?? false
  }

  #with<T>(group: GroupId, run: (live: Group) => T): T | null {
    const live = this.#host.replicas.get(group)
    if (live === null) return null
    const result = run(live)
    this.#host.shared.dirty(live)
    this.#host.wake()
    return result
  }

  confirm(group: GroupId, done: (confirmation: Confirmation | null) => void): void {
    const live = this.#host.replicas.get(group)
    this.#host.shared.outgoing.ctx.enter(() => {
      if (live === null || live.closed || !live.leading) done(null)
      else live.reads.confirm(done)
    })
  }

  nodeDown(node: NodeId): void {
    this.#host.nodeDown(node)
  }

  nodeUp(node: NodeId): void {
    this.#host.nodeUp(node)
  }

  nodeRoom(node: NodeId, room: DiskRoom): void {
    this.#host.nodeRoom(node, room)
  }

  onRoom(listener: () => void): void {
    this.#host.roomListeners.push(listener)
  }

  onChange(listener: (group: GroupId) => void): void {
    this.#host.changeListeners.push(listener)
  }

  onEvent(listener: (group: GroupId, event: Plain, index: LogIndex, time: Millis) => void): void {
    this.#host.eventListeners.push(listener)
  }

  machine(group: GroupId): StateMachine | null {
    const live = this.#host.replicas.get(group)
    return live === null || live.loading ? null : live.applier.machine
  }

  drain(timeoutMs: Millis, onHandedOver: () => void = () => {}): Promise<void> {
    return drainHost(this.#host, this.#options, this.#system.clock, timeoutMs, onHandedOver)
  }

  async close(): Promise<void> {
    this.#system.stop(RAFT_PATH)
    await this.#host.replicas.settled()
    await this.#host.checkpoints.settled()
    await this.#host.compactor.settled()
    await this.#wal.close()
    await this.#kv.close()
  }
}

function statsOf({ replicas, shared: { counters, disk } }: Host, wal: Wal): HostStats {
  return {
    get elections() {
      return counters.elections
    },
    commitLatencies: counters.commitLatencies,
    get proposals() {
      return counters.proposals
    },
    get commandsApplied() {
      return counters.commandsApplied
    },
    idempotencyKeys() {
      const total = { count: 0, bytes: 0, evicted: 0 }
      for (const { applier } of replicas.live()) {
        total.count += applier.requests.keys.size
        total.bytes += applier.requests.keyBytes
        total.evicted += applier.requests.keysEvicted
      }
      return total
    },
    get walFsyncs() {
      return wal.stats.fsyncs
    },
    get walBytes() {
      return wal.stats.bytesWritten
    },
    get walSegments() {
      return wal.stats.segments
    },
    get walQueuedBytes() {
      return wal.stats.queuedBytes
    },
    fsyncDurations: wal.stats.fsyncDurations,
    get diskRoom() {
      return disk.room
    },
    get snapshotsSent() {
      return counters.snapshotsSent
    },
    get snapshotsReceived() {
      return counters.snapshotsReceived
    },
  }
}
