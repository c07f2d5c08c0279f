/** The subscriptions of one connection to queues, and what it hears of leases that it lost. */
import { TricordError } from '../../base/errors.ts'
import type { DeliveredMessage, QueueName } from '../../queue/types.ts'
import { toProblem } from '../errors.ts'
import type { QueueGateway } from '../gateway.ts'
import { giveBack } from '../queue-calls.ts'
import { deliveredMessage } from '../queue-messages.ts'
import type { Members } from './call.ts'
import { type Receiver, Subscription, type SubscriptionTerms } from './subscription.ts'

export const SUBSCRIPTIONS_MAX = 100
export const CREDIT_MAX = 10_000

/** What subscriptions need of their connection. */
export interface Pushes {
  readonly writable: boolean
  /** `bytes`: about how many the event takes. */
  push(event: Members, bytes: number): void
}

export class Subscriptions implements Receiver {
  readonly #gateway: QueueGateway
  readonly #requestId: string
  readonly #pushes: Pushes
  readonly #subscriptions = new Map<string, Subscription>()
  #watch: { readonly watcher: string; end(): void } | null = null
  /** Leased, handed to the connection, not yet in a frame. */
  #unwritten: { readonly name: QueueName; readonly messages: readonly DeliveredMessage[] }[] = []
  #last = 0

  constructor(gateway: QueueGateway, requestId: string, pushes: Pushes) {
    this.#gateway = gateway
    this.#requestId = requestId
    this.#pushes = pushes
  }

  get writable(): boolean {
    return this.#pushes.writable
  }

  /** Who hears of it when a lease is lost that this connection was given. */
  watcher(): string {
    this.#watch ??= this.#gateway.backend.lostLeases.watch((lost) => this.#pushes.push({ event: 'queue.leaseLost', ...lost }, 0))
    return this.#watch.watcher
  }

  /** Throws QUOTA. Nothing comes before the subscription is told to ask. */
  add(terms: Omit<SubscriptionTerms, 'sub' | 'watcher'>): Subscription {
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      throw new TricordError('QUOTA', `this connection has ${SUBSCRIPTIONS_MAX} subscriptions: end one, or open another connection`)
    }
    const sub = `q${++this.#last}`
    const subscription = new Subscription(this.#gateway, this, { ...terms, sub, watcher: this.watcher() })
    this.#subscriptions.set(sub, subscription)
    return subscription
  }

  /** Throws NOT_FOUND. */
  get(sub: string): Subscription {
    const subscription = this.#subscriptions.get(sub)
    if (!subscription) throw new TricordError('NOT_FOUND', `this connection has no subscription ${sub}`)
    return subscription
  }

  remove(sub: string): void {
    this.get(sub).end()
    this.#subscriptions.delete(sub)
  }

  delivered({ sub, namespace, queue }: SubscriptionTerms, messages: readonly DeliveredMessage[]): void {
    for (const message of messages) this.#pushes.push({ event: 'queue.message', sub, ...deliveredMessage(message) }, message.body.length)
    this.unwritten({ namespace, queue }, messages)
  }

  /** What has not been written when the connection ends goes back to its queue. */
  unwritten(name: QueueName, messages: readonly DeliveredMessage[]): void {
    if (messages.length > 0) this.#unwritten.push({ name, messages })
  }

  /** Everything that was pushed is in a frame. */
  written(): void {
    if (this.#unwritten.length > 0) this.#unwritten = []
  }

  subscriptionEnded(sub: string, reason: TricordError): void {
    this.remove(sub)
    this.#pushes.push({ event: 'queue.ended', sub, error: toProblem(reason, `${this.#requestId}-${sub}`) }, 0)
  }

  /** The peer reads again, or does not any more. */
  writableChanged(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (this.writable) subscription.ask()
      else subscription.holdBack()
    }
  }

  /** The connection ended. */
  end(): void {
    this.#watch?.end()
    for (const { name, messages } of this.#unwritten) giveBack(this.#gateway, name, messages)
    this.#unwritten = []
    for (const subscription of this.#subscriptions.values()) subscription.end()
    this.#subscriptions.clear()
  }
}
