/**
 * A bus inside one process: what the embedded cluster and most tests run on. Frames are copied and delivered in a turn
 * of their own, so nodes share no memory and no call stack, exactly as over a network.
 */
import type { Incarnation, NodeId } from '../base/ids.ts'
import type { Clock } from './clock.ts'
import type { Transport, TransportHandlers } from './transport.ts'

/** As over NATS. */
const FRAME_BYTES_MAX = 1_048_576 - 1_024

export interface LocalBus {
  /** Joins the bus. A later life of the same node replaces the earlier one. */
  transport(node: NodeId, incarnation: Incarnation): Transport
}

export function createLocalBus(clock: Clock): LocalBus {
  const lives = new Map<NodeId, LocalTransport>()
  return {
    transport(node, incarnation) {
      const transport = new LocalTransport(node, incarnation, clock, lives)
      lives.set(node, transport)
      return transport
    },
  }
}

class LocalTransport implements Transport {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly frameBytesMax = FRAME_BYTES_MAX
  readonly #clock: Clock
  readonly #lives: Map<NodeId, LocalTransport>
  #handlers: TransportHandlers | null = null
  #arrived: Uint8Array[] = []
  #closed = false

  constructor(node: NodeId, incarnation: Incarnation, clock: Clock, lives: Map<NodeId, LocalTransport>) {
    this.node = node
    this.incarnation = incarnation
    this.#clock = clock
    this.#lives = lives
  }

  get connected(): boolean {
    return !this.#closed
  }

  send(to: NodeId, incarnation: Incarnation, frame: Uint8Array): void {
    const peer = this.#lives.get(to)
    if (!this.#closed && peer?.incarnation === incarnation) peer.#arrive(frame)
  }

  broadcast(frame: Uint8Array): void {
    if (this.#closed) return
    for (const peer of this.#lives.values()) if (peer !== this) peer.#arrive(frame)
  }

  listen(handlers: TransportHandlers): void {
    this.#handlers = handlers
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#arrived = []
    if (this.#lives.get(this.node) === this) this.#lives.delete(this.node)
  }

  #arrive(frame: Uint8Array): void {
    if (this.#closed) return
    this.#arrived.push(frame.slice())
    if (this.#arrived.length === 1) this.#clock.defer(() => this.#deliver())
  }

  #deliver(): void {
    const frames = this.#arrived
    this.#arrived = []
    for (const frame of frames) {
      if (this.#closed) return
      this.#handlers?.onFrame(frame)
    }
  }
}
