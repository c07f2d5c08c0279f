/**
 * One replica under a test's thumb: a core, a disk and a state machine, all of which wait to be told. The smallest host
 * that keeps every rule: writes become durable in order, promises leave behind their write, a crash forgets the rest.
 *
 *     core ─ready─> outgoing      writing (queue) ─persist─> disk        applying (queue) ─apply─> history
 *
 * The state machine is the list of what was applied, which makes any two replicas comparable.
 */
import { assert } from '../../src/base/assert.ts'
import { NOBODY, type LogIndex, type ReplicaId } from '../../src/base/ids.ts'
import { decodeMembership } from '../../src/raft/core/config-change.ts'
import { EMPTY_MEMBERSHIP } from '../../src/raft/core/membership.ts'
import type { RaftCore, RaftOptions } from '../../src/raft/core/raft-core.ts'
import { createRaft } from '../../src/raft/core/raft.ts'
import type { AppendWork, Entry, HardState, Membership, PeerMessage, SnapshotMeta } from '../../src/raft/core/types.ts'

/** A message on the wire; an install_snapshot carries the state with it. */
export interface Frame {
  readonly message: PeerMessage
  readonly history: readonly string[] | null
}

export interface Answer {
  readonly readId: number
  readonly index: LogIndex
}

/** What survives a crash. */
export interface Disk {
  hardState: HardState
  /** Where the log begins. */
  snapshot: SnapshotMeta
  entries: Entry[]
  /** The state machine as last checkpointed: `history[i]` was applied at index i + 1. */
  history: readonly string[]
}

/** A replica that has done nothing yet; without a membership it waits to be contacted. */
export function blankDisk(founding: Membership | null): Disk {
  return {
    hardState: { term: 0, vote: NOBODY, commit: 0 },
    snapshot: { index: 0, term: 0, membership: founding ?? EMPTY_MEMBERSHIP },
    entries: [],
    history: [],
  }
}

export function showEntry(entry: Entry): string {
  const data = entry.type === 0 ? Buffer.from(entry.data).toString() : entry.type === 1 ? 'config' : 'noop'
  return `${entry.term}/${entry.index} ${data}`
}

export class Replica {
  readonly id: ReplicaId
  readonly #options: Omit<RaftOptions, 'self'>
  readonly disk: Disk
  core: RaftCore
  alive = true
  /** Works that are not durable yet, oldest first. */
  writing: AppendWork[] = []
  /** Committed entries that are not applied yet, oldest first. */
  applying: Entry[] = []
  history: string[] = []
  answers: Answer[] = []
  readonly #send: (frame: Frame) => void
  /** Written without a sync: it survives only behind a later sync. */
  #unsynced: HardState | null = null
  #staged = new Map<LogIndex, readonly string[]>()

  constructor(id: ReplicaId, options: Omit<RaftOptions, 'self'>, disk: Disk, send: (frame: Frame) => void) {
    this.id = id
    this.#options = options
    this.#send = send
    this.disk = disk
    this.core = this.#boot()
  }

  #boot(): RaftCore {
    const { hardState, snapshot, entries, history } = this.disk
    const core = createRaft({ ...this.#options, self: this.id }, { hardState, snapshot, entries, applied: history.length })
    this.history = [...history]
    core.setSnapshotSource(() => this.#snapshotNow())
    return core
  }

  #snapshotNow(): SnapshotMeta | null {
    const index = this.history.length
    if (index === 0) return null
    return { index, term: this.core.termAt(index)!, membership: this.core.appliedMembership }
  }

  /** One Ready: messages leave, works and committed entries queue up. False: there was nothing. */
  collect(): boolean {
    if (!this.alive || !this.core.hasReady()) return false
    const ready = this.core.ready()
    for (const message of ready.messages) this.#release(message)
    if (ready.append !== null) this.writing.push(ready.append)
    this.applying.push(...ready.committed)
    this.answers.push(...ready.reads)
    return true
  }

  #release(message: PeerMessage): void {
    if (message.to === this.id) this.core.step(message)
    else this.#send({ message, history: message.type === 'install_snapshot' ? this.history.slice(0, message.snapshot.index) : null })
  }

  /** The oldest write is done: its promises leave. */
  persist(): boolean {
    const work = this.writing.shift()
    if (!this.alive || work === undefined) return false
    this.#write(work)
    this.core.appended(work.ticket)
    for (const promise of work.thenSend) this.#release(promise)
    return true
  }

  #write(work: AppendWork): void {
    const { disk } = this
    if (work.snapshot !== null) {
      disk.snapshot = work.snapshot
      disk.entries = []
      disk.history = this.#staged.get(work.snapshot.index)!
      // A later one may be staged already, behind this write.
      for (const index of this.#staged.keys()) if (index <= work.snapshot.index) this.#staged.delete(index)
      this.applying = []
      this.history = [...disk.history]
    }
    const first = work.entries[0]
    if (first !== undefined) {
      disk.entries.length = first.index - disk.snapshot.index - 1
      disk.entries.push(...work.entries)
    }
    if (work.hardState !== null) this.#unsynced = work.hardState
    if (work.mustSync) this.#sync()
  }

  #sync(): void {
    if (this.#unsynced !== null) this.disk.hardState = this.#unsynced
    this.#unsynced = null
  }

  /** The oldest `count` committed entries go into the state machine. */
  apply(count = Infinity): boolean {
    const batch = this.applying.splice(0, count)
    const last = batch.at(-1)
    if (!this.alive || last === undefined) return false
    for (const entry of batch) {
      assert(entry.index === this.history.length + 1, `${this.id} applies ${entry.index} after ${this.history.length}`)
      this.history.push(showEntry(entry))
    }
    this.core.applied(last.index)
    return true
  }

  /** Stores the state, and drops the log but for the newest `keep` applied entries. */
  compact(keep = 0): void {
    // Applied, but an older state may be waiting to be replaced by an installed one.
    if (this.core.status().applied !== this.history.length) return
    this.disk.history = [...this.history]
    const index = this.history.length - keep
    const { disk } = this
    if (index <= disk.snapshot.index) return
    const term = this.core.termAt(index)!
    const count = index - disk.snapshot.index
    // With entries kept, the membership at the cut is found among the configurations behind it or was that of the old cut.
    disk.snapshot = { index, term, membership: this.#membershipAt(index) }
    disk.entries = disk.entries.slice(count)
    this.core.compact(index)
  }

  #membershipAt(index: LogIndex): Membership {
    const { snapshot, entries } = this.disk
    let membership = snapshot.membership
    for (const entry of entries) if (entry.index <= index && entry.type === 1) membership = decodeMembership(entry.data)
    return membership
  }

  receive(frame: Frame): void {
    if (!this.alive) return
    const { message, history } = frame
    if (message.type !== 'install_snapshot') {
      this.core.step(message)
      return
    }
    const { from, term, snapshot } = message
    if (this.core.restore({ from, term, snapshot })) this.#staged.set(snapshot.index, history!)
  }

  /** Power off. `survive` oldest writes had reached the disk, though nobody was told. */
  crash(survive: number, unsyncedSurvives: boolean): void {
    for (const work of this.writing.splice(0, survive)) this.#write(work)
    if (unsyncedSurvives) this.#sync()
    this.#unsynced = null
    this.#staged.clear()
    this.writing = []
    this.applying = []
    this.alive = false
  }

  restart(): void {
    assert(!this.alive, 'restart of a replica that runs')
    this.alive = true
    this.core = this.#boot()
  }

  /** The term of the durable entry at `index`; `covered` where a durable snapshot stands for it. */
  durableTermAt(index: LogIndex): number | 'covered' | null {
    const { snapshot, entries } = this.disk
    if (index <= snapshot.index) return 'covered'
    return entries[index - snapshot.index - 1]?.term ?? null
  }
}
