/**
 * Who answers? Every node pings every other; silence for `timeoutMs` means down, one answer means up. Nothing is decided
 * by the verdict: it only wakes sleeping groups whose leader is gone, keeps moves away from the dead, and is shown in the
 * cluster's status. Pings and pongs say besides how much room the sender's disk has: leads go to where they can be written.
 *
 * A verdict is of the past. Who has to know that a node is there now asks it, and waits until it has answered that question
 * or a later one: pongs carry the time of their ping back.
 *
 * A node that ends on purpose says so, once it leads nothing any more, and is silent from then on: nobody has to wait for the
 * silence to be long enough, and nothing more is sent to it that would have to be sent again.
 */
import type { Actor, ActorContext } from '../actors/actor.ts'
import { type Envelope, type Plain, actorId, nodeOf } from '../actors/envelope.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import { DISK_ROOMS, type DiskRoom } from '../raft/disk-room.ts'

export const DETECTOR_PATH = 'detector'
const PINGS_PER_TIMEOUT = 5

/** The verdicts alone, without actor or clock. Nodes that were never heard from are neither up nor reported down. */
export class Verdicts {
  readonly #timeoutMs: Millis
  readonly #heardAt = new Map<NodeId, Millis>()
  readonly #upSince = new Map<NodeId, Millis>()

  constructor(timeoutMs: Millis) {
    this.#timeoutMs = timeoutMs
  }

  /** True: it is up as of now. */
  heard(node: NodeId, now: Millis): boolean {
    this.#heardAt.set(node, now)
    if (this.#upSince.has(node)) return false
    this.#upSince.set(node, now)
    return true
  }

  /** True: it is down as of now. */
  silent(node: NodeId, now: Millis): boolean {
    if (!this.#upSince.has(node) || now - (this.#heardAt.get(node) ?? now) < this.#timeoutMs) return false
    this.#upSince.delete(node)
    return true
  }

  /** It says itself that it ends. True: it is down as of now. */
  ended(node: NodeId): boolean {
    return this.#upSince.delete(node)
  }

  /** Null: not up. */
  upSince(node: NodeId): Millis | null {
    return this.#upSince.get(node) ?? null
  }
}

/** [room, when it was asked], of the clock of the node that asked. Numbers, whatever came. */
function readRoom(payload: Plain): readonly [room: DiskRoom, askedAt: Millis] {
  const [room, askedAt] = Array.isArray(payload) ? (payload as readonly Plain[]) : []
  return [(typeof room === 'number' && DISK_ROOMS[room]) || 'enough', typeof askedAt === 'number' ? askedAt : -Infinity]
}

export interface FailureDetectorOptions {
  readonly peers: () => readonly NodeId[]
  readonly timeoutMs: Millis
  /** Of this node's disk. */
  readonly room: () => DiskRoom
  readonly onDown: (node: NodeId) => void
  readonly onUp: (node: NodeId) => void
  /** By its last word its disk has another room than by the one before; of a node that was not heard yet that is 'enough'. */
  readonly onRoom: (node: NodeId, room: DiskRoom) => void
  /** A node has answered what `ask` asked. */
  readonly onAnswer: () => void
}

export interface FailureDetector extends Actor {
  /** Asks now, instead of with the next round of pings. */
  ask(node: NodeId): void
  /** All nodes hear now how much room there is here. */
  tellRoom(): void
  /** Monotonic time of this node when it put the last question that the node has answered; -Infinity: none. */
  answered(node: NodeId): Millis
  isUp(node: NodeId): boolean
  /** Monotonic time of this node; null: not up. */
  upSince(node: NodeId): Millis | null
  /** How much room the disk of another node has, by its last word. */
  roomOf(node: NodeId): DiskRoom
  /** This node is about to end: the others are told, and hear no more of it. */
  end(): void
}

export function createFailureDetector(options: FailureDetectorOptions): FailureDetector {
  return new Detector(options)
}

class Detector implements FailureDetector {
  readonly #options: FailureDetectorOptions
  readonly #verdicts: Verdicts
  readonly #rooms = new Map<NodeId, DiskRoom>()
  readonly #answered = new Map<NodeId, Millis>()
  /** Asked by `ask`, and not answered yet. */
  readonly #asked = new Set<NodeId>()
  #ctx: ActorContext | null = null
  #ending = false

  constructor(options: FailureDetectorOptions) {
    this.#options = options
    this.#verdicts = new Verdicts(options.timeoutMs)
  }

  isUp(node: NodeId): boolean {
    return this.#verdicts.upSince(node) !== null
  }

  upSince(node: NodeId): Millis | null {
    return this.#verdicts.upSince(node)
  }

  roomOf(node: NodeId): DiskRoom {
    return this.#rooms.get(node) ?? 'enough'
  }

  ask(node: NodeId): void {
    const ctx = this.#ctx
    if (!ctx) return
    this.#asked.add(node)
    ctx.enter(() => this.#ping(ctx, node))
  }

  tellRoom(): void {
    const ctx = this.#ctx
    ctx?.enter(() => this.#pingAll(ctx))
  }

  answered(node: NodeId): Millis {
    return this.#answered.get(node) ?? -Infinity
  }

  end(): void {
    const ctx = this.#ctx
    this.#ending = true
    ctx?.enter(() => {
      for (const peer of this.#options.peers()) if (peer !== ctx.node) ctx.send(actorId(peer, DETECTOR_PATH), 'node_ending', null)
    })
  }

  start(ctx: ActorContext): void {
    this.#ctx = ctx
    this.#tick(ctx)
  }

  stop(): void {
    this.#ctx = null
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    switch (envelope.msgType) {
      case 'tick':
        return envelope.senderId === ctx.self ? this.#tick(ctx) : undefined
      case 'node_ping':
        if (!this.#ending) ctx.send(envelope.senderId, 'node_pong', this.#word(readRoom(envelope.payload)[1]))
        return void this.#heard(envelope, ctx)
      case 'node_pong':
        return this.#onPong(envelope, ctx)
      case 'node_ending':
        return this.#onEnding(nodeOf(envelope.senderId))
    }
  }

  #onEnding(node: NodeId): void {
    this.#answered.delete(node)
    if (this.#verdicts.ended(node)) this.#options.onDown(node)
  }

  #ping(ctx: ActorContext, node: NodeId): void {
    if (!this.#ending) ctx.send(actorId(node, DETECTOR_PATH), 'node_ping', this.#word(ctx.clock.now()))
  }

  #pingAll(ctx: ActorContext): void {
    for (const peer of this.#options.peers()) if (peer !== ctx.node) this.#ping(ctx, peer)
  }

  #word(askedAt: Millis): Plain {
    return [DISK_ROOMS.indexOf(this.#options.room()), askedAt]
  }

  #heard({ senderId, payload }: Envelope, ctx: ActorContext): Millis {
    const node = nodeOf(senderId)
    const [room, askedAt] = readRoom(payload)
    const told = this.roomOf(node)
    this.#rooms.set(node, room)
    if (this.#verdicts.heard(node, ctx.clock.now())) this.#options.onUp(node)
    if (room !== told) this.#options.onRoom(node, room)
    return askedAt
  }

  #onPong(envelope: Envelope, ctx: ActorContext): void {
    const node = nodeOf(envelope.senderId)
    const askedAt = this.#heard(envelope, ctx)
    if (askedAt > ctx.clock.now()) return
    this.#answered.set(node, Math.max(askedAt, this.answered(node)))
    if (this.#asked.delete(node)) this.#options.onAnswer()
  }

  #tick(ctx: ActorContext): void {
    const now = ctx.clock.now()
    this.#pingAll(ctx)
    for (const peer of this.#options.peers()) if (peer !== ctx.node && this.#verdicts.silent(peer, now)) this.#options.onDown(peer)
    ctx.after(this.#options.timeoutMs / PINGS_PER_TIMEOUT, 'tick')
  }
}
