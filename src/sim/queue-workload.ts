/**
 * The work on queues: clients that fill, drain and torment them, and what must come of it.
 *
 *   {tK}jobs, {tK}mail   exact: every message that was taken in is acknowledged in the end, and by nobody twice
 *   scrap                purged now and then: what nobody acknowledged is as much as was purged
 *   brief                drops its oldest when it is full, and its messages do not live long
 *   twice                knows what it was sent before for a while, and then does not any more
 *   passing              deleted now and then, and made again
 *
 *   configure ──> producers, consumers ──stop──> drain: whatever is there is taken and acknowledged, until nothing is left
 */
import type { Millis } from '../base/ids.ts'
import type { Answered, PutQueueCommand, QueueCommand, QueueConfig } from '../queue/types.ts'
import { type Answer, Attempts } from './attempts.ts'
import type { Checker } from './checkers/checker.ts'
import { queueInvariants } from './checkers/queue-invariants.ts'
import { queueTallies } from './checkers/queue-tallies.ts'
import { QueueViews } from './checkers/queue-views.ts'
import { stateDigest } from './checkers/state-digest.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import { ClusterTime } from './cluster-time.ts'
import { Consumer } from './consumer.ts'
import type { Dice } from './dice.ts'
import { FinalQueue } from './final-queue.ts'
import { KnownConfigs } from './known-configs.ts'
import { Producer } from './producer.ts'
import { QueueDrain } from './queue-drain.ts'
import { QueueLedger } from './queue-ledger.ts'
import { Sentry } from './sentry.ts'
import { Subscriber } from './subscriber.ts'
import { Steward } from './steward.ts'
import { Clients, type Workload, type WorkloadTally } from './workload.ts'

export const NAMESPACE = 'sim'
export const SCRAP = 'scrap'
export const BRIEF = 'brief'
export const TWICE = 'twice'
export const PASSING = 'passing'
const FINAL = 'final'
const RETRY_MS = 250
const STEWARD_MEAN_MS = 400
/** The longest lease that clients ask for. */
const LEASE_MS_MAX = 4_000
/** So often nothing is delivered in a run. */
export const NEVER_DEAD = 1_000

export interface QueueWorkloadOptions {
  readonly tags: number
  readonly producers: number
  readonly consumers: number
  readonly thinkMeanMs: number
  readonly timeoutMs: number
  /** Per producer: more would take long to drain. */
  readonly messagesMax: number
  readonly bodyBytesMax: number
  readonly batchMax: number
  /** Groups per queue; 0: none of the messages has one. */
  readonly groups: number
  readonly delayShare: number
  readonly dedupShare: number
  readonly priorityShare: number
  readonly waitMaxMs: number
  readonly visibilityMs: number
  readonly maxDeliveries: number
  readonly poison: QueueConfig['poison']
  /** Share of operations that are sent again while their outcome is unknown. */
  readonly retryShare: number
  readonly bodyCacheBytes: number
  readonly sentries: number
  readonly subscribers: number
  /** Of the queue that forgets; the steward changes it. */
  readonly dedupWindowMs: number
  /** Whether settings change and a queue goes while they are in use. */
  readonly stewarded: boolean
}

export type QueueAnswer = Answer<Answered>

export interface QueueContext {
  readonly cluster: SimCluster
  readonly options: QueueWorkloadOptions
  readonly attempts: Attempts<QueueCommand, Answered>
  readonly ledger: QueueLedger
  readonly time: ClusterTime
  readonly configs: KnownConfigs
  readonly firstConfig: (queue: string) => PutQueueCommand['config']
  /** The queues that are there. */
  readonly queues: readonly string[]
  /** Of all clients, as a lock would give them. */
  readonly fenceTokens: { last: number }
}

export class QueueWorkload implements Workload {
  readonly checkers: readonly Checker[]
  readonly #context: QueueContext
  readonly #names: readonly string[]
  readonly #queues: string[] = []
  readonly #clients: Clients
  readonly #drains: QueueDrain[] = []
  #subscribers: readonly Subscriber[] = []
  #stopped = false
  #isDrained = false

  constructor(cluster: SimCluster, options: QueueWorkloadOptions) {
    const { world } = cluster
    const tags = Array.from({ length: options.tags }, (_, i) => `{t${i}}`)
    this.#names = [...tags.flatMap((tag) => [`${tag}jobs`, `${tag}mail`]), SCRAP, BRIEF, TWICE, ...(options.stewarded ? [PASSING] : [])]
    const time = new ClusterTime(cluster)
    const views = stateDigest(new QueueViews(NAMESPACE, this.#names))
    this.checkers = [time.checker, queueInvariants(), queueTallies(), views]
    const attempts = new Attempts<QueueCommand, Answered>(cluster, world.dice.fork('queue attempts'), ({ queues }, ...request) =>
      queues.submit(...request),
    )
    const { driftPpm } = cluster.options
    const ledger = new QueueLedger(world, {
      driftPpm,
      leaseMsMax: LEASE_MS_MAX,
      bodyBytesMax: options.bodyBytesMax,
      purgeable: new Set([SCRAP, PASSING]),
      isDeathless: options.poison === 'block' || options.maxDeliveries >= NEVER_DEAD,
    })
    const shared = { configs: new KnownConfigs(), fenceTokens: { last: 0 } }
    const firstConfig = (queue: string) => firstConfigOf(queue, options)
    this.#context = { cluster, options, attempts, ledger, time, firstConfig, queues: this.#queues, ...shared }
    this.#clients = new Clients(world)
  }

  start(): void {
    const context = this.#context
    const { cluster, options } = context
    for (const name of this.#names) this.#configure(name)
    const clients = this.#clients
    const pace = (dice: Dice): Millis => options.thinkMeanMs * dice.between(0.5, 2)
    clients.many(options.producers, 'producer', (i, dice) => new Producer(`p${i}`, dice, context), pace)
    clients.many(options.consumers, 'consumer', (i, dice) => new Consumer(`c${i}`, dice, context), pace)
    clients.many(options.sentries, 'sentry', (i, dice) => new Sentry(`sentry${i}`, dice, context), pace)
    this.#subscribers = clients.many(options.subscribers, 'subscriber', (i, dice) => new Subscriber(`s${i}`, dice, context), pace)
    const dice = cluster.world.dice.fork('steward')
    if (options.stewarded) clients.run(new Steward(dice, context), dice, STEWARD_MEAN_MS)
  }

  /** Before it is used. */
  #configure(queue: string): void {
    const { cluster, options, attempts, configs, firstConfig } = this.#context
    const config = firstConfig(queue)
    const again = { timeoutMs: options.timeoutMs, key: `put ${queue}`, cancelAfterMs: Infinity }
    attempts.run({ type: 'queue_put', namespace: NAMESPACE, queue, config }, again, (answer) => {
      if (answer.type === 'reply' && answer.reply.type === 'put') {
        configs.began(queue, answer.reply.config, cluster.world.now)
        this.#queues.push(queue)
      } else if (!this.#stopped) cluster.world.at(RETRY_MS, 'queue put again', () => this.#configure(queue))
    })
  }

  stop(): void {
    this.#stopped = true
    this.#clients.stop()
    for (const subscriber of this.#subscribers) subscriber.end()
    this.#drain()
  }

  /** Once nobody adds anything. */
  #drain(): void {
    const { world } = this.#context.cluster
    if (this.#clients.busy > 0) return void world.at(RETRY_MS, 'queues drain', () => this.#drain())
    this.#drains.push(...this.#queues.map((queue) => new QueueDrain(queue, this.#context)))
    for (const drain of this.#drains) drain.go()
    this.#isDrained = true
  }

  get busy(): number {
    return this.#clients.busy + this.#drains.filter(({ isOver }) => !isOver).length + (this.#stopped && !this.#isDrained ? 1 : 0)
  }

  get open(): number {
    return this.#context.attempts.open
  }

  nodeEnded(node: SimNode): void {
    this.#context.attempts.nodeEnded(node)
  }

  get tally(): WorkloadTally {
    const { enqueues, deliveries, settlings } = this.#context.ledger.history
    const ended = [...enqueues, ...settlings]
    const unknown = ended.filter(({ outcome }) => outcome === 'unknown').length
    return { operations: ended.length + deliveries.length, acknowledged: ended.length + deliveries.length - unknown, unknown }
  }

  check(): number {
    this.#context.ledger.check(new Set([SCRAP, BRIEF, PASSING]))
    return 0
  }

  /** A message that is taken in, and a lease that is lost. */
  ask(node: SimNode, at: number, timeoutMs: number, done: () => void): void {
    const { cluster, ledger } = this.#context
    new FinalQueue(cluster, node, `${FINAL}${at}`, timeoutMs, done).enqueue(ledger.bodyOf(FINAL))
  }
}

/** The configuration that a queue has by itself is too slow for a run. */
function firstConfigOf(
  queue: string,
  { visibilityMs, maxDeliveries, poison, dedupWindowMs }: QueueWorkloadOptions,
): PutQueueCommand['config'] {
  const backoff = { baseMs: 20, maxMs: 500 }
  const brief = { maxLength: 20, overflow: 'drop-head', ttlMs: 3_000 } as const
  return { visibilityMs, maxDeliveries, poison, backoff, ...(queue === BRIEF && brief), ...(queue === TWICE && { dedupWindowMs }) }
}
