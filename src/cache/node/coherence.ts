/**
 * The coherence of this node: it speaks for the homes of the partitions that this node leads, and for the copies that it
 * holds of others' lines.
 *
 *   read ──▶ copies of the partition ──getS──▶ home, here or elsewhere
 *   applied ──changed──▶ home ──inv──▶ copies, here or elsewhere ──invAck──▶ home ──▶ the gate opens
 */
import type { ActorSystem } from '../../actors/actor.ts'
import { type Envelope, actorId, nodeOf } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { LatencyHistogram } from '../../base/latency-histogram.ts'
import { FIRST_PARTITION, type GroupId, NOBODY, type Millis, type NodeId, memberOf, partitionGroup } from '../../base/ids.ts'
import { SuspendAwareClock } from '../../io/suspend-aware-clock.ts'
import type { GroupHost, GroupHostOptions, Directory as Nodes } from '../../raft/group-host.ts'
import { CACHE_PATH } from '../calls.ts'
import type { ControllerCounts } from '../coherence/controller-port.ts'
import type { Wanted } from '../coherence/borrowers.ts'
import type { Copy } from '../coherence/copies.ts'
import type { Held, LineId, ToHome } from '../coherence/protocol.ts'
import { parseLine } from '../line-id.ts'
import type { CacheReply } from '../machine/commands.ts'
import type { CacheMachine } from '../machine/machine.ts'
import type { Gate } from '../machine/replies.ts'
import type { ObservedChange } from '../machine/table.ts'
import type { ChangeReason, LineState } from '../types.ts'
import type { WatchAnswer, WatchQuestion } from '../watch/words.ts'
import { Flushes } from './flushes.ts'
import { HomeRoom, type PartitionRoom } from './home-room.ts'
import { Invalidations } from './invalidations.ts'
import { KeptLines } from './kept-lines.ts'
import { LineStore } from './line-store.ts'
import type { LendMark } from './lend-mark.ts'
import type { Hit, Lines } from './lines.ts'
import { Loans } from './loans.ts'
import { PartitionCopies, type WriteOwned } from './partition-copies.ts'
import { PartitionHome, trackedLinesMax } from './partition-home.ts'
import { type Bounced, PingPong } from './ping-pong.ts'
import { Reads } from './reads.ts'
import { Tally } from './tally.ts'
import { Touches } from './touches.ts'
import { Wakeup } from './wakeup.ts'
import { type FromHome, decodeMessage, encodeMessage, typeOf } from './wire.ts'
import type { Writes } from './writes.ts'

const NEVER = new Promise<void>(() => {})

export interface CoherenceDeps {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: Nodes
  readonly writes: Writes
  readonly machineOf: (partition: number) => CacheMachine | null
  /** Of all copies on this node. */
  readonly storeBytesMax: number
  readonly room: PartitionRoom
  readonly onLog: GroupHostOptions['onLog']
  readonly lendMark: LendMark
}

/** The coherence of a node, without the calls. */
export class Coherence implements Lines {
  readonly store: LineStore<Copy>
  readonly kept: KeptLines
  readonly homes = new Map<number, PartitionHome>()
  readonly copies = new Map<number, PartitionCopies>()
  readonly touches: Touches
  readonly tally = new Tally()
  readonly loans: Loans
  readonly gateWaits = new LatencyHistogram()
  /** Acknowledged writes of owners (`writeback`) that were gone before they were flushed. */
  lostWrites = 0
  readonly #flushes: Flushes
  readonly #reads: Reads
  readonly #pingPong = new PingPong()
  readonly #invalidations: Invalidations
  readonly #rooms = new Map<number, HomeRoom>()
  readonly #lookAtRooms: Wakeup
  /** Of homes that are no more. */
  readonly #messagesBefore: Record<string, number> = {}
  readonly #deps: CoherenceDeps
  readonly #clock: SuspendAwareClock
  /** By partition: which of its hosts is asked next, where its leader is not known here. */
  readonly #knocks = new Map<number, number>()
  #closed = false
  /** The node stops: what is written now goes through the log. */
  #isLeaving = false

  constructor(deps: CoherenceDeps) {
    this.#deps = deps
    this.#clock = new SuspendAwareClock(deps.system.clock)
    this.kept = new KeptLines((partition) => this.copies.get(partition)?.epochNow() ?? null)
    this.store = new LineStore({
      bytesMax: deps.storeBytesMax,
      onCount: (line, { partition, epoch }, change) => this.kept.note(partition, epoch, line, change),
    })
    this.#flushes = new Flushes(this.#clock, deps.writes, this, (line, code) => {
      const { cache = '', name = '' } = parseLine(line) ?? {}
      deps.onLog('warn', 'cache.writeback.refused: what was written to a key cannot be flushed', { cache, key: name, code })
    })
    this.#invalidations = new Invalidations(this, deps.writes)
    // Leases of clients are not to end early.
    this.loans = new Loans(deps.system.clock, deps.lendMark)
    this.touches = new Touches(this.#clock, deps.writes)
    this.#reads = new Reads(this.#clock, deps.writes)
    this.#lookAtRooms = new Wakeup(deps.system.clock, () => this.#rooms.forEach((room) => room.look()))
    deps.room.onChange(() => this.#closed || this.#lookAtRooms.by(deps.system.clock.now()))
    deps.host.onChange((group) => this.#groupChanged(group))
    for (const group of deps.host.groups()) this.#groupChanged(group)
  }

  // What reads.

  /** One look into the store and one at the clock: what is found there says of which partition it is. */
  hit(line: LineId): Hit | null {
    const copy = this.store.get(line)
    const partition = copy?.partition ?? this.#deps.writes.partitionOf(line)
    return this.copies.get(partition)?.hit(line, copy) ?? null
  }

  read(line: LineId, timeoutMs: Millis): Held | Promise<Held> {
    return this.hit(line)?.held ?? this.#copiesOf(this.#deps.writes.partitionOf(line)).read(line, timeoutMs)
  }

  writeOwned(line: LineId, timeoutMs: Millis, write: WriteOwned): Promise<CacheReply | null> {
    if (this.#isLeaving) return Promise.resolve(null)
    const copies = this.#copiesOf(this.#deps.writes.partitionOf(line))
    // A line that was asked for before may come afterwards.
    return copies.writeOwned(line, timeoutMs, (held, version) => (this.#isLeaving ? null : write(held, version)))
  }

  giveUp(line: LineId): void {
    this.copies.get(this.#deps.writes.partitionOf(line))?.giveUp(line)
  }

  /**
   * Before the node stops: it writes no line alone any more, and what it wrote so goes into the log. False while some of it is on its
   * way.
   */
  giveUpOwned(): boolean {
    this.#isLeaving = true
    return [...this.copies.values()].map((copies) => copies.giveUpOwned()).every(Boolean)
  }

  /** The node stops, and owns nothing: it gives up its copies, so that no home waits for it. False while the logs do not know that. */
  leave(): boolean {
    return [...this.copies.values()].map((copies) => copies.leave()).every(Boolean)
  }

  /** An entry as it was read just now, with the lines that keep it alive; null: there is no copy of it here that could be lent. */
  wanted(line: LineId, version: number): readonly Wanted[] | null {
    const held = this.store.get(line)?.held
    // Reads of what lives longer by being read have to come here.
    if (held === undefined || held.version !== version || held.slidingMs > 0) return null
    return [[line, version] as const, ...held.tags].map(([id, of]) => {
      return { line: id, version: of, lender: this.#copiesOf(this.#deps.writes.partitionOf(id)) }
    })
  }

  stateOf(line: LineId): LineState {
    return this.copies.get(this.#deps.writes.partitionOf(line))?.stateOf(line) ?? 'I'
  }

  /** Of a line that this node writes alone, flushed or not. */
  ownedVersion(line: LineId): number | null {
    return this.copies.get(this.#deps.writes.partitionOf(line))?.ownedVersion(line) ?? null
  }

  // What the machines of the partitions say, and ask.

  changed(partition: number, change: ObservedChange): void {
    this.homes.get(partition)?.changed(change)
  }

  swept(partition: number, line: LineId): void {
    this.homes.get(partition)?.swept(line)
  }

  preparing(partition: number, line: LineId, cause: ChangeReason): void {
    this.homes.get(partition)?.preparing(line, cause)
  }

  unchanged(partition: number, line: LineId): void {
    this.homes.get(partition)?.unchanged(line)
  }

  clearing(partition: number, line: LineId): void {
    this.homes.get(partition)?.clearing(line)
  }

  /** The home is there before any answer of its term can leave (`GroupHost.onChange`). */
  gate(partition: number, gate: Gate): Promise<void> | null {
    // Copies elsewhere may be read, and nobody here hears that they are gone.
    if (this.#closed) return NEVER
    return this.homes.get(partition)?.gate(gate) ?? null
  }

  /** NO_QUORUM where this node is not its home. */
  watch(partition: number, asker: string, question: WatchQuestion): Promise<WatchAnswer> {
    const home = this.homes.get(partition)
    if (home === undefined) return Promise.reject(new TricordError('NO_QUORUM', 'this is not the home of the partition'))
    return home.watches.watch(asker, question)
  }

  // Messages.

  receive(envelope: Envelope): void {
    const decoded = decodeMessage(envelope.payload)
    if (decoded === null || decoded.partition >= this.#deps.writes.partitions) return
    const from = nodeOf(envelope.senderId)
    const { partition } = decoded
    if (decoded.to === 'node') return this.#toCopies(partition, from, decoded.message)
    this.homes.get(partition)?.receive(from, decoded.message)
  }

  #toCopies(partition: number, from: NodeId, message: FromHome): void {
    const copies = this.#copiesOf(partition)
    // A home that has just begun asks for nothing yet.
    if (message.type === 'opened') this.#tellReads(partition, [])
    if (message.type === 'tellReads') return this.#tellReads(partition, message.prefixes)
    const { counts } = copies.controller
    const before = counts.falseInv
    copies.receive(from, message)
    if (message.type !== 'inv' && message.type !== 'recall') return
    this.tally.message(message)
    this.tally.of(message.line).falseInvalidations += counts.falseInv - before
  }

  #tellReads(partition: number, prefixes: readonly LineId[]): void {
    this.#copiesOf(partition).tellsReads = prefixes.length > 0
    this.#reads.ask(partition, prefixes)
  }

  close(): void {
    this.#closed = true
    this.touches.close()
    this.#reads.close()
    this.#flushes.close()
    for (const home of this.homes.values()) home.close()
    this.homes.clear()
    this.#lookAtRooms.cancel()
    for (const room of this.#rooms.values()) room.end()
    for (const copies of this.copies.values()) copies.close()
    this.loans.close()
  }

  /** For the metrics (`telemetry/cache-metrics.ts` says what each is); the entries are the machines' to tell. */
  stats() {
    const homes = [...this.homes.values()]
    const controllers = [...this.copies.values()].map(({ controller }) => controller)
    const sum = (member: keyof ControllerCounts): number => controllers.reduce((total, { counts }) => total + counts[member], 0)
    const messages: Record<string, number> = { ...this.#messagesBefore }
    for (const { directory } of homes) addTo(messages, directory.counts)
    return {
      lines: { ...this.ownedStates(''), S: this.kept.total(), I: 0 },
      lostWrites: this.lostWrites,
      ...this.loans.stats(),
      bytes: this.store.bytes,
      evictedLines: this.store.evictions,
      hits: sum('hits'),
      misses: sum('misses'),
      falseInvalidations: sum('falseInv'),
      sessionBreaks: sum('breaks'),
      homes: homes.length,
      silentHomes: homes.filter(({ directory }) => !directory.isOpen).length,
      trackedLines: homes.reduce((total, { directory }) => total + directory.size, 0),
      pingPongLines: this.bouncing(() => true).length,
      watches: homes.reduce((total, { watches }) => total + watches.size, 0),
      messages,
      gateWaits: this.gateWaits,
    }
  }

  /** Lines whose homes here take their copies back again and again, the worst first. */
  bouncing(isMeant: (line: LineId) => boolean): readonly Bounced[] {
    const isHere = (line: LineId): boolean => this.homes.has(this.#deps.writes.partitionOf(line))
    return this.#pingPong.bouncing(this.#clock.now(), (line) => isMeant(line) && isHere(line))
  }

  /** How many lines that begin so this node writes alone, written and not. */
  ownedStates(prefix: LineId): { readonly M: number; readonly E: number } {
    const states = { M: 0, E: 0 }
    for (const { controller } of this.copies.values()) {
      for (const [line, { copy }] of controller.owner.lines) if (line.startsWith(prefix)) states[copy.state === 'M' ? 'M' : 'E']++
    }
    return states
  }

  #lost(line: LineId, count: number): void {
    this.lostWrites += count
    const { cache = '', name = '' } = parseLine(line) ?? {}
    this.#deps.onLog('warn', 'cache.writeback.lost: acknowledged writes could not be flushed', { cache, key: name, count })
  }

  #copiesOf(partition: number): PartitionCopies {
    let copies = this.copies.get(partition)
    if (copies === undefined) {
      copies = new PartitionCopies({
        clock: this.#clock,
        life: this.#deps.system.incarnation,
        partition,
        store: this.store,
        room: this.store,
        send: (to, message) => this.#toHome(partition, to, message),
        flush: (written, done) => this.#flushes.flush(partition, written, done),
        release: (line, own) => this.#flushes.release(partition, line, own),
        onLost: (line, count) => this.#lost(line, count),
        callBack: (line, lender) => this.loans.callBack(line, lender),
        onSlidingRead: (line, slidingMs) => this.touches.read(partition, line, slidingMs),
        onTold: (line) => this.#reads.read(partition, line),
      })
      this.copies.set(partition, copies)
      if (this.#closed) copies.close()
    }
    return copies
  }

  #toHome(partition: number, to: NodeId | null, message: ToHome): void {
    // What this node lent in its life before may still be read: it is not to say that its copies are gone.
    if (this.#deps.system.clock.now() < this.#deps.lendMark.quietUntil) return
    this.tally.message(message)
    const node = to ?? this.leaderOf(partition, this.#knock(partition))
    if (node !== null) this.#send(node, partition, message)
  }

  /** Where there is no replica here and nobody knows: one of the hosts after the other, by `nth`. Each who asks counts for itself. */
  leaderOf(partition: number, nth: number): NodeId | null {
    const { host, directory } = this.#deps
    const group = partitionGroup(partition)
    const leader = host.status(group)?.leader ?? NOBODY
    if (leader !== NOBODY) return directory.nodeOf(memberOf(leader))
    const hosts = directory.hostsOf(group)
    return hosts[nth % hosts.length] ?? null
  }

  #knock(partition: number): number {
    const nth = this.#knocks.get(partition) ?? 0
    this.#knocks.set(partition, nth + 1)
    return nth
  }

  #send(to: NodeId, partition: number, message: ToHome | FromHome): void {
    this.#deps.system.send(actorId(to, CACHE_PATH), typeOf(message), encodeMessage(partition, message))
  }

  #groupChanged(group: GroupId): void {
    if (this.#closed || group < FIRST_PARTITION) return
    const partition = group - FIRST_PARTITION
    const status = this.#deps.host.status(group)
    const term = status?.role === 'leader' ? status.term : null
    const home = this.homes.get(partition)
    if ((home?.term ?? null) === term) return
    if (home !== undefined) {
      home.end()
      addTo(this.#messagesBefore, home.directory.counts)
    }
    this.homes.delete(partition)
    this.#rooms.get(partition)?.end()
    this.#rooms.delete(partition)
    const machine = term === null ? null : this.#deps.machineOf(partition)
    if (term === null || machine === null) return
    const send = (to: NodeId, message: FromHome): void => {
      if (message.type === 'inv' || message.type === 'recall') this.#pingPong.invalidated(message.line, message.t, to, this.#clock.now())
      this.#send(to, partition, message)
    }
    const { host, writes, storeBytesMax, room } = this.#deps
    const linesMax = trackedLinesMax(storeBytesMax, writes.partitions)
    const sweep = this.#invalidations.sweepLine
    const deps = { host, writes, clock: this.#clock, send, sweep, gateWaits: this.gateWaits, linesMax }
    this.homes.set(partition, new PartitionHome(partition, term, machine, deps))
    this.#rooms.set(partition, new HomeRoom(partition, term, machine, { host, writes, room, clock: this.#deps.system.clock }))
  }
}

function addTo(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
}
