/**
 * The group of a transcript: replicas, the messages between them, and the trace of what happens. Nothing moves by
 * itself; chance is switched off (every election timeout is 9 ticks, and a leader that was silent for 5 is out of its lease).
 */
import { assert } from '../../src/base/assert.ts'
import type { ReplicaId } from '../../src/base/ids.ts'
import type { RaftOptions } from '../../src/raft/core/raft-core.ts'
import type { PeerMessage } from '../../src/raft/core/types.ts'
import { Checker } from './checker.ts'
import { Replica, type Disk, type Frame } from './replica.ts'
import { traceCore, traceEntry, traceMessage, traceWork } from './trace.ts'

export const DEFAULT_OPTIONS: Omit<RaftOptions, 'self'> = {
  electionTicks: 5,
  heartbeatTicks: 1,
  appendBytesMax: 100_000,
  inflightBytesMax: 1_000_000,
  inflightMessagesMax: 64,
  uncommittedBytesMax: 1_000_000,
  applyBytesMax: 1_000_000,
  quiesceTicks: 0,
  leaseReads: false,
  random: (bound) => bound - 1,
}

/** Rounds after which `stabilize` gives up: a group that never comes to rest is a bug. */
const STABILIZE_ROUNDS_MAX = 1000

export class World {
  readonly replicas = new Map<ReplicaId, Replica>()
  readonly checker = new Checker(this.replicas)
  network: Frame[] = []
  /** Copies put aside under a name, to be sent later, once or more often. */
  readonly held = new Map<string, readonly Frame[]>()
  /** Links on which everything is lost, as `from>to`. */
  readonly cut = new Set<string>()
  options = DEFAULT_OPTIONS
  verbose = true
  readonly #lines: string[] = []

  add(id: ReplicaId, disk: Disk): void {
    this.replicas.set(id, new Replica(id, this.options, disk, (frame) => void this.network.push(frame)))
  }

  replica(id: ReplicaId): Replica {
    const replica = this.replicas.get(id)
    assert(replica !== undefined, `no replica ${id}`)
    return replica
  }

  say(line: string): void {
    if (this.verbose) this.#lines.push(line)
  }

  /** Says it even where the script asked for quiet: the answer to a question. */
  answer(line: string): void {
    this.#lines.push(line)
  }

  takeLines(): string[] {
    return this.#lines.splice(0)
  }

  /** Does something to a replica, and tells how it changed. Every invariant between replicas is checked behind it. */
  act<T>(replica: Replica, action: () => T): T {
    const before = replica.alive ? traceCore(replica.core) : 'down'
    const result = action()
    const after = replica.alive ? traceCore(replica.core) : 'down'
    if (after !== before) this.say(`${replica.id}: ${after}`)
    this.checker.check(replica)
    return result
  }

  ready(replica: Replica): boolean {
    const [works, entries, sent] = [replica.writing.length, replica.applying.length, this.network.length]
    const some = this.act(replica, () => replica.collect())
    for (const { message } of this.network.slice(sent)) this.say(`${replica.id} -> ${message.to} ${traceMessage(message)}`)
    for (const work of replica.writing.slice(works)) {
      this.say(`${replica.id} writes ${traceWork(work)}`)
      for (const message of work.thenSend) this.say(`${replica.id}   then -> ${message.to} ${traceMessage(message)}`)
    }
    for (const entry of replica.applying.slice(entries)) this.say(`${replica.id} commits ${traceEntry(entry)}`)
    for (const read of replica.answers.splice(0)) {
      this.answer(`${replica.id} read #${read.readId} ${read.index < 0 ? 'is refused' : `at ${read.index}`}`)
    }
    return some
  }

  persist(replica: Replica): boolean {
    return this.act(replica, () => replica.persist())
  }

  apply(replica: Replica): boolean {
    return this.act(replica, () => replica.apply())
  }

  deliver(frame: Frame): void {
    const { from, to } = frame.message
    const lost = this.cut.has(`${from}>${to}`) || !this.replicas.get(to)?.alive
    this.say(`${from} => ${to} ${traceMessage(frame.message)}${lost ? ' (lost)' : ''}`)
    const sender = this.replicas.get(from)
    if (frame.message.type === 'install_snapshot' && sender?.alive === true) this.act(sender, () => sender.core.snapshotSent(to, !lost))
    const receiver = this.replicas.get(to)
    if (!lost && receiver !== undefined) this.act(receiver, () => receiver.receive(frame))
  }

  /** Takes the matching messages off the network. */
  take(matches: (message: PeerMessage) => boolean): Frame[] {
    const taken = this.network.filter((frame) => matches(frame.message))
    this.network = this.network.filter((frame) => !matches(frame.message))
    return taken
  }

  /** Everything between these replicas, until nothing is left to do. */
  stabilize(ids: ReadonlySet<ReplicaId>): void {
    const replicas = [...this.replicas.values()].filter((replica) => ids.has(replica.id))
    for (let round = 0; round < STABILIZE_ROUNDS_MAX; round++) {
      let busy = false
      for (const replica of replicas) {
        busy = this.ready(replica) || busy
        while (this.persist(replica)) busy = true
        while (this.apply(replica)) busy = true
      }
      const frames = this.take((message) => ids.has(message.from) && ids.has(message.to))
      for (const frame of frames) this.deliver(frame)
      if (!busy && frames.length === 0) return
    }
    assert(false, 'the group does not come to rest')
  }
}
