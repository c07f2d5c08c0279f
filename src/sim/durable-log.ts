/**
 * The logs as they are on the platters, read from outside: every durable write to a segment is decoded with the log's own
 * record format. So the checkers see what would be left if the power went now, not what a node believes.
 *
 * Each entry carries a chain: a digest of itself and all entries before it. Two logs that agree on a chain agree on the
 * whole prefix. After a snapshot the chain goes on from what the other replicas had there.
 */
import type { GroupId, LogIndex, NodeId, ReplicaId, Term } from '../base/ids.ts'
import { GroupLog } from '../io/wal/group-log.ts'
import {
  KIND_CREATE,
  KIND_DAMAGED,
  KIND_ENTRY,
  KIND_HARD_STATE,
  KIND_MARKER,
  KIND_REMOVE,
  KIND_SNAPSHOT,
  KIND_STATE,
  type RawRecord,
  decodeRecord,
  recordBytes,
} from '../io/wal/record.ts'
import { scanSegment } from '../io/wal/scan.ts'
import { judge } from '../io/wal/verdict.ts'
import { hashBytes } from './dice.ts'
import type { SimDisk } from './disk.ts'

const SEGMENT = /^wal\/(\d{16})\.wal$/

/** Where the log of a founding replica begins. */
const FOUNDING_INDEX = 1

export interface DurableEntry {
  readonly term: Term
  readonly type: number
  readonly digest: number
  /** NaN: not known (the entries before are not). */
  readonly chain: number
}

/** One replica's log on its platter. */
export class DurableGroup {
  replica: ReplicaId = 0
  term: Term = 0
  vote: ReplicaId = 0
  commit: LogIndex = 0
  snapshotIndex: LogIndex = 0
  snapshotTerm: Term = 0
  last: LogIndex = 0
  readonly entries = new Map<LogIndex, DurableEntry>()

  /** True if the log vouches for `index`: by an entry, or by a snapshot beyond it. */
  holds(index: LogIndex): boolean {
    return index <= this.snapshotIndex || this.entries.has(index)
  }

  termAt(index: LogIndex): Term | null {
    return index === this.snapshotIndex && index > 0 ? this.snapshotTerm : (this.entries.get(index)?.term ?? null)
  }

  truncateFrom(index: LogIndex): void {
    for (let at = index; at <= this.last; at++) this.entries.delete(at)
    this.last = Math.min(this.last, index - 1)
  }
}

/** What hears of changes: the checkers. */
export interface LogListener {
  written(node: NodeId, group: GroupId, log: DurableGroup, index: LogIndex): void
  /** A restart: what was durable before, and what recovery will find. `after` null: it is damaged. */
  recovered(node: NodeId, group: GroupId, before: DurableGroup, after: DurableGroup | null): void
  /** A replica that a disk had lost begins from nothing, under the same number. */
  begunAgain(node: NodeId, group: GroupId, replica: ReplicaId): void
}

export class DurableLogs {
  readonly #nodes = new Map<NodeId, Map<GroupId, DurableGroup>>()
  /** (group, index, term) -> chain, as first seen anywhere. */
  readonly #chains = new Map<string, number>()
  /** (group, replica) -> what was durable until a disk was emptied or rotted. */
  readonly #lost = new Map<string, DurableGroup>()
  readonly #listener: LogListener

  constructor(listener: LogListener) {
    this.#listener = listener
  }

  of(node: NodeId, group: GroupId): DurableGroup | null {
    return this.#nodes.get(node)?.get(group) ?? null
  }

  /** The log of that very replica: as it is or, where its disk has lost it since, as it last was. */
  ofReplica(group: GroupId, replica: ReplicaId): DurableGroup | null {
    for (const groups of this.#nodes.values()) {
      const log = groups.get(group)
      if (log?.replica === replica) return log
    }
    return this.#lost.get(`${group}/${replica}`) ?? null
  }

  watch(node: NodeId, disk: SimDisk): void {
    this.#nodes.set(node, new Map())
    disk.onDurable = (path, position, length, platter) => {
      const segment = SEGMENT.exec(path)
      if (segment) this.#decode(node, Number(segment[1]), Buffer.from(platter.buffer, platter.byteOffset, platter.length), position, length)
    }
  }

  #decode(node: NodeId, segment: number, platter: Buffer, position: number, length: number): void {
    for (let offset = position; offset < position + length;) {
      const record = decodeRecord(platter, segment, offset)
      if (!record) return
      this.#apply(node, record)
      offset += recordBytes(record.payload.length)
    }
  }

  #apply(node: NodeId, record: RawRecord): void {
    if (record.kind === KIND_MARKER || record.kind === KIND_STATE) return
    const groups = this.#nodes.get(node) as Map<GroupId, DurableGroup>
    if (record.kind === KIND_REMOVE) return void groups.delete(record.group)
    let log = groups.get(record.group)
    if (record.kind === KIND_DAMAGED) return this.#condemn(groups, record.group, log)
    // Its state rotted and its log did not: another takes its place in one step.
    if (record.kind === KIND_CREATE && log !== undefined && log.replica !== record.index) this.#condemn(groups, record.group, log)
    if (!log || record.kind === KIND_CREATE) groups.set(record.group, (log = new DurableGroup()))
    if (record.kind === KIND_CREATE) {
      log.replica = record.index
      if (this.#lost.has(`${record.group}/${log.replica}`)) this.#listener.begunAgain(node, record.group, log.replica)
    } else if (record.kind === KIND_HARD_STATE) {
      log.term = record.term
      log.commit = record.index
      log.vote = new DataView(record.payload.buffer, record.payload.byteOffset, 8).getFloat64(0, true)
    } else if (record.kind === KIND_SNAPSHOT) this.#snapshot(log, record)
    else if (record.kind === KIND_ENTRY) {
      this.#entry(record.group, log, record.index, record.term, record.type, record.payload)
      this.#listener.written(node, record.group, log, record.index)
    }
  }

  /** Nothing of it will be used again; what it acknowledged before was true. */
  #condemn(groups: Map<GroupId, DurableGroup>, group: GroupId, log: DurableGroup | undefined): void {
    if (log) this.#lost.set(`${group}/${log.replica}`, log)
    groups.delete(group)
  }

  #snapshot(log: DurableGroup, { index, term, payload }: RawRecord): void {
    const reset = payload[4] === 1
    log.snapshotIndex = index
    log.snapshotTerm = term
    if (!reset) return
    log.entries.clear()
    log.last = index
  }

  #entry(group: GroupId, log: DurableGroup, index: LogIndex, term: Term, type: number, payload: Uint8Array): void {
    log.truncateFrom(index)
    const digest = hashBytes(payload, type + 1)
    const chain = this.#chainBefore(group, log, index)
    log.entries.set(index, { term, type, digest, chain: link(chain, term, digest) })
    log.last = index
    const key = `${group}/${index}/${term}`
    if (!Number.isNaN(chain) && !this.#chains.has(key)) this.#chains.set(key, link(chain, term, digest))
  }

  #chainBefore(group: GroupId, log: DurableGroup, index: LogIndex): number {
    const before = log.entries.get(index - 1)
    if (before && !Number.isNaN(before.chain)) return before.chain
    const term = log.termAt(index - 1)
    if (term === null) return index === 1 ? 1 : Number.NaN
    // Founding replicas begin behind a snapshot that is the same for all: the first of all chains.
    return this.#chains.get(`${group}/${index - 1}/${term}`) ?? (index - 1 === FOUNDING_INDEX ? 1 : Number.NaN)
  }

  /** At a boot: reads the platter as recovery will, and tells what became of what was durable. */
  reload(node: NodeId, disk: SimDisk): void {
    const before = this.#nodes.get(node) ?? new Map<GroupId, DurableGroup>()
    const { groups: after, removed } = this.#read(disk)
    this.#nodes.set(node, after)
    // The power went while the removal was written: it is on the platter whole, though nobody was told.
    for (const group of removed) before.delete(group)
    for (const [group, log] of before) if (!after.has(group)) this.#lost.set(`${group}/${log.replica}`, log)
    for (const [group, log] of before) this.#listener.recovered(node, group, log, after.get(group) ?? null)
  }

  #read(disk: SimDisk): { readonly groups: Map<GroupId, DurableGroup>; readonly removed: ReadonlySet<GroupId> } {
    const paths = disk.paths.filter((path) => SEGMENT.test(path))
    const verdict = judge(
      paths.map((path) => scanSegment(Buffer.from(disk.find(path)?.platter() ?? new Uint8Array()), Number(SEGMENT.exec(path)?.[1]))),
    )
    const logs = new Map<GroupId, GroupLog>()
    const removed = new Set<GroupId>()
    for (const { record } of verdict.batches.flatMap((batch) => batch.records)) {
      if (record.kind === KIND_REMOVE) removed.add(record.group)
      else if (record.kind === KIND_CREATE) removed.delete(record.group)
      let log = logs.get(record.group)
      if (!log) logs.set(record.group, (log = new GroupLog(record.group)))
      log.apply(record)
    }
    const groups = new Map<GroupId, DurableGroup>()
    for (const [group, log] of logs) {
      const found = log.recovered()
      if (!found || verdict.damaged.has(group) || !log.whole) continue
      groups.set(group, this.#rebuild(group, found))
    }
    return { groups, removed }
  }

  #rebuild(group: GroupId, found: NonNullable<ReturnType<GroupLog['recovered']>>): DurableGroup {
    const log = new DurableGroup()
    log.replica = found.replica
    log.term = found.hardState.term
    log.vote = found.hardState.vote
    log.commit = found.hardState.commit
    log.snapshotIndex = found.snapshot?.index ?? 0
    log.snapshotTerm = found.snapshot?.term ?? 0
    log.last = log.snapshotIndex
    for (const { index, term, type, data } of found.entries) this.#entry(group, log, index, term, type, data)
    return log
  }
}

/** 48 bits, so that two different prefixes do not meet by chance. */
function link(chain: number, term: Term, digest: number): number {
  if (Number.isNaN(chain)) return chain
  const high = Math.floor(chain / 2 ** 24)
  const a = Math.imul((chain & 0xffffff) ^ digest, 0x9e3779b1) >>> 0
  const b = Math.imul((high ^ term) + (digest >>> 7), 0x85ebca6b) >>> 0
  return ((a ^ (b >>> 11)) & 0xffffff) * 2 ** 24 + ((b ^ (a >>> 9)) & 0xffffff)
}
