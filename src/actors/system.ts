/**
 * The actor system of one node (or of one gateway): it routes envelopes, gives actors their turns, and sends one
 * frame per peer and turn.
 *
 *   ask/send/timers/frames ──> route ─┬─ local cell: mailbox ──> turn: receive … flush ─┐
 *                                     ├─ attached child (`n1:gw`): its port             │ sends go to `route` again
 *                                     └─ peer node: links ──> outbox ──> frame          │
 *            clock.defer ──> drain: rounds over the cells with work, then links.flush <─┘
 *
 * A child's system (`n1:gw`) knows one peer, its parent, and routes everything that is not local to it.
 *
 * Numbers of questions begin anew with each life, so the address that answers go to names the life (`n1/ask@7`): what a
 * peer answers to a past life must not settle another question of this one.
 */
import { TricordError } from '../base/errors.ts'
import { assert } from '../base/assert.ts'
import type { Incarnation, Millis, NodeId } from '../base/ids.ts'
import type { Clock } from '../io/clock.ts'
import type { Random } from '../io/random.ts'
import type { Transport } from '../io/transport.ts'
import type { Actor, ActorSystem, ActorSystemOptions, ActorSystemStats } from './actor.ts'
import { Asks } from './asks.ts'
import { Cell, type CellHost } from './cell.ts'
import { decodeEnvelope, encodeEnvelope } from './codec.ts'
import { DeadLetters } from './dead-letters.ts'
import { type ActorId, type Envelope, FAILURE, type FailurePayload, type Plain, actorId, nodeOf, pathOf } from './envelope.ts'
import { Links } from './links.ts'

/** Rounds over the cells before the loop gets its turn back: local chains finish in one turn, nothing starves. */
const ROUNDS_MAX = 8
const ASK_PREFIX = 'ask@'

type Refused = 'no-actor' | 'mailbox-full' | 'too-large'

/** Where an actor id leads. */
type Route =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'link'; readonly links: Links; readonly node: NodeId }
  | { readonly kind: 'none' }

export function createActorSystem(options: ActorSystemOptions): ActorSystem {
  return new System(options)
}

class System implements ActorSystem, CellHost {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly clock: Clock
  readonly random: Random
  readonly #options: ActorSystemOptions
  readonly #askPath: string
  readonly #askId: ActorId
  readonly #toldId: ActorId
  readonly #cells = new Map<string, Cell>()
  readonly #deadLetters = new DeadLetters()
  readonly #asks: Asks
  readonly #links: Links
  readonly #children = new Map<NodeId, Links>()
  readonly #routes = new Map<ActorId, Route>()
  readonly #peerListeners: ((node: NodeId, incarnation: Incarnation) => void)[] = []
  #ready: Cell[] = []
  #scheduled = false
  #closed = false
  #nextId = 1
  #envelopesIn = 0
  #envelopesOut = 0

  constructor(options: ActorSystemOptions) {
    this.#options = options
    this.node = options.node
    this.incarnation = options.incarnation
    this.clock = options.clock
    this.random = options.random
    this.#askPath = ASK_PREFIX + options.incarnation
    this.#askId = actorId(options.node, this.#askPath)
    this.#toldId = actorId(options.node, '')
    this.#asks = new Asks(options.clock)
    this.#links = this.#link(options.transport)
  }

  get peers(): ReadonlyMap<NodeId, Incarnation> {
    return this.#links.peers
  }

  get stats(): ActorSystemStats {
    const mailboxes: Record<string, number> = {}
    for (const [path, cell] of this.#cells) mailboxes[path] = cell.mailbox.length
    let { framesIn, framesOut } = this.#links
    for (const links of this.#children.values()) {
      framesIn += links.framesIn
      framesOut += links.framesOut
    }
    return {
      envelopesIn: this.#envelopesIn,
      envelopesOut: this.#envelopesOut,
      framesIn,
      framesOut,
      deadLetters: { ...this.#deadLetters.counts },
      mailboxes,
    }
  }

  spawn(path: string, actor: Actor, options: { readonly mailboxMax?: number } = {}): ActorId {
    assert(!this.#cells.has(path) && !path.startsWith(ASK_PREFIX), `an actor at ${path} exists already`)
    const id = actorId(this.node, path)
    const cell = new Cell(id, actor, options.mailboxMax ?? this.#options.mailboxMax, this)
    this.#cells.set(path, cell)
    this.#guard(() => actor.start?.(cell))
    return id
  }

  stop(path: string): void {
    const cell = this.#cells.get(path)
    if (!cell) return
    cell.stopped = true
    this.#cells.delete(path)
    this.#guard(() => cell.actor.stop?.(cell))
    for (let unread = cell.mailbox.shift(); unread; unread = cell.mailbox.shift()) this.#refuse(unread, 'no-actor')
  }

  send(to: ActorId, msgType: string, payload: Plain, traceparent = ''): void {
    this.post({ senderId: this.#toldId, receiverId: to, msgType, payload, inReplyTo: 0, timeoutMs: 0, traceparent })
  }

  ask(to: ActorId, msgType: string, payload: Plain, timeoutMs: Millis, traceparent = ''): Promise<Envelope> {
    if (this.#closed) return Promise.reject(new TricordError('STARTING', 'this node is stopping'))
    const msgId = this.#nextId
    const answer = this.#asks.add(msgId, to, msgType, timeoutMs)
    this.post({ senderId: this.#askId, receiverId: to, msgType, payload, inReplyTo: 0, timeoutMs, traceparent })
    return answer
  }

  attach(child: NodeId, transport: Transport): void {
    assert(!this.#children.has(child), `${child} is attached already`)
    this.#routes.clear()
    this.#children.set(child, this.#link(transport))
  }

  onPeer(listener: (node: NodeId, incarnation: Incarnation) => void): void {
    this.#peerListeners.push(listener)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const path of this.#cells.keys()) this.stop(path)
    this.#flushLinks()
    this.#closed = true
    this.#asks.close()
    this.#links.close()
    for (const links of this.#children.values()) links.close()
    await this.#options.transport.close()
  }

  // CellHost

  /** Not spread: V8 makes a hidden class for each such copy, and whatever reads it after that is slow. */
  post({ senderId, receiverId, msgType, payload, inReplyTo, timeoutMs, traceparent }: Omit<Envelope, 'msgId' | 'timestamp'>): void {
    const timestamp = this.clock.wall()
    this.forward({ receiverId, senderId, msgId: this.#nextId++, msgType, timestamp, inReplyTo, timeoutMs, traceparent, payload })
  }

  /** Every envelope is encoded, local ones too: no references are shared, and codec bugs show in unit tests. */
  forward(envelope: Envelope): void {
    if (this.#closed) return
    this.#envelopesOut++
    this.#deliver(envelope.receiverId, encodeEnvelope(envelope), envelope)
    this.#schedule()
  }

  wake(cell: Cell): void {
    if (!cell.queued) {
      cell.queued = true
      this.#ready.push(cell)
    }
    this.#schedule()
  }

  bug(error: unknown): void {
    this.#options.onBug(error)
  }

  // Routing

  #link(transport: Transport): Links {
    const { cluster, hello = null, admit } = this.#options
    return new Links({
      cluster,
      clock: this.clock,
      transport,
      deadLetters: this.#deadLetters,
      hello,
      admit: transport === this.#options.transport && admit ? admit : () => true,
      onEnvelope: (bytes) => this.#arrive(bytes),
      onBug: (error) => this.bug(error),
      onPeer: (node, incarnation) => this.#guard(() => this.#peerListeners.forEach((listener) => listener(node, incarnation))),
    })
  }

  #arrive(bytes: Uint8Array): void {
    const envelope = decodeEnvelope(bytes)
    if (!envelope) return this.#deadLetters.count('bad-envelope')
    this.#envelopesIn++
    this.#deliver(envelope.receiverId, bytes, envelope, true)
    this.#schedule()
  }

  #deliver(to: ActorId, bytes: Uint8Array, envelope: Envelope, fresh = false): void {
    const route = this.#routeOf(to)
    if (route.kind === 'none') return this.#refuse(envelope, 'no-actor')
    if (route.kind === 'link') {
      if (!route.links.send(route.node, bytes)) this.#refuse(envelope, 'too-large')
      return
    }
    const own = fresh ? envelope : decodeEnvelope(bytes)
    assert(own, `an envelope of type ${envelope.msgType} does not survive its own encoding`)
    this.#receive(route.path, own)
  }

  #receive(path: string, envelope: Envelope): void {
    if (path.startsWith(ASK_PREFIX)) {
      if (path !== this.#askPath || !this.#asks.settle(envelope)) this.#deadLetters.count('late-reply')
      return
    }
    const cell = this.#cells.get(path)
    if (!cell) return this.#refuse(envelope, 'no-actor')
    if (!cell.mailbox.push(envelope, envelope.senderId === cell.self)) return this.#refuse(envelope, 'mailbox-full')
    if (!cell.queued) {
      cell.queued = true
      this.#ready.push(cell)
    }
  }

  /** Counts the loss, and tells it to one who waits for an answer: nobody should wait for what will not come. */
  #refuse(envelope: Envelope, reason: Refused): void {
    if (reason !== 'too-large') this.#deadLetters.count(reason)
    const { senderId, receiverId, msgType, msgId, inReplyTo, timeoutMs } = envelope
    if (inReplyTo !== 0) {
      // The question was acted on, so its asker must not take this for a refusal.
      const lost: FailurePayload = ['UNKNOWN_OUTCOME', `the answer ${msgType} is too large to be sent`]
      if (reason === 'too-large' && pathOf(receiverId).startsWith(ASK_PREFIX)) this.#fail(senderId, receiverId, inReplyTo, lost, envelope)
    } else if (timeoutMs !== 0) this.#fail(receiverId, senderId, msgId, refusal(reason, envelope), envelope)
  }

  #fail(senderId: ActorId, receiverId: ActorId, inReplyTo: number, payload: FailurePayload, { traceparent }: Envelope): void {
    this.post({ senderId, receiverId, msgType: FAILURE, payload, inReplyTo, timeoutMs: 0, traceparent })
  }

  #routeOf(to: ActorId): Route {
    let route = this.#routes.get(to)
    if (!route) {
      route = this.#findRoute(nodeOf(to), pathOf(to))
      if (this.#routes.size > 100_000) this.#routes.clear()
      this.#routes.set(to, route)
    }
    return route
  }

  #findRoute(node: NodeId, path: string): Route {
    if (node === this.node) return { kind: 'local', path }
    const child = this.#children.get(node)
    if (child) return { kind: 'link', links: child, node }
    const parent = parentOf(this.node)
    if (parent !== null) return { kind: 'link', links: this.#links, node: parent }
    const peer = parentOf(node) ?? node
    return peer === this.node ? { kind: 'none' } : { kind: 'link', links: this.#links, node: peer }
  }

  // Turns

  #schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.clock.defer(() => this.#guard(() => this.#drain()))
  }

  #drain(): void {
    this.#scheduled = false
    if (this.#closed) return
    for (let round = 0; round < ROUNDS_MAX && this.#ready.length > 0; round++) {
      const cells = this.#ready
      this.#ready = []
      for (const cell of cells) {
        cell.queued = false
        if (cell.hasWork) cell.turn(this.#options.drainMax)
        if (cell.hasWork && !cell.queued) {
          cell.queued = true
          this.#ready.push(cell)
        }
      }
    }
    this.#flushLinks()
    if (this.#ready.length > 0) this.#schedule()
  }

  #flushLinks(): void {
    this.#links.flush()
    for (const links of this.#children.values()) links.flush()
  }

  /** An exception out of an actor is a bug: nothing below may swallow it. */
  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#options.onBug(error)
    }
  }
}

function refusal(reason: Refused, { receiverId, msgType }: Envelope): FailurePayload {
  if (reason === 'no-actor') return ['STARTING', `no actor at ${receiverId}`]
  if (reason === 'mailbox-full') return ['OVERLOADED', `${receiverId} has too many messages waiting`]
  return ['TOO_LARGE', `${msgType} is too large to be sent`]
}

/** `n1` of `n1:gw`; null for a node. */
function parentOf(node: NodeId): NodeId | null {
  const at = node.lastIndexOf(':')
  return at < 0 ? null : node.slice(0, at)
}
