/**
 * The simulated network: at most once, and everything that this allows. A frame is lost, doubled, delayed (so frames
 * overtake each other) or held back by a clogged link; it goes to whatever life of the node is there when it arrives, so
 * the layer above must drop what was meant for a past one. Doubles may come seconds later.
 */
import type { Incarnation, NodeId } from '../base/ids.ts'
import type { Transport, TransportHandlers } from '../io/transport.ts'
import type { Dice } from './dice.ts'
import type { NodeLife } from './life.ts'
import { NetworkLinks } from './links.ts'
import type { World } from './world.ts'

export interface NetworkOptions {
  readonly latencyMinMs: number
  readonly latencyMeanMs: number
  readonly loss: number
  readonly duplicate: number
  /** Probability of a frame that takes `straggleMs` on average. */
  readonly straggle: number
  readonly straggleMs: number
  /** Links keep their order, as NATS does; otherwise frames overtake. */
  readonly ordered: boolean
  readonly frameBytesMax: number
}

/** Nothing is lost, doubled or late. */
export function calm(options: NetworkOptions): NetworkOptions {
  return { ...options, loss: 0, duplicate: 0, straggle: 0 }
}

export class SimNetwork {
  readonly links = new NetworkLinks()
  readonly world: World
  /** Replaced as the phases of a run change. */
  options: NetworkOptions
  readonly #dice: Dice
  readonly #joined = new Map<NodeId, SimTransport>()
  readonly #lastArrival = new Map<string, number>()

  constructor(world: World, dice: Dice, options: NetworkOptions) {
    this.world = world
    this.#dice = dice
    this.options = options
  }

  join(life: NodeLife, incarnation: Incarnation): SimTransport {
    const transport = new SimTransport(this, life, incarnation)
    this.#joined.set(life.node, transport)
    return transport
  }

  transportOf(node: NodeId): SimTransport | null {
    return this.#joined.get(node) ?? null
  }

  get nodes(): readonly NodeId[] {
    return [...this.#joined.keys()].sort()
  }

  /** Until then what was sent before a fault was over may hold up what comes behind it. */
  get heldUntil(): number {
    return Math.max(0, ...this.#lastArrival.values())
  }

  send(from: NodeId, to: NodeId, frame: Uint8Array): void {
    const { loss, duplicate } = this.options
    this.world.foldBytes(frame)
    if (this.links.isCut(from, to)) return this.world.fault('frame cut')
    if (this.#dice.chance(loss)) return this.world.fault('frame lost')
    this.#carry(from, to, frame)
    if (!this.#dice.chance(duplicate)) return
    this.world.fault('frame doubled')
    this.#carry(from, to, frame.slice(), this.#dice.exponential(500))
  }

  #carry(from: NodeId, to: NodeId, frame: Uint8Array, extraMs = 0): void {
    const { latencyMinMs, latencyMeanMs, straggle, straggleMs, ordered } = this.options
    const { world } = this
    const slow = this.#dice.chance(straggle)
    const held = Math.max(0, this.links.cloggedUntil(from, to) - world.now)
    const latency = latencyMinMs + this.#dice.exponential(slow ? straggleMs : latencyMeanMs)
    let arrival = world.now + held + latency + extraMs
    const tag = `frame ${from}>${to}`
    if (ordered && extraMs === 0) {
      arrival = Math.max(arrival, (this.#lastArrival.get(tag) ?? 0) + 0.001)
      this.#lastArrival.set(tag, arrival)
    }
    world.at(arrival - world.now, tag, () => {
      if (this.links.isCut(from, to)) return world.fault('frame cut')
      this.#joined.get(to)?.arrive(frame)
    })
  }
}

export class SimTransport implements Transport {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly #network: SimNetwork
  readonly #life: NodeLife
  #handlers: TransportHandlers | null = null
  #connected = true
  #closed = false

  constructor(network: SimNetwork, life: NodeLife, incarnation: Incarnation) {
    this.node = life.node
    this.incarnation = incarnation
    this.#network = network
    this.#life = life
  }

  get frameBytesMax(): number {
    return this.#network.options.frameBytesMax
  }
  get connected(): boolean {
    return this.#connected && !this.#closed && this.#life.alive
  }

  send(to: NodeId, _incarnation: Incarnation, frame: Uint8Array): void {
    if (this.connected) this.#network.send(this.node, to, frame)
  }

  broadcast(frame: Uint8Array): void {
    if (!this.connected) return
    for (const node of this.#network.nodes) if (node !== this.node) this.#network.send(this.node, node, frame.slice())
  }

  listen(handlers: TransportHandlers): void {
    this.#handlers = handlers
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  arrive(frame: Uint8Array): void {
    this.#life.run(() => {
      if (this.connected) this.#handlers?.onFrame(frame)
    })
  }

  /** Loses or regains the connection to the carrier, as with a NATS server that restarts. */
  setConnected(connected: boolean): void {
    if (this.#connected === connected || this.#closed) return
    this.#connected = connected
    this.#life.run(() => this.#handlers?.onConnection(connected))
  }
}
