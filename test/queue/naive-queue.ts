/**
 * One queue of the naive model: a list of messages, looked through from the front for every question. Every rule is here
 * once, in its plainest form.
 */
import { backoffMs } from '../../src/queue/backoff.ts'
import type { BrowsedMessage, LeaseLost, MessageState, QueueConfig, QueueName, QueueStatus } from '../../src/queue/types.ts'
import { QUEUE_LIMITS } from '../../src/queue/types.ts'
import type { NaiveMessage } from './naive-message.ts'

const AGEING_MS = 60_000
const BODY_STEP_BYTES = 2_048

export interface NaiveDemand {
  readonly max: number
  readonly visibilityMs: number | null
  readonly consumer: string
  readonly watcher: string
}
export interface NaiveWaiter extends NaiveDemand {
  readonly ticket: number
  readonly deadline: number
}

/** A lane that has something to deliver. */
interface NaiveLane {
  readonly name: string
  readonly head: NaiveMessage
  /** Rises over the lanes: when it was served last, or else got something to deliver. */
  readonly turn: number
  /** Since when, without a break. */
  readonly since: number
}

/** Which of several that the rules do not tell apart is delivered with this token. */
export type Choose = (queue: NaiveQueue, token: number, candidates: readonly NaiveMessage[]) => NaiveMessage

export class NaiveQueue {
  readonly name: QueueName
  readonly number: number
  config: QueueConfig
  messages: NaiveMessage[] = []
  waiters: NaiveWaiter[] = []
  lastSeq = 0
  lastToken = 0
  ready: NaiveLane[] = []
  lastTurn = 0
  /** By dedupId: the first message, and until when it is remembered. */
  dedup = new Map<string, { id: string; until: number }>()
  /** Of every acknowledged message: the token that did it. */
  acknowledged = new Map<string, number>()

  constructor(name: QueueName, number: number, config: QueueConfig) {
    this.name = name
    this.number = number
    this.config = config
  }

  /** What counts for `maxLength`. */
  get length(): number {
    return this.messages.filter(({ state }) => state !== 'dead').length
  }

  find(id: string): NaiveMessage | undefined {
    return this.messages.find((message) => message.id === id)
  }

  remove(gone: NaiveMessage): void {
    this.messages = this.messages.filter((message) => message !== gone)
  }

  /** The heads of all lanes of which something may be delivered now. */
  heads(): NaiveMessage[] {
    // A group waits behind its leased message, and behind its head in back-off.
    const holds = ({ state, holdsGroup }: NaiveMessage) => state === 'leased' || (state === 'delayed' && holdsGroup)
    const held = new Set(this.messages.filter((message) => message.group !== '' && holds(message)).map(laneOf))
    const heads = new Map<string, NaiveMessage>()
    for (const message of this.messages) {
      const lane = laneOf(message)
      if (message.state === 'ready' && !heads.has(lane) && !held.has(lane)) heads.set(lane, message)
    }
    return [...heads.values()]
  }

  /** Sees which lanes have something to deliver now. Those that got it at the same time have the same turn. */
  look(time: number, served?: NaiveMessage): void {
    const turn = ++this.lastTurn
    const before = new Map(this.ready.map((lane) => [lane.name, lane]))
    this.ready = this.heads().map((head) => {
      const name = laneOf(head)
      const known = served !== undefined && laneOf(served) === name ? undefined : before.get(name)
      return { name, head, turn: known?.turn ?? turn, since: before.get(name)?.since ?? time }
    })
  }

  /** Which may be next: of the most urgent those whose turn it is. Several only where nothing tells them apart. */
  next(time: number): NaiveMessage[] {
    const highest = Math.max(...this.ready.map((lane) => urgencyOf(lane, time)))
    const urgent = this.ready.filter((lane) => urgencyOf(lane, time) === highest)
    const turn = Math.min(...urgent.map((lane) => lane.turn))
    return urgent.filter((lane) => lane.turn === turn).map(({ head }) => head)
  }

  /** Leases up to `max` messages, fewer where their bodies are large. */
  deliver(time: number, { max, visibilityMs, consumer, watcher }: NaiveDemand, choose: Choose): NaiveMessage[] {
    const found: NaiveMessage[] = []
    let bytes = 0
    this.look(time)
    while (found.length < max && bytes <= QUEUE_LIMITS.dequeueBytesMax && this.ready.length > 0) {
      const message = choose(this, this.lastToken + 1, this.next(time))
      message.state = 'leased'
      message.token = ++this.lastToken
      message.visibilityMs = visibilityMs ?? this.config.visibilityMs
      message.deadline = time + message.visibilityMs
      message.consumer = consumer
      message.watcher = watcher
      this.look(time, message)
      bytes += Math.max(1, Math.ceil(message.body.length / BODY_STEP_BYTES)) * BODY_STEP_BYTES
      if (message.checkpoint !== null) bytes += QUEUE_LIMITS.checkpointBytesMax
      found.push(message)
    }
    return found
  }

  /** A leased message comes back: by nack, or because its lease is over. `delayMs` null: after the back-off of the queue. */
  comeBack(
    message: NaiveMessage,
    time: number,
    { counts, delayMs, reason }: { counts: boolean; delayMs: number | null; reason: string },
  ): void {
    if (counts) message.failures += 1
    message.reason = reason
    message.consumer = ''
    message.watcher = ''
    if (counts && message.failures >= this.config.maxDeliveries && this.config.poison === 'dlq') {
      message.state = 'dead'
      message.diedAt = time
      return
    }
    if (this.#endsAt(message) <= time) return this.remove(message)
    const wait = delayMs ?? this.#backoffMs(message)
    message.state = wait > 0 ? 'delayed' : 'ready'
    message.readyAt = time + wait
    message.holdsGroup = true
  }

  #backoffMs({ failures, seq }: NaiveMessage): number {
    const { baseMs, factor, maxMs, jitter } = this.config.backoff
    const nth = Math.max(1, failures)
    const plain = Math.min(maxMs, baseMs * factor ** (nth - 1))
    if (jitter === 0) return Math.floor(plain)
    // Which share it is, only the formula itself says.
    const wait = backoffMs(this.config.backoff, nth, this.number, seq)
    if (wait < Math.floor(plain * (1 - jitter)) || wait > plain * (1 + jitter)) throw new Error(`a back-off of ${wait} for ${plain}`)
    return wait
  }

  /** When something is due first, and of which message. */
  due(): readonly [time: number, message: NaiveMessage | undefined] {
    let [earliest, first] = [Infinity, undefined as NaiveMessage | undefined]
    for (const message of this.messages) if (this.#dueAt(message) < earliest) [earliest, first] = [this.#dueAt(message), message]
    return [earliest, first]
  }

  /** Of a message that is due: its lease ends, or its delay, or its life. */
  expire(message: NaiveMessage, time: number, lost: (event: LeaseLost) => void): void {
    if (message.state === 'leased') {
      if (message.watcher !== '') lost(this.leaseLost(message))
      this.comeBack(message, time, { counts: true, delayMs: null, reason: 'expired' })
    } else if (this.#endsAt(message) <= time) this.remove(message)
    else message.state = 'ready'
    this.look(time)
  }

  /** When something happens to the message by itself. */
  #dueAt(message: NaiveMessage): number {
    if (message.state === 'leased') return message.deadline
    if (message.state === 'dead') return Infinity
    return message.state === 'delayed' ? Math.min(message.readyAt, this.#endsAt(message)) : this.#endsAt(message)
  }

  /** When its time to live is over. */
  #endsAt({ since, ttlMs }: NaiveMessage): number {
    const livesMs = ttlMs > 0 ? ttlMs : this.config.ttlMs
    return livesMs > 0 ? since + livesMs : Infinity
  }

  leaseLost({ watcher, id, token }: NaiveMessage): LeaseLost {
    return { type: 'lease_lost', watcher, queue: this.name.queue, id, token }
  }

  /** Makes room for so many by dropping the oldest that are ready; false, and nothing dropped, where that is not enough. */
  makeRoom(count: number, time: number): boolean {
    const { messages, ready } = this
    while (this.length + count > this.config.maxLength) {
      const oldest = this.config.overflow === 'drop-head' ? this.heads().sort((a, b) => a.seq - b.seq)[0] : undefined
      if (oldest === undefined) {
        Object.assign(this, { messages, ready })
        return false
      }
      this.remove(oldest)
      this.look(time)
    }
    return true
  }

  status(time: number): QueueStatus {
    const count = (state: MessageState) => this.messages.filter((message) => message.state === state).length
    const [ready, leased, delayed, dead] = [count('ready'), count('leased'), count('delayed'), count('dead')]
    const ages = this.messages.filter(({ state }) => state === 'ready').map(({ since }) => time - since)
    return {
      queue: this.name.queue,
      ready,
      leased,
      delayed,
      dead,
      total: ready + leased + delayed + dead,
      oldestReadyAgeMs: Math.max(0, ...ages),
      config: this.config,
    }
  }

  browse(state: MessageState, time: number): BrowsedMessage[] {
    return this.messages
      .filter((message) => message.state === state)
      .map(({ id, failures, group, priority, enqueuedAt, deadline, readyAt, consumer, reason, body }) => ({
        id,
        state,
        attempt: state === 'leased' ? failures + 1 : failures,
        group,
        priority,
        enqueuedAt,
        remainingMs: state === 'leased' ? deadline - time : state === 'delayed' ? readyAt - time : null,
        consumer,
        reason,
        body,
      }))
  }
}

/**
 * Priority, and one more for each minute that it waits, up to 9. Without a group it waits since it is visible; in a group since
 * nothing holds that, and there is something.
 */
function urgencyOf({ head, since }: NaiveLane, time: number): number {
  const waited = time - (head.group === '' ? head.since : since)
  return Math.min(QUEUE_LIMITS.priorityMax, head.priority + Math.floor(waited / AGEING_MS))
}

/** Messages without a group: one lane per priority. Every group is a lane of its own. */
export function laneOf({ group, priority }: NaiveMessage): string {
  return group === '' ? `priority ${priority}` : `group ${group}`
}
