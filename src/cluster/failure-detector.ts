/**
 * Who answers? Every node pings every other; silence for `timeoutMs` means down, one answer means up. Nothing is decided
 * by the verdict: it only wakes sleeping groups whose leader is gone, keeps moves away from the dead, and is shown in the
 * cluster's status.
 */
import type { Actor, ActorContext } from '../actors/actor.ts'
import { type Envelope, actorId, nodeOf } from '../actors/envelope.ts'
import type { Millis, NodeId } from '../base/ids.ts'

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

  /** Null: not up. */
  upSince(node: NodeId): Millis | null {
    return this.#upSince.get(node) ?? null
  }
}

export interface FailureDetectorOptions {
  readonly peers: () => readonly NodeId[]
  readonly timeoutMs: Millis
  readonly onDown: (node: NodeId) => void
  readonly onUp: (node: NodeId) => void
}

export interface FailureDetector extends Actor {
  isUp(node: NodeId): boolean
  /** Monotonic time of this node; null: not up. */
  upSince(node: NodeId): Millis | null
}

export function createFailureDetector(options: FailureDetectorOptions): FailureDetector {
  return new Detector(options)
}

class Detector implements FailureDetector {
  readonly #options: FailureDetectorOptions
  readonly #verdicts: Verdicts

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

  start(ctx: ActorContext): void {
    this.#tick(ctx)
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    switch (envelope.msgType) {
      case 'tick':
        return envelope.senderId === ctx.self ? this.#tick(ctx) : undefined
      case 'node_ping':
        ctx.send(envelope.senderId, 'node_pong', null)
        return this.#heard(nodeOf(envelope.senderId), ctx)
      case 'node_pong':
        return this.#heard(nodeOf(envelope.senderId), ctx)
    }
  }

  #heard(node: NodeId, ctx: ActorContext): void {
    if (this.#verdicts.heard(node, ctx.clock.now())) this.#options.onUp(node)
  }

  #tick(ctx: ActorContext): void {
    const now = ctx.clock.now()
    for (const peer of this.#options.peers()) {
      if (peer === ctx.node) continue
      ctx.send(actorId(peer, DETECTOR_PATH), 'node_ping', null)
      if (this.#verdicts.silent(peer, now)) this.#options.onDown(peer)
    }
    ctx.after(this.#options.timeoutMs / PINGS_PER_TIMEOUT, 'tick')
  }
}
