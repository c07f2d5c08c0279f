/**
 * The actor `cache`: the coherence of this node. It speaks for the homes of the partitions that this node leads, and for the
 * copies that it holds of others' lines, and answers what gateways ask.
 *
 *   gateway ──cache_call──▶ operations ──read──▶ copies of the partition ──getS──▶ home, here or elsewhere
 *                               └──submit──▶ the partition's log ──applied──▶ home ──inv──▶ copies
 */
import type { Actor, ActorContext, ActorSystem } from '../../actors/actor.ts'
import { type Envelope, type Plain, actorId, nodeOf } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { FIRST_PARTITION, type GroupId, NOBODY, type Millis, type NodeId, memberOf, partitionGroup } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { Directory as ClusterDirectory, GroupHost } from '../../raft/group-host.ts'
import { CACHE_ANSWER, CACHE_CALL, CACHE_PATH, type CacheCall, answered, isCall, refusedAnswer } from '../calls.ts'
import type { Copy } from '../coherence/copies.ts'
import type { Held, LineId, ToHome, ToNode } from '../coherence/protocol.ts'
import type { CacheMachine } from '../machine/machine.ts'
import type { Gate } from '../machine/replies.ts'
import type { ObservedChange } from '../machine/table.ts'
import type { LineState } from '../types.ts'
import { LineStore } from './line-store.ts'
import type { Lines } from './lines.ts'
import { PartitionCopies } from './partition-copies.ts'
import { PartitionHome } from './partition-home.ts'
import { Tally } from './tally.ts'
import { Touches } from './touches.ts'
import { decodeMessage, encodeMessage, typeOf } from './wire.ts'
import type { Writes } from './writes.ts'

export interface CoherenceDeps {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: ClusterDirectory
  readonly writes: Writes
  readonly machineOf: (partition: number) => CacheMachine | null
  /** Of all copies on this node. */
  readonly storeBytesMax: number
}

/** The coherence of a node, without the calls. */
export class Coherence implements Lines {
  readonly store: LineStore<Copy>
  readonly homes = new Map<number, PartitionHome>()
  readonly copies = new Map<number, PartitionCopies>()
  readonly touches: Touches
  readonly tally = new Tally()
  readonly #deps: CoherenceDeps
  readonly #clock: Clock
  /** Which host of a partition is asked next, where its leader is not known here. */
  #tries = 0
  #closed = false

  constructor(deps: CoherenceDeps) {
    this.#deps = deps
    this.#clock = deps.system.clock
    this.store = new LineStore({ bytesMax: deps.storeBytesMax, onCount: (line, change) => this.tally.line(line, change) })
    this.touches = new Touches(this.#clock, deps.writes)
    deps.host.onChange((group) => this.#groupChanged(group))
    for (const group of deps.host.groups()) this.#groupChanged(group)
  }

  // What reads.

  read(line: LineId, timeoutMs: Millis): Held | Promise<Held> {
    return this.#copiesOf(this.#deps.writes.partitionOf(line)).read(line, timeoutMs)
  }

  stateOf(line: LineId): LineState {
    return this.copies.get(this.#deps.writes.partitionOf(line))?.stateOf(line) ?? 'I'
  }

  // What the machines of the partitions say, and ask.

  changed(partition: number, change: ObservedChange): void {
    this.homes.get(partition)?.changed(change)
  }

  preparing(partition: number, line: LineId): void {
    this.homes.get(partition)?.preparing(line)
  }

  gate(partition: number, gate: Gate): Promise<void> | null {
    // The lead may be so new that nobody has told: a home that is not there yet says nothing, either.
    this.#groupChanged(partitionGroup(partition))
    return this.homes.get(partition)?.gate(gate) ?? null
  }

  // Messages.

  receive(envelope: Envelope): void {
    const decoded = decodeMessage(envelope.payload)
    if (decoded === null || decoded.partition >= this.#deps.writes.partitions) return
    const from = nodeOf(envelope.senderId)
    const { partition, message } = decoded
    if (message.type === 'inv' || message.type === 'recall') this.tally.message(message)
    if (decoded.to === 'node') return this.#copiesOf(partition).receive(from, decoded.message)
    this.#groupChanged(partitionGroup(partition))
    this.homes.get(partition)?.receive(from, decoded.message)
  }

  close(): void {
    this.#closed = true
    this.touches.close()
    for (const home of this.homes.values()) home.end()
    this.homes.clear()
    for (const copies of this.copies.values()) copies.close()
  }

  #copiesOf(partition: number): PartitionCopies {
    let copies = this.copies.get(partition)
    if (copies === undefined) {
      copies = new PartitionCopies(partition, {
        clock: this.#clock,
        life: this.#deps.system.incarnation,
        store: this.store,
        send: (_, to, message) => this.#toHome(partition, to, message),
        onSlidingHit: (line, copy) => this.touches.hit(partition, line, copy.held.slidingMs),
      })
      this.copies.set(partition, copies)
    }
    return copies
  }

  #toHome(partition: number, to: NodeId | null, message: ToHome): void {
    this.tally.message(message)
    const node = to ?? this.#leaderOf(partition)
    if (node !== null) this.#send(node, partition, message)
  }

  /** Where there is no replica here: one of the hosts after the other, until one answers. */
  #leaderOf(partition: number): NodeId | null {
    const { host, directory } = this.#deps
    const group = partitionGroup(partition)
    const leader = host.status(group)?.leader ?? NOBODY
    if (leader !== NOBODY) return directory.nodeOf(memberOf(leader))
    const hosts = directory.hostsOf(group)
    return hosts[this.#tries++ % hosts.length] ?? null
  }

  #send(to: NodeId, partition: number, message: ToHome | ToNode): void {
    this.#deps.system.send(actorId(to, CACHE_PATH), typeOf(message), encodeMessage(partition, message))
  }

  #groupChanged(group: GroupId): void {
    if (this.#closed || group < FIRST_PARTITION) return
    const partition = group - FIRST_PARTITION
    const status = this.#deps.host.status(group)
    const term = status?.role === 'leader' ? status.term : null
    const home = this.homes.get(partition)
    if ((home?.term ?? null) === term) return
    home?.end()
    this.homes.delete(partition)
    const machine = term === null ? null : this.#deps.machineOf(partition)
    if (term === null || machine === null) return
    const send = (to: NodeId, _: number, message: ToNode): void => this.#send(to, partition, message)
    this.homes.set(partition, new PartitionHome(partition, term, machine, { ...this.#deps, clock: this.#clock, send }))
  }
}

export type AnswerCall = (call: CacheCall) => unknown

/** The face of the node's caches towards gateways and other nodes. */
export class CacheActor implements Actor {
  readonly #coherence: Coherence
  readonly #answer: AnswerCall

  constructor(coherence: Coherence, answer: AnswerCall) {
    this.#coherence = coherence
    this.#answer = answer
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    if (envelope.msgType !== CACHE_CALL) return this.#coherence.receive(envelope)
    if (!isCall(envelope.payload)) return ctx.fail(envelope, 'INVALID_ARGUMENT', 'the cache has no such call, or it takes other arguments')
    const reply = (payload: Plain): void => ctx.reply(envelope, CACHE_ANSWER, payload)
    const refuse = (error: unknown): void => {
      if (!(error instanceof TricordError)) throw error
      reply(refusedAnswer(error))
    }
    let value: unknown
    try {
      value = this.#answer(envelope.payload)
    } catch (error) {
      return refuse(error)
    }
    if (value instanceof Promise) ctx.pipeToSelf(value, (whole) => reply(answered(whole)), refuse)
    else reply(answered(value))
  }

  stop(): void {
    this.#coherence.close()
  }
}
