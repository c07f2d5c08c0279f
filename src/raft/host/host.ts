/**
 * The actor `raft`: drives every group of this node.
 *
 *   receive: peer messages, proposals, queries ──> groups (marked dirty)
 *   flush:   each dirty group's turn ──> one append to the log for all of them ──> heartbeats and answers, gathered
 *   tick:    the groups that are awake; cluster time; drains and checkpoints; snapshot streams
 *
 * Sleeping groups are not ticked, but for one comparison: is it time for an entry that says the cluster time.
 */
import type { Actor, ActorContext } from '../../actors/actor.ts'
import { type ActorId, type Envelope, type Plain, nodeOf } from '../../actors/envelope.ts'
import type { GroupId, LogIndex, Millis, NodeId, ReplicaId } from '../../base/ids.ts'
import type { DiskRoom } from '../disk-room.ts'
import type { GroupHostOptions } from '../group-host.ts'
import { Checkpoints } from './checkpoints.ts'
import { decodePeers, isCount, readBeats } from './codec.ts'
import { Compactor } from './compactor.ts'
import type { Group } from './group.ts'
import { handOver } from './heir.ts'
import { generations } from './keys.ts'
import { LogCleaner } from './log-cleaner.ts'
import { Applier } from './applier.ts'
import { QuorumRoom } from './quorum-room.ts'
import { Replicas } from './replicas.ts'
import { Router } from './router.ts'
import type { Gathered, HostShared } from './shared.ts'
import { SnapshotReceives } from './snapshot-receive.ts'
import { SnapshotSends } from './snapshot-send.ts'
import { type LoadedState, StateStore, loadState } from './state-store.ts'

/** Rounds over dirty groups in one flush; what is left comes in the next turn. */
const ROUNDS_MAX = 16
/** Tries to get rid of the lead of a damaged replica: its peers may be damaged too, and somebody has to lead. */
const HAND_OVERS = 5

export type SharedParts = Omit<
  HostShared,
  'dirty' | 'cleared' | 'sendSnapshot' | 'changed' | 'lose' | 'ail' | 'quorumRoom' | 'storeIsBehind' | 'event' | 'reload'
>

export class Host implements Actor {
  readonly shared: HostShared
  readonly replicas: Replicas
  readonly checkpoints: Checkpoints
  readonly changeListeners: ((group: GroupId) => void)[] = []
  readonly roomListeners: (() => void)[] = []
  readonly eventListeners: ((group: GroupId, event: Plain, index: LogIndex, time: Millis) => void)[] = []
  readonly #options: GroupHostOptions
  readonly #sends: SnapshotSends
  readonly compactor: Compactor
  readonly #receives: SnapshotReceives
  readonly #router: Router
  readonly #cleaner: LogCleaner
  readonly #quorumRoom: QuorumRoom
  #room: DiskRoom = 'enough'
  #ticked = false
  readonly #down = new Set<NodeId>()
  readonly #up = new Set<NodeId>()
  /** Groups of dead leaders, and when to campaign: at random, so that one wins. */
  readonly #campaigns = new Map<Group, Millis>()
  readonly #loading = new Set<Group>()
  #dirty = new Set<Group>()
  #gathered: Gathered = { records: [], works: [] }
  #closed = false

  constructor(parts: SharedParts, node: NodeId) {
    this.#options = parts.options
    this.shared = {
      ...parts,
      dirty: (group) => void this.#dirty.add(group),
      sendSnapshot: (group, peer, term) => this.#sends.begin(group, peer, term),
      changed: (group) => this.#changed(group),
      lose: (group, why) => this.#damaged(group, why),
      ail: (group, why) => this.#ail(group, why),
      quorumRoom: ({ core }) => this.#quorumRoom.of(core.self, parts.disk.room, core.appliedMembership),
      storeIsBehind: () => this.checkpoints.behind,
      event: (group, event, index, time) => this.eventListeners.forEach((listener) => listener(group, event, index, time)),
      reload: (group) => this.#reload(group),
      cleared: (range) => this.compactor.cleared(range),
    }
    this.replicas = new Replicas(this.shared, (group) => this.#live(group))
    this.checkpoints = new Checkpoints(this.shared)
    this.compactor = new Compactor(this.shared)
    this.#cleaner = new LogCleaner(this.shared, this.replicas)
    this.#quorumRoom = new QuorumRoom({ nodeOf: (replica) => parts.outgoing.nodeOf(replica), up: this.#up })
    this.#sends = new SnapshotSends(this.shared)
    this.#receives = new SnapshotReceives(this.shared, (group, generation) => {
      this.checkpoints.clear(group, generations(group.id, generation, generation + 1))
    })
    this.#router = new Router(this.shared, this.replicas, node, { up: this.#up, down: this.#down })
  }

  start(ctx: ActorContext): void {
    this.shared.outgoing.bind(ctx)
    ctx.after(this.#options.tickMs, 'raft_tick')
  }

  stop(): void {
    this.#closed = true
    this.checkpoints.close()
    this.compactor.close()
    this.#sends.close()
    for (const group of this.replicas.live()) group.close()
    this.shared.outgoing.flush(true)
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    const { msgType, payload } = envelope
    switch (msgType) {
      case 'heartbeat':
      case 'heartbeat_response':
        for (const { group, message } of readBeats(msgType, payload)) {
          if (this.#speaksFor(envelope, message.from)) this.replicas.get(group)?.step(message)
        }
        return
      case 'propose':
        return this.#router.propose(envelope)
      case 'query':
        return this.#router.query(envelope)
      case 'group_leader':
        return this.#router.relayLeader(payload)
      case 'raft_tick':
        return this.#onTick(envelope, ctx)
      case 'snapshot_chunk':
        return this.#onChunk(envelope)
      case 'snapshot_chunk_response':
        return this.#sends.response(payload)
      default:
        return this.#onPeer(envelope)
    }
  }

  /** No node says what another's replica says. Of a replica that the table does not know yet nobody can tell. */
  #speaksFor({ senderId }: Envelope, replica: ReplicaId): boolean {
    const node = this.shared.outgoing.nodeOf(replica)
    return node === null || node === nodeOf(senderId)
  }

  #onPeer(envelope: Envelope): void {
    const { msgType, payload, traceparent } = envelope
    const decoded = decodePeers(msgType, payload)
    if (decoded === null) return this.#dropped(msgType)
    for (const { group, message } of decoded) {
      if (this.#speaksFor(envelope, message.from)) this.replicas.get(group)?.step(message, traceparent)
      else this.#dropped(msgType)
    }
  }

  #dropped(msgType: string): void {
    this.#options.onLog('warn', 'a message that is none was dropped', { msgType })
  }

  #onChunk(envelope: Envelope): void {
    const { payload } = envelope
    const id = Array.isArray(payload) ? (payload as readonly Plain[])[0] : null
    const group = isCount(id) ? this.replicas.get(id) : null
    if (group !== null) this.#receives.chunk(group, payload, (from) => this.#speaksFor(envelope, from))
  }

  #onTick(envelope: Envelope, ctx: ActorContext): void {
    // Our own timer's, not a peer's; and one at a time, so a stall is followed by one tick (pitfall 27).
    if (envelope.senderId !== ctx.self) return
    ctx.after(this.#options.tickMs, 'raft_tick')
    const now = ctx.clock.now()
    this.#ticked = true
    this.shared.uptime.advance(now)
    for (const group of this.replicas.live()) {
      if (!group.core.quiesced) group.tick()
      if (group.timeDue) this.#dirty.add(group)
      if (group.handOvers > 0) this.#handOver(group)
    }
    this.#campaign(now)
    this.#sends.tick(now)
    this.checkpoints.weigh(this.replicas.live())
    this.shared.disk.tick(ctx, now, this.checkpoints.owedBytes)
    this.#noticeRoom()
    this.checkpoints.consider(this.replicas.live(), now)
    this.compactor.tick(this.replicas.live(), ctx, now)
  }

  flush(ctx: ActorContext): void {
    if (this.#closed) return
    const now = ctx.clock.now()
    this.shared.uptime.advance(now)
    const busy = new Set<Group>()
    for (let round = 0; round < ROUNDS_MAX && this.#dirty.size > 0; round++) {
      const groups = this.#dirty
      this.#dirty = new Set()
      for (const group of groups) {
        group.turn(this.#gathered)
        if (this.checkpoints.noticed(group)) busy.add(group)
      }
    }
    this.#append(ctx)
    const ticked = this.#ticked
    if (ticked) this.#cleaner.consider()
    this.#ticked = false
    if (busy.size > 0) this.checkpoints.consider(busy, now)
    this.shared.outgoing.flush(ticked)
    if (this.#dirty.size > 0) this.wake()
  }

  /** One append for everything that the turn brought. */
  #append(ctx: ActorContext): void {
    const { records, works } = this.#gathered
    if (records.length === 0) return
    this.#gathered = { records: [], works: [] }
    this.shared.wal.append(records, () =>
      ctx.enter(() => {
        for (const work of works) work.durable = true
        for (const work of works) work.group.release()
      }),
    )
  }

  /** Makes sure that a flush comes: after a call from outside of a turn. */
  wake(): void {
    this.shared.outgoing.ctx.enter(() => {})
  }

  #live(group: Group): void {
    this.#dirty.add(group)
    this.#changed(group)
  }

  #changed(group: Group): void {
    if (this.#closed) return
    this.#router.tellLeader(group)
    for (const listener of this.changeListeners) listener(group.id)
  }

  /** The log names a new generation: its records become the state. One load at a time; the latest generation wins. */
  #reload(group: Group): void {
    if (this.#loading.has(group)) return
    this.#loading.add(group)
    const { kv, outgoing } = this.shared
    const generation = group.installed
    const { machine } = group.applier
    const wanted = (): boolean => !group.closed && group.installed === generation
    machine.reset()
    const done = (loaded: LoadedState | string): void => {
      this.#loading.delete(group)
      if (group.closed) return
      if (group.installed !== generation) return this.#reload(group)
      if (typeof loaded === 'string') return this.#damaged(group, loaded)
      if (group.staged !== generation) return
      const { header, requests, digest } = loaded
      group.adopt(new Applier(machine, requests, header), new StateStore(kv, group.id, generation, header, digest))
      this.checkpoints.clear(group, generations(group.id, 0, generation))
    }
    outgoing.ctx.pipeToSelf(loadState(kv, group.id, generation, machine, wanted), done, this.#options.onDiskFatal)
  }

  #damaged(group: Group, why: string): void {
    this.#options.onLog('error', `a replica is damaged: ${why}`, { group: group.id, replica: group.replica })
    this.replicas.markDamaged(group.id, group.replica)
    this.#changed(group)
  }

  /** Its log is whole: it goes on voting and storing, but should not be the one that answers. */
  #ail(group: Group, why: string): void {
    if (group.ailing || group.closed) return
    this.#options.onLog('error', `a replica is damaged: ${why}`, { group: group.id, replica: group.replica })
    group.ailing = true
    group.handOvers = HAND_OVERS
    this.#changed(group)
  }

  #handOver(group: Group): void {
    if (group.core.role !== 'leader' || !group.ailing) group.handOvers = 0
    else if (handOver(group)) {
      group.handOvers--
      this.#dirty.add(group)
    }
  }

  remove(group: GroupId): void {
    this.#receives.forget(group)
    this.replicas.remove(group)
  }

  nodeDown(node: NodeId): void {
    this.#down.add(node)
    this.#up.delete(node)
    const now = this.shared.clock.now()
    for (const group of this.#bereave(node)) {
      const delay = this.shared.random.below(Math.max(1, Math.floor(this.#options.electionTimeoutMs / 2)))
      this.#campaigns.set(group, now + delay)
    }
  }

  /**
   * A node has begun another life, perhaps too soon for anybody to have missed it. What led there leads no more; and the
   * replica may be damaged or gone, so nobody but the followers would ever wake its sleeping group.
   */
  nodeReborn(node: NodeId): void {
    this.#bereave(node)
  }

  /** What was in flight to the node is lost, and what it led has no leader: gives those groups, awake. */
  #bereave(node: NodeId): Group[] {
    const orphans: Group[] = []
    for (const group of this.replicas.live()) {
      const { core } = group
      if (core.role === 'leader') this.#unreachable(group, node)
      else if (core.leader !== 0 && this.shared.outgoing.nodeOf(core.leader) === node) {
        core.wake()
        orphans.push(group)
      }
    }
    this.wake()
    return orphans
  }

  #unreachable(group: Group, node: NodeId): void {
    for (const { replica } of group.core.status().progress) {
      if (replica !== group.replica && this.shared.outgoing.nodeOf(replica) === node) group.core.unreachable(replica)
    }
    this.#dirty.add(group)
  }

  nodeUp(node: NodeId): void {
    this.#down.delete(node)
    this.#up.add(node)
  }

  nodeRoom(node: NodeId, room: DiskRoom): void {
    this.#quorumRoom.saw(node, room)
  }

  #noticeRoom(): void {
    const { room } = this.shared.disk
    if (room === this.#room) return
    this.#room = room
    for (const listener of this.roomListeners) listener()
  }

  #campaign(now: Millis): void {
    for (const [group, at] of this.#campaigns) {
      if (at > now) continue
      this.#campaigns.delete(group)
      const { core, closed } = group
      const node = core.leader === 0 ? null : this.shared.outgoing.nodeOf(core.leader)
      if (closed || core.role === 'leader' || (node !== null && !this.#down.has(node))) continue
      core.campaign()
      this.#dirty.add(group)
    }
  }

  get id(): ActorId {
    return this.shared.outgoing.ctx.self
  }

  get node(): NodeId {
    return nodeOf(this.id)
  }
}
