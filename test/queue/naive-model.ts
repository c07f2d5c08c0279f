/**
 * What the queues of a partition do, said as plainly as possible: lists and maps, looked through from the front, no index, no
 * cleverness. Written from the semantics (docs/queues.md), not from the machine.
 */
import type { ErrorCode } from '../../src/base/errors.ts'
import type { Refused } from '../../src/base/refusal.ts'
import { messageId } from '../../src/queue/ids.ts'
import { DEFAULT_CONFIG } from '../../src/queue/types.ts'
import type {
  AckCommand,
  DeliveredMessage,
  DequeueCommand,
  EnqueueCommand,
  EnqueuedItem,
  ExtendCommand,
  Fence,
  ItemOutcome,
  LeaseLost,
  NackCommand,
  PutQueueCommand,
  QueueCommand,
  QueueName,
  QueueReply,
  Receipt,
  RedriveCommand,
  Settling,
  TransactionCommand,
  TransactionOp,
  TransactionResult,
} from '../../src/queue/types.ts'
import type { NaiveMessage } from './naive-message.ts'
import { newMessage } from './naive-message.ts'
import { type Choose, NaiveQueue } from './naive-queue.ts'

export interface NaiveSettled {
  readonly ticket: number
  readonly reply: QueueReply
}

export class NaiveModel {
  time = 0
  /** The harness says what the machine did, where the rules leave it open. */
  choose: Choose = (_queue, _token, candidates) => candidates[0] as NaiveMessage
  /** What every receipt says; the bed keeps it in step. */
  receipt: Receipt = { partition: 0, term: 1, index: 0, durableOn: [] }
  queues: NaiveQueue[] = []
  fences = new Map<string, number>()
  lastQueue = 0
  readonly settledLog: NaiveSettled[] = []
  readonly events: LeaseLost[] = []

  /** A command as one entry; null: it waits. */
  run(ticket: number, command: QueueCommand): QueueReply | null {
    this.advance(this.time)
    const reply = command.type === 'queue_dequeue' ? this.#dequeue(ticket, command) : this.#apply(command)
    this.#pump()
    return reply
  }

  /** What is due happens in the order in which it is due; then who waits is served; then they are sent away whose time is up. */
  advance(time: number): void {
    this.time = time
    for (;;) {
      const [queue] = this.queues.toSorted((a, b) => a.due()[0] - b.due()[0])
      const [at, message] = queue?.due() ?? [Infinity, undefined]
      if (at > time) break
      queue!.expire(message!, time, (event) => this.events.push(event))
    }
    this.#pump()
    const tired = this.queues.flatMap(({ waiters }) => waiters.filter(({ deadline }) => deadline <= time))
    for (const { ticket } of tired.toSorted((a, b) => a.deadline - b.deadline || a.ticket - b.ticket)) this.cancel(ticket)
  }

  /** Takes a waiting dequeue out, if it still waits. */
  cancel(ticket: number): void {
    for (const queue of this.queues) {
      if (!queue.waiters.some((waiter) => waiter.ticket === ticket)) continue
      queue.waiters = queue.waiters.filter((waiter) => waiter.ticket !== ticket)
      this.settledLog.push({ ticket, reply: { type: 'delivered', messages: [] } })
    }
  }

  queue({ namespace, queue }: QueueName): NaiveQueue | undefined {
    return this.queues.find(({ name }) => name.namespace === namespace && name.queue === queue)
  }

  /** Whoever waits longest is served first, as soon as there is something. */
  #pump(): void {
    for (const queue of this.queues) {
      queue.look(this.time)
      for (const waiter of queue.waiters) {
        const messages = queue.deliver(this.time, waiter, this.choose)
        if (messages.length === 0) break
        queue.waiters = queue.waiters.filter((each) => each !== waiter)
        this.settledLog.push({ ticket: waiter.ticket, reply: { type: 'delivered', messages: messages.map(delivered) } })
      }
    }
  }

  #apply(command: Exclude<QueueCommand, DequeueCommand>): QueueReply {
    switch (command.type) {
      case 'queue_put':
        return this.#put(command)
      case 'queue_enqueue': {
        const items = this.#enqueue(command)
        return isRefused(items) ? items : { type: 'enqueued', items, receipt: this.receipt }
      }
      case 'queue_ack': {
        const outcomes = this.#ack(command)
        return isRefused(outcomes) ? outcomes : { type: 'settled', outcomes }
      }
      case 'tx':
        return this.#transact(command)
    }
    const queue = this.queue(command)
    if (queue === undefined) return refused('NO_SUCH_QUEUE')
    switch (command.type) {
      case 'queue_nack':
        return { type: 'settled', outcomes: command.items.map((item) => this.#nack(queue, item)) }
      case 'queue_extend':
        return { type: 'settled', outcomes: command.items.map((item) => this.#extend(queue, item)) }
      case 'queue_redrive':
        return { type: 'moved', moved: this.#redrive(queue, command) }
      case 'queue_purge':
        return { type: 'purged', purged: this.#purge(queue) }
      case 'queue_delete':
        return this.#delete(queue)
    }
  }

  #put({ namespace, queue: name, config }: PutQueueCommand): QueueReply {
    const deadLetter = `${name}!dlq`
    if (config.deadLetter !== undefined && config.deadLetter !== deadLetter) return refused('CONFIG_CONFLICT')
    const known = this.queue({ namespace, queue: name })
    const queue = known ?? this.#create({ namespace, queue: name })
    queue.config = { ...queue.config, ...config, backoff: { ...queue.config.backoff, ...config.backoff } }
    return { type: 'put', created: known === undefined, config: queue.config }
  }

  #create({ namespace, queue }: QueueName): NaiveQueue {
    const made = new NaiveQueue({ namespace, queue }, ++this.lastQueue, { ...DEFAULT_CONFIG, deadLetter: `${queue}!dlq` })
    this.queues.push(made)
    return made
  }

  #enqueue(command: EnqueueCommand): EnqueuedItem[] | Refused {
    const known = this.queue(command)
    const queue = known ?? this.#create(command)
    const ids = command.messages.map(({ dedupId }) => dedupId)
    const isRepeated = (id: string, at: number) =>
      this.#first(queue, id) !== undefined || (id !== '' && queue.config.dedupWindowMs > 0 && ids.indexOf(id) < at)
    if (!queue.makeRoom(ids.filter((id, at) => !isRepeated(id, at)).length, this.time)) return refused('QUEUE_FULL')
    return command.messages.map((message) => {
      const first = this.#first(queue, message.dedupId)
      if (first !== undefined) return { id: first.id, deduplicated: true }
      const seq = ++queue.lastSeq
      const id = messageId(queue.number, seq)
      queue.messages.push(newMessage(message, id, seq, this.time))
      const { dedupWindowMs } = queue.config
      if (message.dedupId !== '' && dedupWindowMs > 0) queue.dedup.set(message.dedupId, { id, until: this.time + dedupWindowMs })
      return { id, deduplicated: false }
    })
  }

  /** The message that came first with this id, within the window. */
  #first(queue: NaiveQueue, id: string): { id: string } | undefined {
    const known = queue.dedup.get(id)
    return id !== '' && known !== undefined && this.time < known.until ? known : undefined
  }

  #dequeue(ticket: number, command: DequeueCommand): QueueReply | null {
    const queue = this.queue(command)
    if (queue === undefined) return refused('NO_SUCH_QUEUE')
    const messages = queue.deliver(this.time, command, this.choose)
    if (messages.length > 0 || command.waitMs === 0) return { type: 'delivered', messages: messages.map(delivered) }
    const { max, visibilityMs, consumer, watcher } = command
    queue.waiters.push({ ticket, max, visibilityMs, consumer, watcher, deadline: this.time + command.waitMs })
    return null
  }

  #fence({ resource, token }: Fence): Refused | null {
    const highest = this.fences.get(resource) ?? 0
    if (token < highest) return refused('FENCED', { highest })
    this.fences.set(resource, token)
    return null
  }

  #ack(command: AckCommand): ItemOutcome[] | Refused {
    const queue = this.queue(command)
    if (queue === undefined) return refused('NO_SUCH_QUEUE')
    const fenced = command.fence === null ? null : this.#fence(command.fence)
    if (fenced !== null) return fenced
    return command.items.map((item) => {
      const outcome = ackable(queue, item)
      if (outcome === '') {
        queue.messages = queue.messages.filter(({ id }) => id !== item.id)
        queue.acknowledged.set(item.id, item.token)
      }
      return outcome
    })
  }

  #nack(queue: NaiveQueue, { id, token, delayMs, reason, countAttempt }: NackCommand['items'][number]): ItemOutcome {
    const message = leasedBy(queue, id, token)
    if (typeof message === 'string') return message
    queue.comeBack(message, this.time, { counts: countAttempt, delayMs, reason })
    return ''
  }

  #extend(queue: NaiveQueue, { id, token, visibilityMs, checkpoint }: ExtendCommand['items'][number]): ItemOutcome {
    const message = leasedBy(queue, id, token)
    if (typeof message === 'string') return message
    message.deadline = this.time + visibilityMs
    if (checkpoint !== null) message.checkpoint = checkpoint
    return ''
  }

  #redrive(queue: NaiveQueue, { max, reason }: RedriveCommand): number {
    const dead = queue.messages.filter((message) => message.state === 'dead' && (reason === '' || message.reason === reason))
    const back = dead.slice(0, max)
    for (const message of back) {
      message.state = 'ready'
      message.failures = 0
      message.since = this.time
    }
    return back.length
  }

  #purge(queue: NaiveQueue): number {
    const count = queue.messages.length
    for (const message of queue.messages) {
      if (message.state === 'leased' && message.watcher !== '') this.events.push(queue.leaseLost(message))
    }
    queue.messages = []
    return count
  }

  #delete(queue: NaiveQueue): QueueReply {
    this.#purge(queue)
    for (const { ticket } of queue.waiters) this.settledLog.push({ ticket, reply: refused('NO_SUCH_QUEUE') })
    this.queues = this.queues.filter((each) => each !== queue)
    return { type: 'deleted' }
  }

  /** Op after op; where one is refused, everything is as it was. */
  #transact({ ops }: TransactionCommand): QueueReply {
    const { queues, fences, lastQueue } = this
    this.queues = queues.map(copyOf)
    this.fences = new Map(fences)
    const results: TransactionResult[] = []
    for (const [at, op] of ops.entries()) {
      const result = this.#op(op, queues)
      if (isRefused(result)) {
        Object.assign(this, { queues, fences, lastQueue })
        return { ...result, details: { ...result.details, op: at } }
      }
      results.push(result)
    }
    return { type: 'transacted', results, receipt: this.receipt }
  }

  #op(op: TransactionOp, known: readonly NaiveQueue[]): TransactionResult | Refused {
    if (op.type === 'require_fence') return this.#fence(op.fence) ?? { fenced: true }
    if (op.type === 'queue_enqueue') {
      const enqueued = this.#enqueue(op)
      return isRefused(enqueued) ? enqueued : { enqueued }
    }
    // Held against what was there before the transaction: of what its ops bring in nothing was delivered.
    const before = known.find(({ name }) => name.namespace === op.namespace && name.queue === op.queue)
    const outcomes = this.#ack(op)
    if (isRefused(outcomes)) return outcomes
    const failed = op.items.map((item) => (before === undefined ? 'NO_SUCH_MESSAGE' : ackable(before, item))).find(Boolean)
    return failed ? refused(failed) : { acknowledged: outcomes.length }
  }
}

/** '' where an ack is ok: by the token of its lease, or by that with which it was acknowledged. */
function ackable(queue: NaiveQueue, { id, token }: Settling): ItemOutcome {
  if (queue.acknowledged.get(id) === token) return ''
  const message = leasedBy(queue, id, token)
  return typeof message === 'string' ? message : ''
}

/** The message, where this is the token of its lease, else what is wrong. */
function leasedBy(queue: NaiveQueue, id: string, token: number): NaiveMessage | ErrorCode {
  const message = queue.find(id)
  if (message === undefined) return 'NO_SUCH_MESSAGE'
  if (token !== message.token) return 'STALE_TOKEN'
  return message.state === 'leased' ? message : 'LEASE_EXPIRED'
}

function delivered({ id, token, failures, group, visibilityMs, enqueuedAt, checkpoint, body }: NaiveMessage): DeliveredMessage {
  return { id, token, attempt: failures + 1, group, visibilityMs, enqueuedAt, checkpoint, body }
}

function copyOf(queue: NaiveQueue): NaiveQueue {
  const copy = new NaiveQueue(queue.name, queue.number, queue.config)
  const { waiters, lastSeq, lastToken, ready, lastTurn } = queue
  const messages = queue.messages.map((message) => ({ ...message }))
  return Object.assign(copy, {
    messages,
    waiters,
    lastSeq,
    lastToken,
    ready,
    lastTurn,
    dedup: new Map(queue.dedup),
    acknowledged: new Map(queue.acknowledged),
  })
}

function refused(code: ErrorCode, details: Readonly<Record<string, unknown>> = {}): Refused {
  return { type: 'refused', code, message: '', details }
}

function isRefused(value: object): value is Refused {
  return 'type' in value && value.type === 'refused'
}
