/**
 * One replica of one group: the Raft core, the machine it drives, and what lies between them. It does nothing on its
 * own: the host calls, and gathers what all groups want written into one append.
 *
 *   step, tick, propose, query ──> core ──> turn: messages out · records to the log · committed entries applied
 *   durable ──> core.appended, promises released ──> (next turn)
 *
 * Invariants:
 *  1. Promises leave only through `release`, behind their write.
 *  2. While `loading` nothing is applied or served; what the core hands out meanwhile waits in `backlog`.
 */
import type { Envelope, Plain } from '../../actors/envelope.ts'
import { assert } from '../../base/assert.ts'
import type { GroupId, LogIndex, Millis, ReplicaId, Term } from '../../base/ids.ts'
import type { RaftCore } from '../core/raft-core.ts'
import type { AppendWork, Entry, Membership, PeerMessage, SnapshotMeta } from '../core/types.ts'
import type { GroupStatus } from '../group-host.ts'
import { Applier, type ApplySink } from './applier.ts'
import { Attachments } from './attachments.ts'
import { encodeEntry } from '../batch.ts'
import { ClusterClock, pulseMs } from './cluster-clock.ts'
import { Intake } from './intake.ts'
import type { LogWindow } from './log-window.ts'
import type { QueryMessage } from './propose-codec.ts'
import { Reads } from './reads.ts'
import type { Gathered, HostShared } from './shared.ts'
import type { StateStore } from './state-store.ts'
import { Traces } from './traces.ts'
import { Writes } from './writes.ts'

/** Readys taken of one group in one turn; what is left comes in the next. */
const READYS_MAX = 64
const TRACE_LIFE_MS = 10_000

export class Group implements ApplySink {
  readonly id: GroupId
  readonly core: RaftCore
  readonly intake: Intake
  readonly reads: Reads
  readonly attachments: Attachments
  readonly writes: Writes
  readonly traces: Traces
  readonly window: LogWindow
  readonly clock = new ClusterClock()
  applier: Applier
  store: StateStore
  /** Generations below this one are taken, be it by snapshots that came to nothing. */
  nextGeneration: number
  /** A staged snapshot that the core has taken: its generation is the state from its log record on. */
  staged: number | null = null
  /** The generation that the log names durably. */
  installed: number
  loading = false
  closed = false
  /** Its state was found damaged: it votes and stores until it is replaced. */
  ailing = false
  /** How often it will still try to hand over what it leads, ailing. */
  handOvers = 0
  /** The applied index when it was last seen how much the store is owed. */
  weighedAt: LogIndex = 0
  readonly #shared: HostShared
  #backlog: Entry[] = []
  /** When `advance` has something to do. */
  #deadline: Millis = Infinity
  /** When T is to be said again, for what the machine waits for. */
  #pulse: Millis = Infinity
  /** The last tick entry, while it is not applied. */
  #tickIndex: LogIndex = 0
  #known: { term: Term; leader: ReplicaId; leading: boolean; membership: Membership }

  constructor(id: GroupId, core: RaftCore, applier: Applier, store: StateStore, window: LogWindow, shared: HostShared) {
    this.id = id
    this.core = core
    this.applier = applier
    this.store = store
    this.window = window
    this.nextGeneration = store.generation + 1
    this.installed = store.generation
    this.#shared = shared
    this.intake = new Intake(this, shared)
    this.reads = new Reads(this, shared)
    this.attachments = new Attachments(this, shared)
    this.writes = new Writes(this)
    this.traces = new Traces(id, shared.observer)
    this.#known = { term: core.term, leader: core.leader, leading: false, membership: core.appliedMembership }
    core.setSnapshotSource(() => this.snapshotSource())
    this.#resetApplier(applier)
  }

  get replica(): ReplicaId {
    return this.core.self
  }

  /** Has a state that may be shown: not loading, and not still waiting for its first snapshot. */
  get serving(): boolean {
    return !this.loading && !this.closed && this.applier.index > 0
  }

  get leading(): boolean {
    return this.core.role === 'leader' && !this.loading
  }

  get dirtyRecords(): number {
    return this.applier.machine.dirty + this.applier.requests.records.dirty
  }

  /** In memory until the key-value store has them, as far as the machine says so; those of the cold records drained. */
  get dirtyBytes(): number {
    return this.machineBytes + this.store.cold.bytes
  }

  get machineBytes(): number {
    return this.applier.machine.dirtyBytes ?? 0
  }

  /** Null while what the store holds is not what the core speaks of. */
  snapshotSource(): SnapshotMeta | null {
    const { index, term, membership } = this.store.written
    return this.loading || index === 0 ? null : { index, term, membership }
  }

  step(message: PeerMessage, traceparent = ''): void {
    if (this.closed) return
    // As if it were lost: the leader asks again. So do those without entries, for their answers would have all the others sent again.
    if (message.type === 'append_entries' && this.#shared.disk.scarce) return
    if (traceparent !== '' && message.type === 'append_entries') this.traces.arrived(message.entries, traceparent, this.#shared.clock.now())
    if (this.traces.active && message.type === 'append_response' && !message.reject) {
      this.traces.acknowledged(message.from, message.index, this.#shared.clock.now())
    }
    this.core.step(message)
    this.#noticeChange()
    if (this.core.forgot > 0) {
      const { last } = this.core.status()
      return this.#shared.lose(this, `its log ends at ${last}, it had acknowledged ${this.core.forgot}: the disk lost what it had synced`)
    }
    this.#shared.dirty(this)
  }

  tick(): void {
    this.core.tick()
    this.#noticeChange()
    if (this.traces.active) this.traces.forget(this.#shared.clock.now() - TRACE_LIFE_MS)
    this.#shared.dirty(this)
  }

  /** Whether an entry is to be made for T alone. Cheap: asked of every group at every tick. */
  get timeDue(): boolean {
    const due = Math.min(this.#deadline, this.#pulse)
    return due < Infinity && this.leading && due <= this.clock.read(this.#shared.uptime.value)
  }

  /** The group's part of a flush. */
  turn(gathered: Gathered): void {
    if (this.closed) return
    this.attachments.turn()
    this.#noticeChange()
    this.#propose()
    this.reads.flush()
    for (let i = 0; i < READYS_MAX && this.core.hasReady(); i++) this.#takeReady(gathered)
    if (this.core.hasReady()) this.#shared.dirty(this)
    this.reads.serve()
    this.#noticeChange()
  }

  #propose(): void {
    if (!this.leading) return this.intake.empty ? undefined : this.intake.clear()
    if (!this.intake.empty) this.intake.flush(this.clock.read(this.#shared.uptime.value))
    else if (this.timeDue && this.applier.index >= this.#tickIndex && !this.#shared.wal.full) {
      const result = this.core.propose(encodeEntry(this.clock.read(this.#shared.uptime.value), []))
      if (result.ok) this.#tickIndex = result.index
    }
  }

  #takeReady(gathered: Gathered): void {
    const ready = this.core.ready()
    for (const message of ready.messages) this.#send(message)
    if (ready.append !== null) this.#write(ready.append, gathered)
    this.#apply(ready.committed)
    for (const { readId, index } of ready.reads) this.reads.confirmed(readId, index)
    this.#release()
  }

  #send(message: PeerMessage): void {
    if (message.type === 'install_snapshot') return this.#shared.sendSnapshot(this, message.to, message.term)
    const traced = this.traces.active && message.type === 'append_entries'
    this.#shared.outgoing.peer(this.id, message, traced ? this.traces.sending(message, this.#shared.clock.now()) : '')
  }

  #write(append: AppendWork, gathered: Gathered): void {
    if (append.snapshot !== null) {
      this.window.reset(append.snapshot.index)
      this.#backlog = []
    }
    for (const entry of append.entries) this.window.append(entry)
    if (this.traces.active) this.traces.writing(append.entries, this.#shared.clock.now())
    this.writes.take(append, this.staged ?? this.store.generation, gathered)
  }

  /** A write of this group became durable (it is marked so): promises may leave. */
  release(): void {
    if (this.closed) return
    this.#release()
    this.#shared.dirty(this)
  }

  #release(): void {
    for (let work = this.writes.release(); work !== null; work = this.writes.release()) {
      const { entries, ticket, thenSend, snapshot } = work.append
      if (this.traces.active) this.traces.written(entries, this.#shared.clock.now())
      this.core.appended(ticket)
      for (const message of thenSend) {
        if (message.to === this.replica) this.core.step(message)
        else this.#send(message)
      }
      this.#noticeChange()
      if (snapshot === null) continue
      this.installed = work.generation
      this.#shared.reload(this)
    }
  }

  #apply(committed: readonly Entry[]): void {
    if (committed.length === 0) return
    if (this.loading) {
      for (const entry of committed) this.#backlog.push(entry)
      return
    }
    const before = this.applier.commands
    for (const entry of committed) this.#applyOne(entry)
    this.#shared.counters.commandsApplied += this.applier.commands - before
    this.clock.observe(this.applier.time, this.#shared.uptime.value)
    this.#lookAhead()
    this.core.applied(this.applier.index)
    if (this.timeDue) this.#shared.dirty(this)
  }

  #applyOne(entry: Entry): void {
    assert(entry.index === this.applier.index + 1, `applied ${entry.index} after ${this.applier.index}`)
    const { leading } = this
    const startedAt = this.#shared.clock.now()
    if (leading) this.intake.committed(entry.index, startedAt)
    if (this.traces.active) this.traces.committed(entry.index, startedAt)
    this.applier.apply(entry, leading ? this : null)
    if (this.traces.active) this.traces.applied(entry.index, startedAt, this.#shared.clock.now(), leading)
  }

  answer(client: number, sequence: number, status: number, reply: Plain): void {
    const to = this.intake.addressOf(client)
    if (to !== undefined) this.attachments.answer(to, client, sequence, status, reply)
  }

  event(event: Plain, index: LogIndex, time: Millis): void {
    this.#shared.event(this.id, event, index, time)
  }

  answerQuery(envelope: Envelope, { key, request }: QueryMessage): void {
    const { machine, requests, index, time } = this.applier
    const leave = (reply: Plain): void => this.#shared.outgoing.ctx.reply(envelope, 'query_reply', [reply, index, time])
    if (key === '') return this.attachments.query(envelope, machine.query(request, this.time), leave)
    const answer = requests.stateOf(key, time)
    if (!answer) leave(answer === null ? ['waiting'] : [])
    else if (answer.refused) leave(['answered', true, answer.reply])
    else this.attachments.query(envelope, answer.reply, (reply) => leave(['answered', false, reply]))
  }

  /**
   * Cluster time as the leader has it now; elsewhere that of the last applied entry. How old something is goes on while nothing is
   * written, so reads are answered with it.
   */
  get time(): Millis {
    return this.clock.read(this.#shared.uptime.value)
  }

  /** Wherever the core may have changed its mind: those that watch hear of a new term before anything is done in it. */
  #noticeChange(): void {
    const { core } = this
    const known = this.#known
    const leading = core.role === 'leader'
    const same = known.leading === leading && known.term === core.term && known.leader === core.leader
    if (same && known.membership === core.appliedMembership) return
    if (leading && (!known.leading || known.term !== core.term)) {
      this.#shared.counters.elections++
      this.clock.lead(this.#shared.uptime.value)
    }
    if (!leading && known.leading) {
      this.clock.follow()
      this.intake.clear()
    }
    if (known.leading !== leading || known.term !== core.term) this.#tickIndex = 0
    this.#known = { term: core.term, leader: core.leader, leading, membership: core.appliedMembership }
    this.#shared.changed(this)
  }

  /** The core has taken a staged snapshot: from now on this replica waits for that state. */
  stage(generation: number): void {
    this.staged = generation
    this.loading = true
    this.store.cold.end()
    this.reads.clear()
    this.#shared.dirty(this)
    this.#shared.changed(this)
  }

  /** The state of `store` is in: serve again, and apply what was committed meanwhile. */
  adopt(applier: Applier, store: StateStore): void {
    this.store = store
    this.loading = false
    this.ailing = false
    this.staged = null
    this.#resetApplier(applier)
    const backlog = this.#backlog
    this.#backlog = []
    this.#apply(backlog.filter((entry) => entry.index > applier.index))
    this.#shared.dirty(this)
    this.#shared.changed(this)
  }

  #resetApplier(applier: Applier): void {
    this.applier = applier
    this.clock.observe(applier.time, this.#shared.uptime.value)
    this.#lookAhead()
  }

  /** Only the machine's deadlines are worth a pulse: idempotency keys and clients that live longer harm nobody. */
  #lookAhead(): void {
    const { machine, requests, time } = this.applier
    const next = machine.nextDeadline()
    this.#deadline = Math.min(next, requests.nextExpiry())
    this.#pulse = time + pulseMs(next - time)
  }

  close(): void {
    this.closed = true
    this.store.cold.end()
    this.reads.clear()
    this.intake.clear()
  }

  status(): GroupStatus {
    const { id: group, serving, applier, store } = this
    // Assigned, not spread: it is read after every turn by those that watch, and a spread makes it a slow object.
    const { machine } = applier
    const stateBytes = machine.stateBytes ?? store.bytes + (machine.valueBytes ?? 0)
    return Object.assign(this.core.status(), {
      group,
      appliedTime: applier.time,
      time: this.time,
      serving,
      stateBytes,
      checkpointed: store.synced,
    })
  }
}
