/**
 * One subscription to a queue: messages are leased for it only as its connection can write them.
 *
 *   credit > 0, peer reads ──> dequeue (waits up to 25 s in the queue's line) ──> messages ──> one frame, a credit each
 *           ^                                                                        │
 *           └──────────────────────── answered, empty or not ────────────────────────┘
 *
 *   no credit: nothing is asked for until `queue.credit`
 *   the peer does not read: the wait is given up; what was leased meanwhile goes back; it begins anew when the peer reads
 *   unsubscribed, connection ended: likewise, for good. What was written keeps its lease.
 *   no leader, overload, unknown outcome: asked again after a second; any other refusal ends the subscription
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Timer } from '../../io/clock.ts'
import { type Answered, type DeliveredMessage, QUEUE_LIMITS, type QueueName } from '../../queue/types.ts'
import { type QueueGateway } from '../gateway.ts'
import { dequeueCommand, giveBack, queueOptions } from '../queue-calls.ts'

const RETRY_MS: Millis = 1_000

/** What a subscription needs of its connection. */
export interface Receiver {
  /** False while the peer does not take what was written. */
  readonly writable: boolean
  delivered(to: SubscriptionTerms, messages: readonly DeliveredMessage[]): void
  /** The queue is gone, or the like: nothing more comes. */
  subscriptionEnded(sub: string, reason: TricordError): void
}

export interface SubscriptionTerms extends QueueName {
  readonly sub: string
  readonly credit: number
  readonly visibilityMs: Millis | null
  readonly consumer: string
  readonly watcher: string
}

export class Subscription {
  readonly terms: SubscriptionTerms
  readonly #gateway: QueueGateway
  readonly #receiver: Receiver
  #credit: number
  #asked: { cancel(): void } | null = null
  /** The question under way is being taken back. */
  #isGivenUp = false
  #retry: Timer | null = null
  #ended = false

  constructor(gateway: QueueGateway, receiver: Receiver, terms: SubscriptionTerms) {
    this.#gateway = gateway
    this.#receiver = receiver
    this.terms = terms
    this.#credit = terms.credit
  }

  get credit(): number {
    return this.#credit
  }

  addCredit(credit: number): void {
    this.#credit += credit
    this.ask()
  }

  /** Asks for messages where that is due: called whenever something changed. */
  ask(): void {
    if (this.#ended || this.#asked !== null || this.#retry !== null || this.#credit === 0 || !this.#receiver.writable) return
    const { visibilityMs, consumer, watcher } = this.terms
    const waitMs = QUEUE_LIMITS.waitMsMax
    const max = Math.min(this.#credit, QUEUE_LIMITS.dequeueMax)
    const body = { max, waitMs, consumer, ...(visibilityMs !== null && { visibilityMs }) }
    this.#isGivenUp = false
    const options = queueOptions(this.#gateway, { traceparent: '' }, waitMs)
    this.#asked = this.#gateway.backend.queues.submit(dequeueCommand(this.terms, body, watcher), options, (reply) => this.#onReply(reply))
  }

  /** The peer has stopped to read: others shall have what this one would wait for. */
  holdBack(): void {
    if (this.#asked === null || this.#isGivenUp) return
    this.#isGivenUp = true
    this.#asked.cancel()
  }

  end(): void {
    this.#ended = true
    this.#retry?.cancel()
    this.holdBack()
  }

  #onReply(reply: Answered | TricordError): void {
    this.#asked = null
    if (reply instanceof TricordError) return this.#onRefusal(reply)
    if (reply.type !== 'delivered') return this.#onRefusal(new TricordError('UNKNOWN_OUTCOME', `${reply.type} instead of messages`))
    const { messages } = reply
    if (this.#ended || !this.#receiver.writable) giveBack(this.#gateway, this.terms, messages)
    else this.#deliver(messages)
    this.ask()
  }

  #deliver(messages: readonly DeliveredMessage[]): void {
    this.#credit -= messages.length
    this.#receiver.delivered(this.terms, messages)
  }

  #onRefusal(error: TricordError): void {
    if (this.#ended) return
    if (!error.retryable) {
      this.#ended = true
      return this.#receiver.subscriptionEnded(this.terms.sub, error)
    }
    this.#retry = this.#gateway.backend.clock.after(RETRY_MS, () => {
      this.#retry = null
      this.ask()
    })
  }
}
