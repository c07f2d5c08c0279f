/**
 * A connection of a subscriber: the gateway's own subscriptions (`api/socket/subscriptions.ts`) at a node, and the socket between.
 * What they push is in a frame a moment later; where the connection ends before, it was never sent.
 *
 *   client ── credit, end ──> Subscriptions ──dequeue──> queues of the node
 *      ^── frame, written ──── push                          │ it remembers which deliveries were asked for here, and when
 *      └───────────────── leaseLost <────────────────────────┘
 */
import type { Members } from '../api/socket/call.ts'
import { Subscriptions } from '../api/socket/subscriptions.ts'
import type { Answered, CommandOptions, DeliveredMessage, QueueCommand, Queues, Settling } from '../queue/types.ts'
import type { TricordError } from '../base/errors.ts'
import type { Running, SimNode } from './cluster.ts'
import type { QueueLedger } from './queue-ledger.ts'
import { SimFailure, type World } from './world.ts'

const COMMAND_TIMEOUT_MS = 2_000
const FRAME_MS = 1

export interface Asked {
  readonly queue: string
  readonly message: DeliveredMessage
  readonly askedAt: number
}

export class Connection {
  readonly subscriptions: Subscriptions
  /** While the peer does not read, nothing is asked for. */
  writable = true
  readonly #world: World
  readonly #ledger: QueueLedger
  readonly #node: SimNode
  readonly #life: number
  readonly #asked = new Map<string, Asked>()
  readonly #received = new Set<string>()
  readonly #receive: (event: Members) => void
  #frames: Members[] = []
  #isOver = false

  constructor(world: World, ledger: QueueLedger, node: SimNode, running: Running, receive: (event: Members) => void) {
    this.#world = world
    this.#ledger = ledger
    this.#node = node
    this.#life = node.lives
    this.#receive = receive
    const queues = { ...running.queues, submit: (...call: Parameters<Queues['submit']>) => this.#submit(running.queues, ...call) }
    const backend = { queues, lostLeases: running.lostLeases, clock: running.node.system.clock }
    this.subscriptions = new Subscriptions({ backend, settings: { commandTimeoutMs: COMMAND_TIMEOUT_MS } }, 'sim', this)
  }

  /** Neither ended by the client, nor with the node's life. */
  get isOpen(): boolean {
    return !this.#isOver && this.#node.up && this.#node.lives === this.#life
  }

  /** Something that the client sends. */
  run(work: () => void): void {
    if (this.isOpen) this.#node.life?.run(() => this.isOpen && work())
  }

  end(): void {
    this.run(() => {
      this.#isOver = true
      this.subscriptions.end()
    })
    this.#frames = []
    this.#isOver = true
  }

  /** What was asked for here; undefined: nothing of the kind. */
  asked(id: string, token: number): Asked | undefined {
    return this.#asked.get(`${id} ${token}`)
  }

  /** The subscription is over, and its client is about to be told. */
  ends(sub: string): boolean {
    return this.#frames.some((event) => event['event'] === 'queue.ended' && event['sub'] === sub)
  }

  push(event: Members): void {
    this.#frames.push(event)
    if (this.#frames.length === 1) this.#world.at(FRAME_MS, 'frame', () => this.#node.life?.run(() => this.#flush()))
  }

  #flush(): void {
    if (!this.isOpen) return
    const frames = this.#frames
    this.#frames = []
    this.subscriptions.written()
    for (const event of frames) {
      if (event['event'] === 'queue.message') this.#received.add(`${String(event['id'])} ${String(event['token'])}`)
      this.#receive(event)
    }
  }

  #submit(queues: Queues, command: QueueCommand, options: CommandOptions, done: (reply: Answered | TricordError) => void) {
    if (command.type === 'queue_nack') this.#givenBack(command.queue, command.items)
    const askedAt = this.#world.now
    return queues.submit(command, options, (reply) => {
      if (command.type === 'queue_dequeue' && 'type' in reply && reply.type === 'delivered') {
        const { queue } = command
        for (const message of reply.messages) this.#asked.set(`${message.id} ${message.token}`, { queue, message, askedAt })
      }
      done(reply)
    })
  }

  #givenBack(queue: string, items: readonly Settling[]): void {
    const written = items.find(({ id, token }) => this.#received.has(`${id} ${token}`))
    if (written) throw new SimFailure(`subscription: ${written.id} (token ${written.token}) was written, and then given back`)
    this.#ledger.settled(
      'nack',
      queue,
      items.map((item) => ({ ...item, counts: false, wasStale: false })),
      this.#world.now,
      'unknown',
    )
  }
}
