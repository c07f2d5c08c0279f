/**
 * Who answers? Every node pings every other; silence for `timeoutMs` means down, one answer means up. Nothing is decided
 * by the verdict: it only wakes sleeping groups whose leader is gone, and is shown in the cluster's status.
 */
import type { Actor, ActorContext } from '../actors/actor.ts'
import { type Envelope, actorId, nodeOf } from '../actors/envelope.ts'
import type { Millis, NodeId } from '../base/ids.ts'

export const DETECTOR_PATH = 'detector'
const PINGS_PER_TIMEOUT = 5

export interface FailureDetectorOptions {
  readonly peers: () => readonly NodeId[]
  readonly timeoutMs: Millis
  readonly onDown: (node: NodeId) => void
  readonly onUp: (node: NodeId) => void
}

export interface FailureDetector extends Actor {
  isUp(node: NodeId): boolean
}

export function createFailureDetector(options: FailureDetectorOptions): FailureDetector {
  return new Detector(options)
}

class Detector implements FailureDetector {
  readonly #options: FailureDetectorOptions
  readonly #heardAt = new Map<NodeId, Millis>()
  readonly #down = new Set<NodeId>()

  constructor(options: FailureDetectorOptions) {
    this.#options = options
  }

  isUp(node: NodeId): boolean {
    return this.#heardAt.has(node) && !this.#down.has(node)
  }

  start(ctx: ActorContext): void {
    this.#tick(ctx)
  }

  receive(envelope: Envelope, ctx: ActorContext): void {
    switch (envelope.msgType) {
      case 'tick':
        return this.#tick(ctx)
      case 'node_ping':
        ctx.send(envelope.senderId, 'node_pong', null)
        return this.#heard(nodeOf(envelope.senderId), ctx)
      case 'node_pong':
        return this.#heard(nodeOf(envelope.senderId), ctx)
    }
  }

  #heard(node: NodeId, ctx: ActorContext): void {
    const known = this.#heardAt.has(node)
    this.#heardAt.set(node, ctx.clock.now())
    if (this.#down.delete(node) || !known) this.#options.onUp(node)
  }

  #tick(ctx: ActorContext): void {
    const now = ctx.clock.now()
    for (const peer of this.#options.peers()) {
      if (peer === ctx.node) continue
      ctx.send(actorId(peer, DETECTOR_PATH), 'node_ping', null)
      const heardAt = this.#heardAt.get(peer)
      if (heardAt === undefined || this.#down.has(peer) || now - heardAt < this.#options.timeoutMs) continue
      this.#down.add(peer)
      this.#options.onDown(peer)
    }
    ctx.after(this.#options.timeoutMs / PINGS_PER_TIMEOUT, 'tick')
  }
}
