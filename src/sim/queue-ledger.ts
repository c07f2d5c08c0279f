/**
 * What the clients of queues were told, for `queue/history-checker.ts`, and what can be said at once:
 *
 *   bodies    what is delivered is what was sent          early    a delayed message not before its time
 *   stale     a token is good for nothing once a later one was seen      replayed    an answer that is repeated has nothing
 *   fences    the floor never sinks                                                  in it that was acknowledged before
 *   passed    what comes back in a group comes before all that is behind it
 *
 * Times are virtual; clocks of nodes run at their own rates, so cluster time may be ahead by so much and no more.
 */
import { parseMessageId } from '../queue/ids.ts'
import { decodeBody, encodeBody } from '../queue/message-body.ts'
import { type Known, QueueHistory, type SettlingRecord } from '../queue/history-checker.ts'
import type { Answered, DeliveredMessage, EnqueuedItem, ItemOutcome, Settling } from '../queue/types.ts'
import type { Answer } from './attempts.ts'
import { DedupLedger } from './dedup-ledger.ts'
import { hashText } from './dice.ts'
import { QueueDeletions } from './queue-deletions.ts'
import { PASSING } from './queue-workload.ts'
import { SimFailure, type World } from './world.ts'

const SLACK_MS = 5

/** A message as its producer knows it. */
export interface Sent {
  readonly key: string
  /** See history-checker.ts. */
  readonly lane: string | null
  readonly delayMs: number
  /** Perhaps sent before: then it is the same message. */
  readonly isRepeatable: boolean
  /** Not '' : where it was sent before within the window, this one is not taken in. */
  readonly dedupId?: string
}

/** `counts`: of a nack, whether it counts; `wasStale`: as of when it was sent. */
export interface SentSettling extends Settling {
  readonly visibilityMs?: number
  readonly counts?: boolean
  readonly wasStale: boolean
}

export interface QueueLedgerOptions {
  readonly driftPpm: number
  /** No lease is longer. */
  readonly leaseMsMax: number
  readonly bodyBytesMax: number
  /** Queues that are purged at times. */
  readonly purgeable: ReadonlySet<string>
  /** No message becomes a dead letter, so none comes back from the dead to its old place. */
  readonly isDeathless: boolean
}

export class QueueLedger {
  readonly history: QueueHistory
  readonly dedups = new DedupLedger()
  readonly deletions = new QueueDeletions(PASSING)
  readonly #world: World
  readonly #bodyBytesMax: number
  readonly #purgeable: ReadonlySet<string>
  readonly #isDeathless: boolean
  /** How much faster than the world's the time of the cluster may pass. */
  readonly #rate: number
  /** Not before: by the key of a delayed message. */
  readonly #visibleAt = new Map<string, number>()
  /** The highest token that was seen and since when, by queue and id. */
  readonly #tokens = new Map<string, { readonly token: number; readonly since: number }>()
  /** When it was known, by queue and id. */
  readonly #ackedAt = new Map<string, number>()
  /** Leases that somebody was told of who never had an answer with them. */
  readonly #strangers: { readonly queue: string; readonly id: string; readonly token: number; readonly wasTheirs: () => boolean }[] = []
  readonly #floors = new Map<string, number>()
  readonly #purged = new Map<string, number>()

  constructor(world: World, { driftPpm, leaseMsMax, bodyBytesMax, purgeable, isDeathless }: QueueLedgerOptions) {
    this.#world = world
    this.#bodyBytesMax = bodyBytesMax
    this.#purgeable = purgeable
    this.#isDeathless = isDeathless
    this.#rate = 1 + driftPpm / 1e6
    this.history = new QueueHistory({ leaseSlackMs: SLACK_MS + leaseMsMax * (this.#rate - 1) })
  }

  get now(): number {
    return this.#world.now
  }

  /** Told by the key alone; one in eight is long. */
  bodyOf(key: string): Uint8Array {
    const hash = hashText(key)
    const data = `${key}|${'x'.repeat(hash % 8 === 0 ? (hash >>> 3) % this.#bodyBytesMax : hash % 32)}`
    const plain = { encoding: 'json', headers: '', traceparent: '', enqueuedAt: 0 } as const
    return encodeBody({ ...plain, data: new TextEncoder().encode(data) })
  }

  /** `items` where the outcome is ok. */
  enqueued(queue: string, sent: readonly Sent[], sentAt: number, outcome: Known, items: readonly EnqueuedItem[] = []): void {
    let last = ''
    for (const [at, { key, lane, delayMs, isRepeatable, dedupId = '' }] of sent.entries()) {
      const { id = '', deduplicated = false } = items[at] ?? {}
      // Another of the same key may have come through.
      if (isRepeatable && outcome === 'refused') continue
      if (deduplicated && dedupId !== '') {
        this.history.enqueues.push({ key, queue, lane: null, sentAt, answeredAt: this.now, outcome: 'refused', id: '' })
        continue
      }
      if (deduplicated && !isRepeatable) throw new SimFailure(`queues: ${queue} ${id} (${key}) was deduplicated, and is the only one`)
      if (!deduplicated && id !== '' && last !== '' && numberOf(id) <= numberOf(last))
        throw new SimFailure(`queues: ${queue} ${id} comes before ${last}, and was behind it in a batch`)
      if (!deduplicated) last = id
      const given = { key, queue, lane: isRepeatable || delayMs > 0 ? null : lane }
      this.history.enqueues.push({ ...given, sentAt, answeredAt: this.now, outcome, id })
      if (delayMs > 0 && !isRepeatable) this.#visibleAt.set(key, sentAt + delayMs / this.#rate - SLACK_MS)
    }
  }

  /** One answer to one dequeue. */
  delivered(queue: string, messages: readonly DeliveredMessage[], askedAt: number): void {
    for (const { id, token, attempt, group, visibilityMs, body } of messages) {
      const key = this.#keyOf(queue, id, body)
      const visibleAt = this.#visibleAt.get(key) ?? 0
      if (this.now < visibleAt) throw new SimFailure(`queues: ${queue} ${id} (${key}) was delivered ${visibleAt - this.now} ms early`)
      // A purge ends leases at any time: then there is nothing to count on.
      const heldMs = this.#purgeable.has(queue) ? 0 : visibilityMs
      const record = { key, queue, id, token, attempt, group, visibilityMs: heldMs, askedAt, receivedAt: this.now }
      this.history.deliveries.push(record)
      const name = `${queue} ${id}`
      if (token > (this.#tokens.get(name)?.token ?? 0)) this.#tokens.set(name, { token, since: this.now })
    }
  }

  #keyOf(queue: string, id: string, body: Uint8Array): string {
    const decoded = decodeBody(body)
    const [key = ''] = decoded ? new TextDecoder().decode(decoded.data).split('|', 1) : []
    if (!Buffer.from(this.bodyOf(key)).equals(body))
      throw new SimFailure(`queues: the body of ${queue} ${id} is not what was sent (${key})`)
    return key
  }

  /** The answer to a dequeue that had been answered before, and was asked for again at `sentAt`. */
  replayed(queue: string, messages: readonly DeliveredMessage[], sentAt: number): void {
    for (const { id, token, body } of messages) {
      this.#keyOf(queue, id, body)
      const ackedAt = this.#ackedAt.get(`${queue} ${id}`) ?? Infinity
      if (ackedAt < sentAt) throw new SimFailure(`queues: ${queue} ${id} (token ${token}) was delivered again after it was acknowledged`)
      const newest = this.#tokens.get(`${queue} ${id}`)
      if (newest && newest.token > token && newest.since < sentAt)
        throw new SimFailure(`queues: ${queue} ${id} (token ${token}) was delivered again after ${newest.token}`)
    }
  }

  /** Whether a later delivery of it was seen. */
  isStale(queue: string, { id, token }: Settling): boolean {
    return (this.#tokens.get(`${queue} ${id}`)?.token ?? 0) > token
  }

  /** `outcomes` where the command was answered. */
  settled(
    type: SettlingRecord['type'],
    queue: string,
    items: readonly SentSettling[],
    sentAt: number,
    outcomes: readonly ItemOutcome[] | Exclude<Known, 'ok'>,
  ): void {
    for (const [at, { id, token, visibilityMs, counts = true, wasStale }] of items.entries()) {
      const outcome = typeof outcomes === 'string' ? outcomes : outcomes[at] === '' ? 'ok' : 'refused'
      // As for the lease itself: a purge may end it at any time.
      const extension = visibilityMs === undefined ? {} : { visibilityMs: this.#purgeable.has(queue) ? 0 : visibilityMs }
      this.history.settlings.push({ type, queue, id, token, sentAt, outcome, counts, ...extension })
      if (outcome !== 'ok') continue
      if (type === 'ack') this.#acknowledged(`${queue} ${id}`)
      // An acknowledgement that is repeated is ok once more; the history tells of any other.
      else if (wasStale) throw new SimFailure(`queues: ${type} of ${queue} ${id} by ${token}, which was stale`)
    }
  }

  #acknowledged(name: string): void {
    if (!this.#ackedAt.has(name)) this.#ackedAt.set(name, this.now)
  }

  /** Somebody was told that a lease of theirs is lost; `wasTheirs`: it was asked for by them. */
  lost(queue: string, id: string, token: number, wasTheirs: () => boolean): void {
    this.history.losses.push({ queue, id, token, toldAt: this.now })
    if (!wasTheirs()) this.#strangers.push({ queue, id, token, wasTheirs })
  }

  /** Is about to be; the answer is for what this gives. */
  redriven(queue: string): (answer: Answer<Answered>) => void {
    const record = { queue, sentAt: this.now }
    this.history.redrives.push(record)
    return (answer) => {
      const moved = answer.type === 'reply' && answer.reply.type === 'moved' ? answer.reply.moved : 0
      const isNothing = answer.type !== 'unknown' && moved === 0
      if (isNothing) this.history.redrives.splice(this.history.redrives.indexOf(record), 1)
    }
  }

  /** `count` null: nobody knows. */
  purged(queue: string, count: number | null): void {
    this.#purged.set(queue, (this.#purged.get(queue) ?? 0) + (count ?? Infinity))
  }

  floorOf(resource: string): number {
    return this.#floors.get(resource) ?? 0
  }

  /** A command with this fence was answered; `floor`: what was known when it was sent. */
  fenced(resource: string, token: number, floor: number, highest: number | null): void {
    if (highest === null) {
      if (token < floor) throw new SimFailure(`queues: ${token} passed the fence of ${resource}, which had seen ${floor}`)
      this.#floors.set(resource, Math.max(this.floorOf(resource), token))
    } else if (highest < floor || highest <= token) {
      throw new SimFailure(`queues: ${token} was held up at the fence of ${resource} by ${highest}, after ${floor}`)
    }
  }

  /** In a group of which nothing dies, nothing goes as long as there is an earlier one, delivered before or not. */
  #passed(): string[] {
    if (!this.#isDeathless) return []
    const lanes = new Map(this.history.enqueues.map(({ key, lane }) => [key, lane]))
    const last = new Map<string, { readonly number: number; readonly token: number }>()
    const found: string[] = []
    for (const { key, queue, id, group, token } of this.history.deliveries.toSorted((a, b) => a.token - b.token)) {
      if (group === '' || lanes.get(key) == null) continue
      // A queue that was made again has an order of its own.
      const name = `${queue} ${parseMessageId(id)?.queue} ${group}`
      const before = last.get(name)
      const number = numberOf(id)
      if (before && number < before.number) found.push(`passed: ${queue} ${id} of ${group} (token ${token}) after token ${before.token}`)
      last.set(name, { number, token })
    }
    return found
  }

  /** `lossy`: queues that may let go of a message that nobody acknowledged. Throws where this cannot have been. */
  check(lossy: ReadonlySet<string>): void {
    const { enqueues } = this.history
    const acked = new Set<string>()
    for (const { type, outcome, queue, id } of this.history.settlings)
      if (type === 'ack' && outcome !== 'refused') acked.add(`${queue} ${id}`)
    const left = enqueues.filter(({ queue, id }) => lossy.has(queue) && id !== '' && !acked.has(`${queue} ${id}`))
    const gone = left.filter(({ queue }) => queue === PASSING)
    const ended = this.deletions.check(this.history, gone)
    const delivered = new Set(this.history.deliveries.map(({ queue, id, token }) => `${queue} ${id} ${token}`))
    // A lease may be over before the answer that tells of it.
    const strangers = this.#strangers.filter(({ wasTheirs }) => !wasTheirs())
    const misled = strangers.map(({ queue, id, token }) => `${queue} ${id} ${token}`).filter((lease) => delivered.has(lease))
    if (misled.length > 0) throw new SimFailure(`queues: somebody else was told that a lease is lost: ${misled.join()}`)
    const violations = [...this.history.report(left).violations, ...this.#passed(), ...this.dedups.check(), ...ended]
    if (violations.length > 0) throw new SimFailure(`queues: ${violations.slice(0, 20).join('\n  ')}`)
    for (const [queue, purged] of this.#purged) {
      const gone = new Set(left.filter((one) => one.queue === queue).map(({ id }) => id)).size
      if (gone > purged) throw new SimFailure(`queues: ${queue} lost ${gone} messages, and purged ${purged}`)
    }
  }
}

function numberOf(id: string): number {
  return parseMessageId(id)?.seq ?? 0
}
