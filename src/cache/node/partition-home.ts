/**
 * The home of one partition's lines while this node leads its group: drives a directory, from the election to the end of the
 * term, and keeps the gate.
 *
 *   elected ─▶ confirmed: the log of older terms is applied ─▶ views are acknowledged, or V is over ─▶ it speaks
 *   apply ──changed──▶ invalidations ──acks──▶ settled ──▶ the gate opens, the answer of the write leaves
 */
import { type ErrorCode, TricordError } from '../../base/errors.ts'
import type { LatencyHistogram } from '../../base/latency-histogram.ts'
import { type GroupId, type NodeId, type Term, partitionGroup } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { SuspendAwareClock } from '../../io/suspend-aware-clock.ts'
import type { Confirmation, GroupHost } from '../../raft/group-host.ts'
import { Directory } from '../coherence/directory.ts'
import { HOME_DEFAULTS } from '../coherence/home.ts'
import type { LineId, ToHome, ToNode } from '../coherence/protocol.ts'
import { isCarried } from '../line-id.ts'
import { VERSION_MAX } from '../machine/codes.ts'
import type { OwnCommand, ReleaseCommand } from '../machine/commands.ts'
import type { CacheMachine } from '../machine/machine.ts'
import type { Gate } from '../machine/replies.ts'
import type { ObservedChange } from '../machine/table.ts'
import type { ChangeReason } from '../types.ts'
import { HomeSweeps, type HomeSweepsDeps } from './home-sweeps.ts'
import { HomeWatches } from './home-watches.ts'
import { type FromHome, PREFIXES_MAX } from './wire.ts'
import { Wakeup } from './wakeup.ts'
import type { Done, Writes } from './writes.ts'

const HOLD_TIMEOUT_MS = 5_000
const CONFIRM_AGAIN_MS = 100
const UNHOLD_AGAIN_MS = 1_000
const COMMIT_AGAIN_MS = 200
/** Writes of one ownership. */
const OWN_VERSIONS = 10_000
/** The number of no ownership. */
const NEVER_GIVEN = VERSION_MAX
/** The log has said no. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['QUOTA', 'FENCED', 'INVALID_ARGUMENT'])

export interface HomeDeps {
  readonly clock: SuspendAwareClock
  readonly host: Pick<GroupHost, 'confirm' | 'time'>
  readonly writes: Writes
  readonly send: (to: NodeId, message: FromHome) => void
  /** Answers waited so long at the gate. */
  readonly gateWaits: LatencyHistogram
  readonly sweep: HomeSweepsDeps['sweep']
  /** Lines that are tracked here. */
  readonly linesMax: number
}

/** What a tracked line with one copy costs, its name included: 430 bytes as measured. */
const TRACKED_BYTES = 448
const TRACKED_MIN = 1_000

/**
 * How many lines each home may track, that all of a node's together, should it lead every partition, cost no more than `bytes`. A
 * copy that was dropped elsewhere is tracked still, and so is a key that is not there: without a bound of the node who reads ever other
 * keys would fill its memory.
 */
export function trackedLinesMax(bytes: number, partitions: number): number {
  return Math.max(TRACKED_MIN, Math.floor(bytes / TRACKED_BYTES / partitions))
}

export class PartitionHome {
  readonly directory: Directory
  readonly term: Term
  readonly watches: HomeWatches
  readonly #sweeps: HomeSweeps
  readonly #partition: number
  readonly #group: GroupId
  readonly #machine: CacheMachine
  readonly #deps: HomeDeps
  /** Sessions must not end early here, the silence neither: this one stands still in a suspension. */
  readonly #clock: Clock
  #runningSince: number
  readonly #wakeup: Wakeup
  /** Those who wait for the home to speak. */
  #opening: (() => void)[] = []
  readonly #settling = new Map<number, (() => void)[]>()
  /** Nodes that tell what is read there. */
  readonly #asked = new Set<NodeId>()
  #ended = false
  /** Nodes that were let go. */
  #unholds = 0
  /** Ownerships that were given or ended. */
  #gifts = 0

  constructor(partition: number, term: Term, machine: CacheMachine, deps: HomeDeps) {
    this.#partition = partition
    this.#group = partitionGroup(partition)
    this.term = term
    this.#machine = machine
    this.#deps = deps
    this.#clock = deps.clock.monotonic
    this.#runningSince = deps.clock.runningSince
    this.#wakeup = new Wakeup(this.#clock, () => this.#tick())
    this.directory = new Directory(
      { ...HOME_DEFAULTS, term, linesMax: deps.linesMax },
      {
        send: (to, message) => this.#send(to, message),
        read: (line) => machine.read(line, this.#time()),
        hold: (node) => this.#hold(node),
        unhold: (node) => this.#unhold(node, ++this.#unholds),
        owned: (line) => machine.ownerOf(line)?.own ?? 0,
        eachOwned: () => machine.eachOwned(),
        own: (line, node) => this.#own(line, node),
        release: (line, own) => this.#release(line, own),
        confirm: (ask) => this.#confirm(() => this.directory.confirmed(ask, this.#now())),
        settled: (version) => this.#settled(version),
        opened: () => this.#opened(),
      },
    )
    this.watches = new HomeWatches({
      term,
      clock: this.#clock,
      runningSince: () => (this.#now(), this.#runningSince),
      machine,
      unsettled: () => (this.directory.isOpen ? (this.directory.firstUnsettled() ?? 'none') : null),
      sweeps: () => (this.#now(), this.#sweeps.promise()),
      confirm: (confirmed, refused) => this.#confirm(({ askedAt }) => confirmed(askedAt), refused),
    })
    this.#sweeps = new HomeSweeps({ clock: this.#clock, machine, writes: deps.writes, sweep: deps.sweep })
    this.directory.start(this.#now(), machine.holders())
    this.#catchUp()
    this.#look()
  }

  receive(from: NodeId, message: ToHome): void {
    this.directory.receive(from, message, this.#now())
    this.#look()
  }

  preparing(line: LineId, cause: ChangeReason): void {
    this.directory.preparing(line, cause, this.#now())
    this.#look()
  }

  unchanged(line: LineId): void {
    this.directory.unchanged(line)
  }

  clearing(line: LineId): void {
    this.directory.clearing(line, this.#now())
  }

  changed({ line, at, reason, previous, own }: ObservedChange): void {
    this.directory.changed({ line, version: at, cause: reason, own }, previous, this.#now())
    this.watches.moved()
    if (isCarried(line)) this.#sweeps.changed(line, false)
    this.#look()
  }

  swept(line: LineId): void {
    this.#now()
    this.#sweeps.changed(line, true)
  }

  /** Who may hold copies, by the log. */
  get holders(): Iterable<NodeId> {
    return this.#machine.holders()
  }

  /** As applied; 0: there is none. */
  versionOf(line: LineId): number {
    const { value, version } = this.#machine.read(line, this.#time())
    return value === null ? 0 : version
  }

  /** Null: the answer may leave now. */
  gate(gate: Gate): Promise<void> | null {
    if (this.#ended) return null
    if (!this.directory.isOpen) return new Promise<void>((resolve) => this.#opening.push(resolve)).then(() => this.gate(gate) ?? undefined)
    const waits = new Set(gate.versions.filter((version) => !this.directory.isSettled(version)))
    if (gate.below > 0) for (const version of this.directory.unsettledBelow(gate.below)) waits.add(version)
    for (const line of gate.lines) {
      const version = this.directory.unsettledOf(line)
      if (version !== null) waits.add(version)
    }
    if (waits.size === 0) return null
    const since = this.#now()
    return Promise.all([...waits].map((version) => this.#untilSettled(version))).then(() =>
      this.#deps.gateWaits.observe(this.#now() - since),
    )
  }

  /** Leads no more: the host drops the answers of this term, so nobody is kept waiting for them. */
  end(): void {
    this.close()
    this.#opened()
    for (const version of this.#settling.keys()) this.#settled(version)
  }

  /** The node stops, and may lead to its end: what waits at the gate never leaves. */
  close(): void {
    this.#ended = true
    this.#wakeup.cancel()
    this.watches.end()
    this.#sweeps.end()
  }

  /** What was confirmed before the machine was suspended is of no use after it. */
  #now(): number {
    const { clock } = this.#deps
    const now = clock.running()
    if (clock.runningSince !== this.#runningSince) {
      this.#runningSince = clock.runningSince
      this.directory.suspended()
      this.#sweeps.suspended()
    }
    return now
  }

  #time(): number {
    return this.#deps.host.time(this.#group)
  }

  /** With every word that a session goes on, what the home wants to hear of it. */
  #send(to: NodeId, message: ToNode): void {
    this.#deps.send(to, message)
    if (message.type !== 'opened' && message.type !== 'renewed') return
    const prefixes = this.#machine.nearlyFull().slice(0, PREFIXES_MAX)
    if (prefixes.length > 0) this.#asked.add(to)
    else if (!this.#asked.delete(to)) return
    this.#deps.send(to, { type: 'tellReads', prefixes })
  }

  #tick(): void {
    if (this.#ended) return
    this.directory.tick(this.#now())
    this.#look()
  }

  #look(): void {
    if (!this.#ended) this.#wakeup.by(this.directory.dueAt)
  }

  #confirm(confirmed: (confirmation: Confirmation) => void, refused: () => void = () => {}): void {
    this.#deps.host.confirm(this.#group, (answer) => {
      if (this.#ended) return
      if (answer === null || answer.term !== this.term) return refused()
      confirmed(answer)
      this.#look()
    })
  }

  /** What older terms committed has to be applied before it is known who may hold lines. */
  #catchUp(): void {
    if (this.#ended) return
    this.#confirm(
      () => this.directory.caughtUp(this.#machine.holders(), this.#now()),
      () => this.#clock.after(CONFIRM_AGAIN_MS, () => this.#catchUp()),
    )
  }

  #hold(node: NodeId): void {
    const held = (): void => {
      if (this.#ended) return
      this.directory.held(node, this.#now())
      this.#look()
    }
    // Where it fails the node knocks again.
    this.#deps.writes.submit(this.#partition, { type: 'cache_hold', node }, { timeoutMs: HOLD_TIMEOUT_MS }).then(held, () => {})
  }

  /** Until it is certain, for nothing is opened for the node before. */
  #unhold(node: NodeId, nth: number): void {
    if (this.#ended) return
    const gone = (): void => {
      if (this.#ended) return
      this.directory.unheld(node, this.#now())
      this.#look()
    }
    const { writes } = this.#deps
    const { term } = this
    const again = (): void => void this.#clock.after(UNHOLD_AGAIN_MS, () => this.#unhold(node, nth))
    // One command, however often it is asked for: one that comes late must not be a second one, when the node is back.
    const idempotencyKey = { key: `cache/unhold/${term}/${node}/${nth}`, fingerprint: '' }
    writes.submit(this.#partition, { type: 'cache_unhold', node, term }, { timeoutMs: HOLD_TIMEOUT_MS, idempotencyKey }).then(gone, again)
  }

  #own(line: LineId, node: NodeId): void {
    this.#commit({ type: 'cache_own', line, node, count: OWN_VERSIONS, term: this.term }, ++this.#gifts, (reply) => {
      if (reply?.type === 'own') this.directory.given(line, reply, this.#now())
      else this.directory.notGiven(line, this.#now())
    })
  }

  #release(line: LineId, own: number): void {
    this.#commit({ type: 'cache_release', line, own, term: this.term }, ++this.#gifts, () => this.directory.released(line, this.#now()))
  }

  /** Until it is certain what came of it, as one command however often it is asked for; null: it was refused. */
  #commit(command: OwnCommand | ReleaseCommand, nth: number, done: (reply: Done | null) => void, tries = 0): void {
    if (this.#ended) return
    const { writes } = this.#deps
    const tell = (reply: Done | null): void => {
      if (this.#ended) return
      done(reply)
      this.#look()
    }
    const failed = (error: unknown): void => {
      const code = error instanceof TricordError ? error.code : null
      // There is a newer home, and this one is about to hear of it: whatever it asked for again would be refused again.
      if (command.type === 'cache_release' && code === 'FENCED') return
      const isGift = command.type === 'cache_own'
      if (code !== null && (REFUSED.has(code) || (isGift && tries === 0 && code === 'DISK_LOW'))) return tell(null)
      // Low on space this try was not taken. One before it may have been: what takes no space takes its place under the key, or finds it there.
      if (isGift && code === 'DISK_LOW')
        return this.#commit({ type: 'cache_release', line: command.line, own: NEVER_GIVEN, term: this.term }, nth, done, tries + 1)
      // A disk that is full does not take that either.
      this.#clock.after(COMMIT_AGAIN_MS, () => this.#commit(command, nth, done, tries + 1))
    }
    const idempotencyKey = { key: `cache/own/${this.#group}/${this.term}/${nth}`, fingerprint: '' }
    writes.submit(this.#partition, command, { timeoutMs: HOLD_TIMEOUT_MS, idempotencyKey }).then(tell, failed)
  }

  #opened(): void {
    this.watches.moved()
    this.#sweeps.open()
    const opening = this.#opening
    this.#opening = []
    for (const resolve of opening) resolve()
  }

  #untilSettled(version: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#settling.get(version)
      if (waiting === undefined) this.#settling.set(version, [resolve])
      else waiting.push(resolve)
    })
  }

  #settled(version: number): void {
    this.watches.moved()
    const waiting = this.#settling.get(version)
    if (waiting === undefined) return
    this.#settling.delete(version)
    for (const resolve of waiting) resolve()
  }
}
