/**
 * The words of the queues: commands that go through the log of a partition's group, their replies, reads.
 * The only file of `queue/` that the API, the SDK and the CLI may see. Semantics: `docs/queues.md`.
 *
 *   ready ──lease──▶ leased ──ack──▶ gone
 *     ▲                 │ nack, expiry
 *     ├──── back-off ◀──┤ deliveries left
 *   delayed             └──▶ dead ──redrive──▶ ready
 */
import type { ErrorCode, TricordError } from '../base/errors.ts'
import type { LogIndex, Millis, NodeId, Term } from '../base/ids.ts'
import type { Refused } from '../base/refusal.ts'

export const QUEUE_LIMITS = {
  nameLengthMax: 128,
  dataBytesMax: 262_144,
  /** Of one enqueue, over all its messages. */
  batchBytesMax: 786_432,
  batchMax: 256,
  headersBytesMax: 4_096,
  groupLengthMax: 128,
  dedupIdLengthMax: 128,
  consumerLengthMax: 128,
  reasonLengthMax: 256,
  checkpointBytesMax: 4_096,
  dequeueMax: 256,
  /** A dequeue stops after the message with which its bodies exceed this, so that the answer fits a frame. */
  dequeueBytesMax: 524_288,
  itemsMax: 256,
  waitMsMax: 25_000,
  visibilityMsMin: 1,
  visibilityMsMax: 43_200_000,
  delayMsMax: 31_536_000_000,
  ttlMsMax: 31_536_000_000,
  dedupWindowMsMax: 86_400_000,
  priorityMax: 9,
  deliveriesMax: 1_000,
  lengthMax: 100_000_000,
  browseMax: 1_000,
  redriveMax: 10_000,
  queuesMax: 10_000,
  waitersPerQueueMax: 10_000,
  /** Waits that end in one entry with their gateway. */
  abandonedPerEntryMax: 1_000,
  dedupIdsPerQueueMax: 1_000_000,
  fencesMax: 100_000,
  /** Settled deliveries that a queue remembers, so that the same ack again is ok. */
  settledMax: 4_096,
  /** Deadlines that pass in one entry; what is due beyond them happens in the next. */
  expiriesPerEntryMax: 1_000,
} as const

export interface Backoff {
  readonly baseMs: Millis
  /** 1 or more: the n-th retry waits `baseMs * factor^(n-1)`, at most `maxMs`. */
  readonly factor: number
  readonly maxMs: Millis
  /** 0 to 1: up to this share is added or taken away, by a hash of the message and its attempt. */
  readonly jitter: number
}

export interface QueueConfig {
  readonly visibilityMs: Millis
  readonly maxDeliveries: number
  readonly backoff: Backoff
  /** Always `<queue>!dlq`: dead letters stay in the log of their queue, so that no move can lose or double one. */
  readonly deadLetter: string
  readonly dedupWindowMs: Millis
  /** Messages that are ready, leased or delayed. */
  readonly maxLength: number
  /** `reject`: QUEUE_FULL. `drop-head`: the oldest ready messages go. */
  readonly overflow: 'reject' | 'drop-head'
  /** 0: for ever. */
  readonly ttlMs: Millis
  /** After `maxDeliveries`: `dlq` makes it a dead letter, `block` tries it for ever, and its group waits behind it. */
  readonly poison: 'dlq' | 'block'
  readonly durability: 'quorum'
  /** `fifo`: within a group (and among messages without one) the first deliveries are in the order of enqueueing. `none`: no promise. */
  readonly ordering: 'fifo' | 'none'
}

export const DEFAULT_CONFIG: Omit<QueueConfig, 'deadLetter'> = {
  visibilityMs: 30_000,
  maxDeliveries: 10,
  backoff: { baseMs: 500, factor: 2, maxMs: 60_000, jitter: 0.2 },
  dedupWindowMs: 300_000,
  maxLength: 1_000_000,
  overflow: 'reject',
  ttlMs: 0,
  poison: 'dlq',
  durability: 'quorum',
  ordering: 'fifo',
}

/** Namespace and name: what a queue is known by. */
export interface QueueName {
  readonly namespace: string
  readonly queue: string
}

/** A message on its way in. `body` is opaque to the machine (`message-body.ts` makes and reads it): data, encoding, headers, traceparent. */
export interface NewMessage {
  readonly body: Uint8Array
  /** '' : none. */
  readonly group: string
  readonly dedupId: string
  readonly delayMs: Millis
  readonly priority: number
  /** 0: the queue's. */
  readonly ttlMs: Millis
}

export interface Settling {
  readonly id: string
  readonly token: number
}

export interface PutQueueCommand extends QueueName {
  readonly type: 'queue_put'
  /** What is not named keeps its value, or gets the default. */
  readonly config: Partial<Omit<QueueConfig, 'backoff'>> & { readonly backoff?: Partial<Backoff> }
}
export interface EnqueueCommand extends QueueName {
  readonly type: 'queue_enqueue'
  readonly messages: readonly NewMessage[]
}
export interface DequeueCommand extends QueueName {
  readonly type: 'queue_dequeue'
  readonly max: number
  readonly waitMs: Millis
  /** null: the queue's. */
  readonly visibilityMs: Millis | null
  readonly consumer: string
  /** Who is told when a lease of this call is lost: an event carries it back. '' : nobody. */
  readonly watcher: string
  /** The life of the gateway that waits for the answer, `<node>@<incarnation>`: its end may end the wait (`dead-gateways.ts`). */
  readonly gateway?: string
}
export interface AckCommand extends QueueName {
  readonly type: 'queue_ack'
  readonly items: readonly Settling[]
  /** Refused with FENCED where a higher token of the resource was seen; else the mark rises to it. */
  readonly fence: Fence | null
}
export interface Fence {
  readonly resource: string
  readonly token: number
}
export interface NackCommand extends QueueName {
  readonly type: 'queue_nack'
  /** `delayMs` null: the back-off of the queue. `countAttempt` false: as if it had not been delivered. */
  readonly items: readonly (Settling & { readonly delayMs: Millis | null; readonly reason: string; readonly countAttempt: boolean })[]
}
export interface ExtendCommand extends QueueName {
  readonly type: 'queue_extend'
  /** `checkpoint` as JSON text, null: as it was; handed to the next delivery. */
  readonly items: readonly (Settling & { readonly visibilityMs: Millis; readonly checkpoint: string | null })[]
}
export interface RedriveCommand extends QueueName {
  readonly type: 'queue_redrive'
  readonly max: number
  /** '' : whatever the reason. */
  readonly reason: string
}
export interface PurgeCommand extends QueueName {
  readonly type: 'queue_purge'
}
export interface DeleteQueueCommand extends QueueName {
  readonly type: 'queue_delete'
}
/** Who waited at this gateway is gone with it: their waits end, with nothing. About a partition as a whole. */
export interface AbandonCommand {
  readonly type: 'queue_abandon'
  readonly gateway: string
}
/** All or nothing, in order. What it names lives in one partition. */
export interface TransactionCommand {
  readonly type: 'tx'
  readonly ops: readonly TransactionOp[]
}
export type TransactionOp = EnqueueCommand | AckCommand | { readonly type: 'require_fence'; readonly fence: Fence }

export type QueueCommand =
  | PutQueueCommand
  | EnqueueCommand
  | DequeueCommand
  | AckCommand
  | NackCommand
  | ExtendCommand
  | RedriveCommand
  | PurgeCommand
  | DeleteQueueCommand
  | TransactionCommand

/** What the log of a partition carries. */
export type LoggedCommand = QueueCommand | AbandonCommand

export interface EnqueuedItem {
  readonly id: string
  /** True: `id` is that of the message that came first with this dedupId. */
  readonly deduplicated: boolean
}
/** Where an enqueue is in the log, and which nodes had it on disk when it was answered. */
export interface Receipt {
  readonly partition: number
  readonly term: Term
  readonly index: LogIndex
  readonly durableOn: readonly NodeId[]
}
export interface DeliveredMessage {
  readonly id: string
  /** Rises over all deliveries of the queue, over failovers too. */
  readonly token: number
  /** 1 for the first delivery. */
  readonly attempt: number
  readonly group: string
  readonly visibilityMs: Millis
  /** Ms since the cluster was made. */
  readonly enqueuedAt: Millis
  /** JSON text, null: none. */
  readonly checkpoint: string | null
  readonly body: Uint8Array
}
/** '' is ok. */
export type ItemOutcome = '' | ErrorCode

export type QueueReply =
  | { readonly type: 'put'; readonly created: boolean; readonly config: QueueConfig }
  | { readonly type: 'enqueued'; readonly items: readonly EnqueuedItem[]; readonly receipt: Receipt }
  | { readonly type: 'delivered'; readonly messages: readonly DeliveredMessage[] }
  | { readonly type: 'settled'; readonly outcomes: readonly ItemOutcome[] }
  | { readonly type: 'moved'; readonly moved: number }
  | { readonly type: 'purged'; readonly purged: number }
  | { readonly type: 'deleted' }
  | { readonly type: 'transacted'; readonly results: readonly TransactionResult[]; readonly receipt: Receipt }
  | Refused

export type TransactionResult =
  | { readonly enqueued: readonly EnqueuedItem[] }
  | { readonly acknowledged: number }
  | { readonly fenced: true }

export type Answered = Exclude<QueueReply, Refused>

export interface QueueStatus {
  readonly queue: string
  readonly ready: number
  readonly leased: number
  readonly delayed: number
  readonly dead: number
  /** ready + leased + delayed + dead. */
  readonly total: number
  /**
   * Of all that is ready, the longest time since one was enqueued, had its delay over, or was redriven; deliveries that failed
   * do not begin it anew. 0: nothing is ready, or it came just now.
   */
  readonly oldestReadyAgeMs: Millis
  readonly config: QueueConfig
}
export type MessageState = 'ready' | 'leased' | 'delayed' | 'dead'
export interface BrowsedMessage {
  readonly id: string
  readonly state: MessageState
  /** Deliveries so far. */
  readonly attempt: number
  readonly group: string
  readonly priority: number
  readonly enqueuedAt: Millis
  /** Leased: how long still. Delayed: until it is ready. Else null. */
  readonly remainingMs: Millis | null
  readonly consumer: string
  /** Why it was given back last, or died. */
  readonly reason: string
  readonly body: Uint8Array
}
export interface QueuePage {
  readonly queues: readonly QueueStatus[]
  readonly cursor: string | null
}
export interface MessagePage {
  readonly messages: readonly BrowsedMessage[]
  readonly cursor: string | null
}

export type QueueQuery =
  | ({ readonly type: 'queue_status' } & QueueName)
  | { readonly type: 'queue_list'; readonly namespace: string; readonly cursor: string; readonly limit: number }
  | ({ readonly type: 'queue_browse'; readonly state: MessageState; readonly cursor: string; readonly limit: number } & QueueName)

/** What a machine emits: the lease of a subscription is over though nobody settled it. */
export interface LeaseLost {
  readonly type: 'lease_lost'
  readonly watcher: string
  readonly queue: string
  readonly id: string
  readonly token: number
}

/** Where a gateway hears of the leases that its consumers lost. */
export interface LostLeases {
  /** A watcher for a dequeue: `told` hears of the leases that were lost, best effort, until it is ended. */
  watch(told: (lost: Omit<LeaseLost, 'type' | 'watcher'>) => void): { readonly watcher: string; end(): void }
}

/** Caller options of one command on its way through the log. */
export interface CommandOptions {
  readonly timeoutMs: Millis
  readonly idempotencyKey?: { readonly key: string; readonly fingerprint: string }
  readonly traceparent?: string
}
export interface ReadOptions {
  readonly timeoutMs: Millis
  readonly consistency: 'linearizable' | 'stale'
  readonly traceparent?: string
}

/** What the API sees of the queues. Implemented by `facade.ts` over a Proposer. */
export interface Queues {
  /** Where a queue lives. */
  partitionOf(name: QueueName): number
  /** Hot path: `done` once, later. Refusals come as TricordError; ops of a transaction that do not share a partition as CROSS_PARTITION. */
  submit(command: QueueCommand, options: CommandOptions, done: (reply: Answered | TricordError) => void): { cancel(): void }
  /** NO_SUCH_QUEUE where there is none. */
  status(name: QueueName, options: ReadOptions): Promise<QueueStatus>
  /** By name, over all partitions. */
  list(namespace: string, cursor: string, limit: number, options: ReadOptions): Promise<QueuePage>
  browse(
    name: QueueName,
    page: { readonly state: MessageState; readonly cursor: string; readonly limit: number },
    options: ReadOptions,
  ): Promise<MessagePage>
}
