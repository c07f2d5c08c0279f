/** A gateway over a lock manager, queues and caches that answer as they are told, in virtual time: for what must happen at the worst moment. */
import type { TricordError } from '../src/base/errors.ts'
import type { Gateway } from '../src/api/gateway.ts'
import { GatewayMetrics } from '../src/api/metrics.ts'
import type { Answered, CommandOptions, LockCommand } from '../src/lock/types.ts'
import { ProducerTraces } from '../src/api/producer-traces.ts'
import type { Answered as QueueAnswered, DeliveredMessage, LostLeases, QueueCommand } from '../src/queue/types.ts'
import { encodeBody } from '../src/queue/message-body.ts'
import type { Transacted, Transaction } from '../src/transaction/types.ts'
import { PastSubscriptions } from '../src/api/socket/past-subscriptions.ts'
import { ManualClock } from './manual-clock.ts'
import { toldCaches } from './told-caches.ts'

export interface Submitted {
  readonly command: LockCommand
  readonly options: CommandOptions
  readonly done: (reply: Answered | TricordError) => void
  cancelled: boolean
}

export interface SubmittedToQueue {
  readonly command: QueueCommand | Transaction
  readonly options: CommandOptions
  readonly done: (reply: QueueAnswered | Transacted | TricordError) => void
  cancelled: boolean
}

type Told = Parameters<LostLeases['watch']>[0]

export function toldGateway() {
  const clock = new ManualClock()
  const submitted: Submitted[] = []
  const readiness = { ready: true, reason: '' }
  const locks = {
    submit(command: LockCommand, options: CommandOptions, done: Submitted['done']) {
      const submission = { command, options, done, cancelled: false }
      submitted.push(submission)
      return { cancel: () => void (submission.cancelled = true) }
    },
  }
  const queued: SubmittedToQueue[] = []
  const queues = {
    partitionOf: () => 7,
    status: async () => ({ queue: 'q' }),
    submit(command: SubmittedToQueue['command'], options: CommandOptions, done: SubmittedToQueue['done']) {
      const submission = { command, options, done, cancelled: false }
      queued.push(submission)
      return { cancel: () => void (submission.cancelled = true) }
    },
  }
  const cached = toldCaches()
  const watching = new Map<string, Told>()
  const lostLeases: LostLeases = {
    watch(told) {
      const watcher = `w${watching.size + 1}`
      watching.set(watcher, told)
      return { watcher, end: () => void watching.delete(watcher) }
    },
  }
  const random = { bytes: (length: number) => new Uint8Array(length), below: () => 0, next: () => 0 }
  const backend = {
    node: 'n1',
    version: '1',
    secret: 'of the cluster',
    clock,
    random,
    locks,
    queues,
    caches: cached.caches,
    transactions: queues,
    lostLeases,
    ready: async () => readiness,
  }
  const settings = {
    defaultLeaseMs: 30_000,
    waitMsMax: 60_000,
    bodyBytesMax: 2_000_000,
    batchBytesMax: 12_000_000,
    commandTimeoutMs: 10_000,
  }
  const gateway = {
    backend,
    settings,
    metrics: new GatewayMetrics('n1', null),
    startSpan: null,
    producers: new ProducerTraces(),
    pastSubscriptions: new PastSubscriptions(clock, random),
  } as unknown as Gateway
  return { clock, submitted, queued, cached, watching, readiness, gateway }
}

/** Of an exclusive lock called `a`. */
export function grantedIn(session: string): Answered {
  const grant = {
    name: 'a',
    mode: 'exclusive',
    owner: '',
    grantId: 'g_1',
    token: 1,
    session,
    leaseMs: 1,
    remainingMs: 1,
    count: 1,
  } as const
  return { type: 'granted', grants: [grant], waitedMs: 0 }
}

/** Messages 1 to n of a dequeue; token 100 and up. */
export function deliveredOf(count: number): QueueAnswered {
  return { type: 'delivered', messages: Array.from({ length: count }, (_, at) => deliveredMessage(at + 1)) }
}

function deliveredMessage(seq: number): DeliveredMessage {
  const data = Buffer.from(JSON.stringify({ seq }))
  const body = encodeBody({ encoding: 'json', data, headers: '', traceparent: '', enqueuedAt: 1_700_000_000_000 })
  return { id: `m_1_${seq}`, token: 99 + seq, attempt: 1, group: '', visibilityMs: 30_000, enqueuedAt: 5, checkpoint: null, body }
}
