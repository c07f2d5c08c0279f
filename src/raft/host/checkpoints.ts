/**
 * Brings changed records into the key-value store, off the critical path, and lets the log go where they are durable.
 *
 *   drain: changed records + header of every group that is due ──> one atomic batch       (often, not synced)
 *   checkpoint: the same, synced ──> `snapshot` record in the log ──> compact, release     (now and then)
 *
 * One batch is being written at a time, in order; more may wait. So a slow store slows the drains down, the
 * machines remember the changes meanwhile, and beyond a bound the leader takes no more commands (intake.ts).
 */
import type { GroupId, Millis } from '../../base/ids.ts'
import type { Kv, KvOp, KvRange } from '../../io/kv/kv.ts'
import { DiskFullError } from '../../io/storage.ts'
import type { WalRecord } from '../../io/wal/wal.ts'
import type { Group } from './group.ts'
import { type StateHeader, encodeMembership } from './keys.ts'
import type { HostShared } from './shared.ts'
import type { StateStore } from './state-store.ts'

/** So many changes are drained at once, even while batches wait: a drain is one turn, so it has to stay small. */
const DIRTY_DRAIN = 2_000
const DIRTY_BYTES_DRAIN = 1024 * 1024
/** An entry is one turn's commands of one group: few of them do not make it urgent, and the next tick looks at all. */
const WEIGHED_ENTRIES = 4
/** Held in memory for the store by all groups of the node, beyond which it takes no commands (intake.ts). */
const OWED_BYTES_MAX = 256 * 1024 * 1024
/** Room for seconds in which the store stalls (compaction): a quarter of a million records, some 60 MiB. */
const WAITING_MAX = 128
/** Bytes of log after which a checkpoint is due. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024
/** A checkpoint is due after so many drain intervals, if anything was applied. */
const CHECKPOINT_INTERVALS = 10
const DISK_FULL_RETRY_MS: Millis = 1_000

interface Drained {
  readonly group: Group
  readonly store: StateStore
  readonly header: StateHeader
  readonly ops: readonly KvOp[]
}

type Job =
  | { readonly kind: 'batch'; readonly sync: boolean; readonly drained: readonly Drained[]; readonly done: () => void }
  | { readonly kind: 'clear'; readonly group: Group; readonly range: KvRange }

const NOTHING = (): void => {}

export class Checkpoints {
  readonly #shared: HostShared
  readonly #kv: Kv
  readonly #jobs: Job[] = []
  #running = false
  #work: Promise<void> = Promise.resolve()
  #closed = false
  #owedBytes = 0
  readonly #drainedAt = new Map<GroupId, Millis>()
  readonly #syncedAt = new Map<GroupId, Millis>()

  constructor(shared: HostShared) {
    this.#shared = shared
    this.#kv = shared.kv
  }

  /** Drains whatever is due. Called at every tick, and after turns in which much changed. */
  consider(groups: Iterable<Group>, now: Millis): void {
    const plain: Group[] = []
    const synced: Group[] = []
    const busy = this.#jobs.length > 0
    if (this.#jobs.length >= WAITING_MAX || this.#closed) return
    for (const group of groups) {
      if (group.loading || group.closed) continue
      // Even while batches wait: a store that is always busy would else let the log grow for the sake of a quiet group.
      if (this.#syncDue(group, now)) synced.push(group)
      else if ((!busy || Checkpoints.urgent(group)) && this.#drainDue(group, now)) plain.push(group)
    }
    if (plain.length > 0) this.#drain(plain, false, NOTHING)
    if (synced.length > 0) this.#drain(synced, true, NOTHING)
  }

  /** Whether a group whose turn is over is urgent; looked at after some of its entries only, for it is asked at every turn. */
  noticed(group: Group): boolean {
    const { index } = group.applier
    if (index - group.weighedAt < WEIGHED_ENTRIES) return false
    group.weighedAt = index
    return Checkpoints.urgent(group)
  }

  static urgent(group: Group): boolean {
    return group.dirtyRecords >= DIRTY_DRAIN || group.machineBytes >= DIRTY_BYTES_DRAIN
  }

  /** Adds up what all groups owe the store. */
  weigh(groups: Iterable<Group>): void {
    this.#owedBytes = 0
    for (const group of groups) this.#owedBytes += group.dirtyBytes
  }

  /** As of the last `weigh`. */
  get owedBytes(): number {
    return this.#owedBytes
  }

  get behind(): boolean {
    return this.#owedBytes > OWED_BYTES_MAX
  }

  #drainDue(group: Group, now: Millis): boolean {
    if (group.applier.index === group.store.drained.index) return false
    const since = this.#drainedAt.get(group.id)
    if (since === undefined) this.#drainedAt.set(group.id, now)
    return Checkpoints.urgent(group) || (since !== undefined && now - since >= this.#shared.options.checkpointIntervalMs)
  }

  #syncDue(group: Group, now: Millis): boolean {
    if (group.applier.index === group.store.synced) {
      this.#syncedAt.delete(group.id)
      return false
    }
    const since = this.#syncedAt.get(group.id)
    if (since === undefined) this.#syncedAt.set(group.id, now)
    const late = since !== undefined && now - since >= CHECKPOINT_INTERVALS * this.#shared.options.checkpointIntervalMs
    return late || group.window.growth >= CHECKPOINT_BYTES
  }

  #drain(groups: readonly Group[], sync: boolean, done: () => void): void {
    const drained: Drained[] = []
    const now = this.#shared.clock.now()
    for (const group of groups) {
      const ops: KvOp[] = []
      const header = group.store.drain(group.applier, group.core.appliedMembership, ops)
      drained.push({ group, store: group.store, header, ops })
      this.#drainedAt.set(group.id, now)
      if (!sync) continue
      this.#syncedAt.set(group.id, now)
      group.window.resetGrowth()
    }
    this.#add({ kind: 'batch', sync, drained, done })
  }

  /** Everything of these groups, synced; `done` once the log knows. */
  flush(groups: readonly Group[], done: () => void): void {
    this.#drain(
      groups.filter((group) => !group.loading && !group.closed && group.applier.index > 0),
      true,
      done,
    )
  }

  /** Deletes a range of the group, after every batch that was drained before. */
  clear(group: Group, range: KvRange): void {
    this.#add({ kind: 'clear', group, range })
  }

  /** No further batch begins. */
  close(): void {
    this.#closed = true
  }

  /** The batch being written, if any, is over; how it went was told to the actor. */
  async settled(): Promise<void> {
    await this.#work.catch(() => {})
  }

  #add(job: Job): void {
    this.#jobs.push(job)
    if (!this.#running) this.#next()
  }

  #next(): void {
    const job = this.#jobs[0]
    this.#running = job !== undefined && !this.#closed
    if (job === undefined || this.#closed) return
    const { ctx } = this.#shared.outgoing
    const work = this.#write(job)
    this.#work = work
    ctx.pipeToSelf(
      work,
      () => {
        this.#jobs.shift()
        if (job.kind === 'batch') this.#taken(job)
        else this.#shared.cleared(job.range)
        this.#next()
      },
      (error) => this.#failed(error),
    )
  }

  /** Of a group that has ended meanwhile nothing is touched any more: the same keys may belong to its next life. */
  async #write(job: Job): Promise<void> {
    if (job.kind === 'clear') return job.group.closed ? undefined : this.#kv.clear(job.range)
    const live = job.drained.filter(({ group }) => !group.closed)
    const [first] = live
    if (first === undefined) return
    await this.#kv.batch(live.length === 1 ? first.ops : live.flatMap(({ ops }) => ops), { sync: job.sync })
  }

  /** The same batch again once there may be space: nothing is lost, and nothing may overtake it. */
  #failed(error: Error): void {
    if (!(error instanceof DiskFullError)) return this.#shared.options.onDiskFatal(error)
    this.#shared.options.onLog('error', 'the disk is full: records wait for the key-value store')
    this.#shared.clock.after(DISK_FULL_RETRY_MS, () => this.#shared.outgoing.ctx.enter(() => this.#next()))
  }

  #taken(job: Extract<Job, { kind: 'batch' }>): void {
    const records: WalRecord[] = []
    for (const { group, store, header } of job.drained) {
      store.landed(header)
      if (!job.sync || group.closed || group.store !== store || group.staged !== null) continue
      const { index, term, membership } = header
      records.push({
        kind: 'snapshot',
        group: group.id,
        index,
        term,
        generation: store.generation,
        reset: false,
        config: encodeMembership(membership),
      })
      group.writes.takeLazy(records)
    }
    if (records.length === 0) return job.done()
    this.#shared.wal.append(records, () => this.#shared.outgoing.ctx.enter(() => this.#recorded(job)))
  }

  /** A restart begins at the header now: what is before may go, but for what slow followers may still ask for. */
  #recorded(job: Extract<Job, { kind: 'batch' }>): void {
    for (const { group, store, header } of job.drained) {
      if (group.closed || group.store !== store || group.staged !== null) continue
      store.synced = header.index
      group.window.checkpoint(header.index)
      this.#shared.wal.release(group.id, header.index)
      group.core.compact(group.window.compact(header.index, this.#shared.options.logBytesMax))
    }
    job.done()
  }
}
