/**
 * The contract between actors and their system.
 *
 *   frame -> decode -> mailbox ─┐ one turn: drain up to N envelopes, then flush once
 *                               ├─> receive(envelope, ctx) … receive(envelope, ctx) -> flush(ctx)
 *   frame <- encode <- outbox <─┘ one frame per peer and turn
 *
 *  1. `receive` and `flush` are synchronous and run to completion: nothing can come between two lines of them.
 *  2. A promise comes back in as a message (`pipeToSelf`); a message goes out as a promise only by `ask`,
 *     which is for facades, routes and tests, never inside `receive`.
 *  3. An exception out of `receive` is a bug: the system hands it to `onBug`, and the process stops.
 *  4. Mailboxes are bounded. A full one answers asks with OVERLOADED and counts the rest as dead letters.
 */
import type { Clock, Timer } from '../io/clock.ts'
import type { Random } from '../io/random.ts'
import type { Transport } from '../io/transport.ts'
import type { Incarnation, Millis, NodeId } from '../base/ids.ts'
import type { ActorId, Envelope, Plain } from './envelope.ts'

export interface Actor {
  start?(ctx: ActorContext): void
  receive(envelope: Envelope, ctx: ActorContext): void
  /** Once after each drained batch: the place to write disk and network once for many messages. */
  flush?(ctx: ActorContext): void
  stop?(ctx: ActorContext): void
}

export interface ActorContext {
  readonly self: ActorId
  readonly node: NodeId
  readonly clock: Clock
  readonly random: Random
  send(to: ActorId, msgType: string, payload: Plain, traceparent?: string): void
  reply(request: Envelope, msgType: string, payload: Plain): void
  /** Answers with a refusal: the asker's promise rejects with a TricordError of that code. */
  fail(request: Envelope, code: import('../base/errors.ts').ErrorCode, message: string): void
  /** Hands the envelope on, keeping sender, msgId and trace: the next actor answers the origin directly. */
  forward(request: Envelope, to: ActorId): void
  /** A message to this actor after a delay. */
  after(delayMs: Millis, msgType: string, payload?: Plain): Timer
  /** Runs inside this actor's next turn (before its flush): callbacks of storage come back in by this door. */
  enter(run: () => void): void
  /** The only door from a promise back into the actor. Rejections call `failed`, or are a bug without it. */
  pipeToSelf<T>(work: Promise<T>, done: (value: T) => void, failed?: (error: Error) => void): void
}

export interface ActorSystemOptions {
  readonly node: NodeId
  readonly incarnation: Incarnation
  /** Frames of another cluster are dropped. */
  readonly cluster: string
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly mailboxMax: number
  /** Envelopes drained by one actor before others get a turn. */
  readonly drainMax: number
  /** An exception out of an actor, or a broken invariant of the system: the process stops. */
  readonly onBug: (error: unknown) => void
  /** Extra words that travel with `hello`, e.g. the node's uid; a peer that `admit` refuses is not talked to. */
  readonly hello?: Plain
  readonly admit?: (node: NodeId, incarnation: Incarnation, hello: Plain) => boolean
}

export interface ActorSystemStats {
  readonly envelopesIn: number
  readonly envelopesOut: number
  readonly framesIn: number
  readonly framesOut: number
  /** Dropped, by reason (dead-letters.ts). */
  readonly deadLetters: Readonly<Record<string, number>>
  /** Current length of each mailbox by path. */
  readonly mailboxes: Readonly<Record<string, number>>
}

export interface ActorSystem {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly clock: Clock
  readonly random: Random
  spawn(path: string, actor: Actor, options?: { readonly mailboxMax?: number }): ActorId
  stop(path: string): void
  send(to: ActorId, msgType: string, payload: Plain, traceparent?: string): void
  /** Resolves with the reply envelope; rejects with TricordError (the failure's code, or UNKNOWN_OUTCOME at the deadline). */
  ask(to: ActorId, msgType: string, payload: Plain, timeoutMs: Millis, traceparent?: string): Promise<Envelope>
  /** Joins a child system (a gateway thread): envelopes to `child` and below go there, its frames come in here. */
  attach(child: NodeId, transport: Transport): void
  /** The known life of each peer; `onPeer` tells when one appears (again). */
  readonly peers: ReadonlyMap<NodeId, Incarnation>
  onPeer(listener: (node: NodeId, incarnation: Incarnation) => void): void
  readonly stats: ActorSystemStats
  close(): Promise<void>
}
