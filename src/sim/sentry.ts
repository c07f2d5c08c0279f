/**
 * A client with a queue to itself, one message in it at a time: so it knows to the millisecond of cluster time when what has to
 * come (`sentry-post.ts`), under whatever is done to the cluster. A queue of which it does not know any more it leaves for another.
 */
import type { Millis } from '../base/ids.ts'
import type { DeliveredMessage, QueueCommand } from '../queue/types.ts'
import type { Dice } from './dice.ts'
import { NAMESPACE, type QueueAnswer, type QueueContext } from './queue-workload.ts'
import { SentryPost, type Span } from './sentry-post.ts'
import type { Client } from './workload.ts'
import { SimFailure } from './world.ts'

const BACKOFF_MS = 50
const POSTS_MAX = 12

export class Sentry implements Client {
  readonly #id: string
  readonly #dice: Dice
  readonly #context: QueueContext
  #queue = ''
  #posts = 0
  #operations = 0
  #message: SentryPost | null = null
  #lease: DeliveredMessage | null = null

  constructor(id: string, dice: Dice, context: QueueContext) {
    this.#id = id
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    const { world } = this.#context.cluster
    if (this.#context.cluster.up.length === 0 || (this.#queue === '' && this.#posts >= POSTS_MAX)) world.at(200, 'sentry rests', done)
    else if (this.#queue === '') this.#settleIn(done)
    else if (this.#message === null) this.#enqueue(done)
    else if (this.#dice.chance(0.1)) this.#crowd(this.#message, done)
    else if (this.#lease === null) this.#dequeue(this.#message, done)
    else this.#settle(this.#message, this.#lease, done)
  }

  #settleIn(done: () => void): void {
    const queue = `${this.#id}-${++this.#posts}`
    const backoff = { baseMs: BACKOFF_MS, factor: 1, maxMs: BACKOFF_MS, jitter: 0 }
    const command = { type: 'queue_put', namespace: NAMESPACE, queue, config: { maxLength: 1, maxDeliveries: 1_000, backoff } } as const
    const { attempts, options } = this.#context
    attempts.run(command, { timeoutMs: options.timeoutMs, key: `${queue} put`, cancelAfterMs: Infinity }, (answer) => {
      if (answer.type === 'reply') this.#queue = queue
      done()
    })
  }

  /** In cluster time: when it was asked, and when it was answered. Where nobody knows what became of it, the post is left. */
  #ask(command: QueueCommand, waitMs: number, done: () => void, told: (answer: QueueAnswer, asked: Span, again: number) => void): void {
    const { attempts, options, time } = this.#context
    const queue = this.#queue
    const key = `${this.#queue} ${this.#operations++}`
    const lo = time.of(queue)
    attempts.run(command, { timeoutMs: options.timeoutMs + waitMs, key, cancelAfterMs: Infinity }, (answer, again) => {
      if (answer.type === 'refused' && answer.code === 'NO_SUCH_QUEUE') throw new SimFailure(`sentry: ${this.#queue} is gone`)
      if (answer.type === 'reply' || answer.type === 'refused') told(answer, { lo, hi: time.of(queue) }, again)
      else if (answer.type === 'unknown') this.#leave()
      done()
    })
  }

  #leave(): void {
    this.#queue = ''
    this.#message = this.#lease = null
  }

  #enqueue(done: () => void): void {
    const dice = this.#dice
    const delayMs = dice.chance(0.6) ? dice.integer(1, 800) : 0
    const ttlMs = dice.chance(0.3) ? dice.integer(200, 1_500) : 0
    const body = this.#context.ledger.bodyOf(`${this.#queue} ${this.#operations}`)
    const message = { body, group: dice.pick(['', 'g']), dedupId: '', delayMs, priority: 0, ttlMs }
    const command = { type: 'queue_enqueue', namespace: NAMESPACE, queue: this.#queue, messages: [message] } as const
    this.#ask(command, 0, done, (answer, asked) => {
      if (isFull(answer)) throw new SimFailure(`sentry: full: ${this.#queue} is full, and there is nothing in it`)
      if (answer.type !== 'reply') return
      const queue = this.#queue
      const firstFrom = (time: Millis): Millis => this.#context.time.firstFrom(queue, time)
      this.#message = new SentryPost({ queue, backoffMs: BACKOFF_MS, firstFrom, entered: asked, delayMs, ttlMs })
    })
  }

  /** There is room for one. */
  #crowd(message: SentryPost, done: () => void): void {
    const body = this.#context.ledger.bodyOf(`${this.#queue} ${this.#operations}`)
    const another = { body, group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }
    const command = { type: 'queue_enqueue', namespace: NAMESPACE, queue: this.#queue, messages: [another] } as const
    this.#ask(command, 0, done, (answer, asked) => {
      if (answer.type !== 'reply' && !isFull(answer)) return
      message.crowded(answer.type === 'reply', asked)
      if (answer.type === 'reply') this.#leave()
    })
  }

  #dequeue(message: SentryPost, done: () => void): void {
    const waitMs = this.#dice.chance(0.7) ? this.#dice.integer(50, 1_500) : 0
    const visibilityMs = this.#dice.pick([400, 2_000])
    const demand = { max: 1, waitMs, visibilityMs, consumer: this.#id, watcher: '' }
    const command = { type: 'queue_dequeue', namespace: NAMESPACE, queue: this.#queue, ...demand } as const
    this.#ask(command, waitMs, done, (answer, asked, again) => {
      if (answer.type !== 'reply' || answer.reply.type !== 'delivered') return
      const [delivered] = answer.reply.messages
      if (delivered) {
        message.delivered(delivered, asked, visibilityMs)
        this.#lease = delivered
        // An attempt whose time is over, or whose node stops, gives up its wait, and then nobody waits any more.
      } else if (message.missed(asked, again > 0 ? 0 : waitMs, visibilityMs)) this.#message = null
    })
  }

  #settle(message: SentryPost, lease: DeliveredMessage, done: () => void): void {
    const turn = this.#dice.next()
    if (turn < 0.35) {
      message.leftAlone()
      this.#lease = null
      return done()
    }
    const name = { namespace: NAMESPACE, queue: this.#queue }
    const item = { id: lease.id, token: lease.token }
    if (turn < 0.6) {
      const extensionMs = this.#dice.pick([100, 600])
      const items = [{ ...item, visibilityMs: extensionMs, checkpoint: null }]
      return this.#ask({ type: 'queue_extend', ...name, items }, 0, done, (answer, asked) => {
        if (!message.settled(isOk(answer), asked, extensionMs)) this.#lease = null
      })
    }
    if (turn < 0.8) {
      const delayMs = this.#dice.pick([null, 0, 300])
      const countAttempt = this.#dice.chance(0.6)
      const items = [{ ...item, delayMs, reason: '', countAttempt }]
      return this.#ask({ type: 'queue_nack', ...name, items }, 0, done, (answer, asked) => {
        if (message.settled(isOk(answer), asked, null)) message.nacked(asked, delayMs, countAttempt)
        this.#lease = null
      })
    }
    this.#ask({ type: 'queue_ack', ...name, items: [item], fence: null }, 0, done, (answer, asked) => {
      if (message.settled(isOk(answer), asked, null)) this.#message = null
      this.#lease = null
    })
  }
}

function isFull(answer: QueueAnswer): boolean {
  return answer.type === 'refused' && answer.code === 'QUEUE_FULL'
}

function isOk(answer: QueueAnswer): boolean {
  return answer.type === 'reply' && answer.reply.type === 'settled' && answer.reply.outcomes[0] === ''
}
