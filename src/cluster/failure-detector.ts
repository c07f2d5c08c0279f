/**
 * Who answers? Every node pings every other; silence for `timeoutMs` means down, one answer means up. Nothing is decided
 * by the verdict: it only wakes sleeping groups whose leader is gone, keeps moves away from the dead, and is shown in the
 * cluster's status. Pings and pongs say besides how much room the sender's disk has: leads go to where they can be written.
 */
import type { Actor, ActorContext } from '../actors/actor.ts'
import { type Envelope, type Plain, actorId, nodeOf } from '../actors/envelope.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import type { DiskRoom } from '../raft/group-host.ts'

export const DETECTOR_PATH = 'detector'
const PINGS_PER_TIMEOUT = 5
/** As they travel: by their place. */
const ROOMS: readonly DiskRoom[] = ['enough', 'low', 'full']

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

  /** Null: not up. */
  upSince(node: NodeId): Millis | null {
    return this.#upSince.get(node) ?? null
  }
}

export interface FailureDetectorOptions {
  readonly peers: () => readonly NodeId[]
  readonly timeoutMs: Millis
  /** Of this node's disk. */
  readonly room: () => DiskRoom
  readonly onDown: (node: NodeId) => void
  readonly onUp: (node: NodeId) => void
}

export interface FailureDetector extends Actor {
  isUp(node: NodeId): boolean
  /** Monotonic time of this node; null: not up. */
  upSince(node: NodeId): Millis | null
  /** How much room the disk of another node has, by its last word. */
  roomOf(node: NodeId): DiskRoom
}

/** True: `a` has more room than `b`. */
export function hasMoreRoom(a: DiskRoom, b: DiskRoom): boolean {
  return ROOMS.indexOf(a) < ROOMS.indexOf(b)
}

export function createFailureDetector(options: FailureDetectorOptions): FailureDetector {
  return new Detector(options)
}

class Detector implements FailureDetector {
  readonly #options: FailureDetectorOptions
  readonly #verdicts: Verdicts
  readonly #rooms = new Map<NodeId, DiskRoom>()

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

  start(ctx: ActorContext): void {
    this.#tick(ctx)
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    switch (envelope.msgType) {
      case 'tick':
        return envelope.senderId === ctx.self ? this.#tick(ctx) : undefined
      case 'node_ping':
        ctx.send(envelope.senderId, 'node_pong', this.#room())
        return this.#heard(envelope, ctx)
      case 'node_pong':
        return this.#heard(envelope, ctx)
    }
  }

  #room(): Plain {
    return ROOMS.indexOf(this.#options.room())
  }

  #heard({ senderId, payload }: Envelope, ctx: ActorContext): void {
    const node = nodeOf(senderId)
    this.#rooms.set(node, (typeof payload === 'number' && ROOMS[payload]) || 'enough')
    if (this.#verdicts.heard(node, ctx.clock.now())) this.#options.onUp(node)
  }

  #tick(ctx: ActorContext): void {
    const now = ctx.clock.now()
    for (const peer of this.#options.peers()) {
      if (peer === ctx.node) continue
      ctx.send(actorId(peer, DETECTOR_PATH), 'node_ping', this.#room())
      if (this.#verdicts.silent(peer, now)) this.#options.onDown(peer)
    }
    ctx.after(this.#options.timeoutMs / PINGS_PER_TIMEOUT, 'tick')
  }
}
