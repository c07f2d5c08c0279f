/**
 * The links of one node over one transport: who is alive in which life, and one outgoing frame per peer and turn.
 *
 *   start:  hello ──broadcast──> everybody         every second again, for those that missed it
 *           <──hello_reply────── each peer         "this is my life; yours is the one you said"
 *   data:   [from life, to life, envelopes…]       to a peer whose life is known; else a dead letter
 *
 * Invariants:
 *  1. A frame that names another life of this node is dropped (`past-life`).
 *  2. The known life of a peer never goes back: an older hello is ignored, an older frame dropped.
 *  3. A peer that `admit` refuses is not talked to, and its frames are dropped.
 *  4. No frame is larger than the transport takes: an envelope that is goes in pieces (pieces.ts), or is refused to its sender.
 *  5. A data frame is taken once, however often it is brought (received.ts).
 *  6. Nothing is thrown into the transport: what breaks while a frame is taken in is a bug of this node.
 */
import type { Incarnation, Millis, NodeId } from '../base/ids.ts'
import type { Clock, Timer } from '../io/clock.ts'
import type { Transport } from '../io/transport.ts'
import { packPlain, unpackPlain } from './codec.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Plain } from './envelope.ts'
import {
  type FrameHeader,
  type FrameKind,
  KIND_DATA,
  KIND_HELLO,
  KIND_HELLO_REPLY,
  KIND_PIECE,
  clusterNumber,
  decodeFrame,
  encodeFrame,
  envelopeBytes,
  headerBytes,
} from './frame.ts'
import { PIECE_HEAD_BYTES, Pieces, cut } from './pieces.ts'
import { Received } from './received.ts'

const HELLO_INTERVAL_MS: Millis = 1_000
/** Far more than a cluster has nodes: strangers on the bus cannot fill the memory with names. */
const PEERS_MAX = 1_024

/** What has passed between this life and one of a peer's. */
interface Passed {
  readonly life: Incarnation
  sent: number
  readonly received: Received
  readonly pieces: Pieces
}

interface Outbox {
  envelopes: Uint8Array[]
  bytes: number
}

export interface LinksOptions {
  readonly cluster: string
  readonly clock: Clock
  readonly transport: Transport
  readonly deadLetters: DeadLetters
  readonly hello: Plain
  readonly admit: (node: NodeId, incarnation: Incarnation, hello: Plain) => boolean
  readonly onEnvelope: (bytes: Uint8Array) => void
  readonly onPeer: (node: NodeId, incarnation: Incarnation) => void
  readonly onBug: (error: unknown) => void
}

export class Links {
  /** Who is talked to, in which life. */
  readonly peers = new Map<NodeId, Incarnation>()
  /** With the latest life that was ever talked to: what `peers` lost must not come back as an older one. */
  readonly #latest = new Map<NodeId, Passed>()
  framesIn = 0
  framesOut = 0
  readonly #options: LinksOptions
  readonly #cluster: number
  readonly #outboxes = new Map<NodeId, Outbox>()
  readonly #header: number
  #timer: Timer | null = null
  #closed = false

  constructor(options: LinksOptions) {
    this.#options = options
    this.#cluster = clusterNumber(options.cluster)
    this.#header = headerBytes(options.transport.node)
    options.transport.listen({
      onFrame: (frame) => this.#guard(() => this.#receive(frame)),
      onConnection: (connected) => this.#guard(() => this.#connection(connected)),
    })
    this.#announce()
  }

  /** Queues for the peer's next frame (or loses it: no such peer); false where it is too large to be sent. */
  send(to: NodeId, envelope: Uint8Array): boolean {
    const size = envelopeBytes(envelope)
    const max = this.#options.transport.frameBytesMax
    if (this.#header + size > max) return this.#sendPieces(to, envelope, max)
    let box = this.#outboxes.get(to)
    if (!box) {
      if (!this.peers.has(to)) {
        this.#options.deadLetters.count('unknown-peer')
        return true
      }
      this.#outboxes.set(to, (box = { envelopes: [], bytes: this.#header }))
    }
    if (box.bytes + size > max) this.#flushTo(to, box)
    box.envelopes.push(envelope)
    box.bytes += size
    return true
  }

  /** At once, behind what is queued for the peer. */
  #sendPieces(to: NodeId, envelope: Uint8Array, frameBytesMax: number): boolean {
    const { deadLetters, transport } = this.#options
    const passed = this.#latest.get(to)
    const pieces = cut(envelope, frameBytesMax - this.#header - 2 * 4 - PIECE_HEAD_BYTES, (passed?.sent ?? 0) + 1)
    const life = this.peers.get(to)
    if (pieces === null) deadLetters.count('too-large')
    else if (passed === undefined || life === undefined) deadLetters.count('unknown-peer')
    else if (!transport.connected) deadLetters.count('disconnected')
    else {
      const box = this.#outboxes.get(to)
      if (box !== undefined && box.envelopes.length > 0) this.#flushTo(to, box)
      for (const { head, bytes } of pieces) this.#transmit(KIND_PIECE, to, life, [head, bytes], this.#numberOf(to))
    }
    return pieces !== null
  }

  /** One frame to each peer that something was queued for. */
  flush(): void {
    for (const [to, box] of this.#outboxes) if (box.envelopes.length > 0) this.#flushTo(to, box)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #flushTo(to: NodeId, box: Outbox): void {
    const { envelopes } = box
    box.envelopes = []
    box.bytes = this.#header
    const life = this.peers.get(to)
    const { transport, deadLetters } = this.#options
    if (life === undefined) deadLetters.count('unknown-peer', envelopes.length)
    else if (!transport.connected) deadLetters.count('disconnected', envelopes.length)
    else this.#transmit(KIND_DATA, to, life, envelopes, this.#numberOf(to))
  }

  #numberOf(to: NodeId): number {
    const passed = this.#latest.get(to)
    return passed ? ++passed.sent : 0
  }

  /** What was queued for a peer's past life is not for the next one. */
  #dropOutbox(node: NodeId): void {
    const box = this.#outboxes.get(node)
    if (!box) return
    this.#options.deadLetters.count('past-life', box.envelopes.length)
    this.#outboxes.delete(node)
  }

  #transmit(kind: FrameKind, to: NodeId | null, life: Incarnation, parts: readonly Uint8Array[], number = 0): void {
    const { transport } = this.#options
    const { node: from, incarnation: fromIncarnation } = transport
    const header = { kind, cluster: this.#cluster, from, fromIncarnation, toIncarnation: life, number }
    const frame = encodeFrame(header, parts)
    this.framesOut++
    if (to === null) transport.broadcast(frame)
    else transport.send(to, life, frame)
  }

  #announce(): void {
    if (this.#closed) return
    if (this.#options.transport.connected) this.#transmit(KIND_HELLO, null, 0, [packPlain(this.#options.hello)])
    this.#timer = this.#options.clock.after(HELLO_INTERVAL_MS, () => this.#announce())
  }

  #connection(connected: boolean): void {
    if (!connected || this.#closed) return
    this.#timer?.cancel()
    this.#announce()
  }

  #receive(frame: Uint8Array): void {
    if (this.#closed) return
    const { deadLetters, transport } = this.#options
    const decoded = decodeFrame(frame)
    if (!decoded) return deadLetters.count('bad-frame')
    const { header, envelopes } = decoded
    if (header.cluster !== this.#cluster || header.from === transport.node) return
    this.framesIn++
    if (header.kind !== KIND_DATA && header.kind !== KIND_PIECE) return this.#greet(header, envelopes)
    if (header.toIncarnation !== transport.incarnation || header.fromIncarnation !== this.peers.get(header.from)) {
      return deadLetters.count('past-life', envelopes.length)
    }
    const passed = this.#latest.get(header.from)
    if (!passed?.received.take(header.number)) return deadLetters.count('copy', envelopes.length)
    if (header.kind === KIND_PIECE) return this.#takePiece(passed, envelopes)
    for (const envelope of envelopes) this.#options.onEnvelope(envelope)
  }

  #takePiece({ pieces }: Passed, [head, bytes]: readonly Uint8Array[]): void {
    const { deadLetters } = this.#options
    if (head === undefined || bytes === undefined) return deadLetters.count('bad-frame')
    const envelope = pieces.take(head, bytes, () => deadLetters.count('incomplete'))
    if (envelope === undefined) deadLetters.count('bad-frame')
    else if (envelope !== null) this.#options.onEnvelope(envelope)
  }

  #greet(header: FrameHeader, parts: readonly Uint8Array[]): void {
    const { admit, transport, deadLetters, onPeer, hello } = this.#options
    const { kind, from, fromIncarnation, toIncarnation } = header
    if (kind === KIND_HELLO_REPLY && toIncarnation !== transport.incarnation) return deadLetters.count('past-life')
    const said = parts[0] ? unpackPlain(parts[0]) : undefined
    if (said === undefined || !Number.isSafeInteger(fromIncarnation)) return deadLetters.count('bad-frame')
    const latest = this.#latest.get(from)
    if (latest !== undefined && fromIncarnation < latest.life) return deadLetters.count('past-life')
    if (!admit(from, fromIncarnation, said)) {
      if (this.peers.get(from) === fromIncarnation) this.#forget(from)
      return deadLetters.count('not-admitted')
    }
    if (latest === undefined && this.#latest.size >= PEERS_MAX) return deadLetters.count('not-admitted')
    if (kind === KIND_HELLO) this.#transmit(KIND_HELLO_REPLY, from, fromIncarnation, [packPlain(hello)])
    if (this.peers.get(from) === fromIncarnation) return
    this.#forget(from)
    this.peers.set(from, fromIncarnation)
    if (latest?.life !== fromIncarnation) {
      this.#latest.set(from, { life: fromIncarnation, sent: 0, received: new Received(), pieces: new Pieces() })
    }
    onPeer(from, fromIncarnation)
  }

  #forget(node: NodeId): void {
    this.#dropOutbox(node)
    this.peers.delete(node)
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#options.onBug(error)
    }
  }
}
