/**
 * The words of the caches: what gateways ask of a node's cache, and what they are told.
 * The only file of `cache/` that the API, the SDK and the CLI may see. Semantics: `docs/caches.md`.
 *
 *   gateway ──ask──▶ cache actor of its node ──hit──▶ answer
 *                        │ miss: getS to the home (the leader of the key's partition)
 *                        └ write: through the log of the partition; answered once no node can serve the old value
 */
import type { ErrorCode, Outcome } from '../base/errors.ts'
import type { Millis, NodeId } from '../base/ids.ts'

export const CACHE_LIMITS = {
  nameLengthMax: 128,
  /** UTF-8. */
  keyBytesMax: 512,
  valueBytesMax: 1_048_576,
  contentTypeLengthMax: 256,
  tagsMax: 16,
  tagLengthMax: 128,
  levelsMax: 4,
  levelLengthMax: 8,
  /** Implicit tags of one key: its prefixes that end with a level's separator, the shortest first. */
  prefixesMax: 8,
  ttlMsMax: 31_536_000_000,
  /** Of one mget, mput or invalidate. */
  keysMax: 256,
  /** Of one mput, over all its values. */
  batchBytesMax: 8_388_608,
  loadWaitMsMax: 25_000,
  bytesMaxMin: 65_536,
  bytesMaxMax: 1_099_511_627_776,
  entriesMaxMax: 1_000_000_000,
  cachesPerPartitionMax: 10_000,
  /** Either way. */
  incrementMax: 9_007_199_254_740_990,
} as const

/** Of a node's line: modified, exclusive, shared, invalid (or not there). */
export type LineState = 'M' | 'E' | 'S' | 'I'
export const LINE_STATES: readonly LineState[] = ['M', 'E', 'S', 'I']

export interface CacheConfig {
  /** Of all values and keys together; each partition has its share. What is used least goes first. */
  readonly bytesMax: number
  readonly entriesMax: number
  readonly policy: 'lru' | 's3fifo'
  /** For what is put without one; 0: for ever. */
  readonly ttlMs: Millis
  /** Separators: a key's prefixes that end with one can be invalidated by a single write. */
  readonly levels: readonly string[]
  readonly durability: 'quorum' | 'writeback'
}

export const DEFAULT_CONFIG: CacheConfig = {
  bytesMax: 268_435_456,
  entriesMax: 1_000_000,
  policy: 'lru',
  ttlMs: 0,
  levels: [],
  durability: 'quorum',
}

export interface CacheName {
  readonly namespace: string
  readonly cache: string
}
export interface EntryName extends CacheName {
  readonly key: string
}

/** What a key holds. `version` rises with every change in the key's partition: it is the ETag, and the cursor of a subscription. */
export interface CacheEntry {
  readonly version: number
  readonly value: Uint8Array
  readonly contentType: string
  /** null: for ever. */
  readonly ttlLeftMs: Millis | null
}

export interface CacheRead {
  /** null: there is none. */
  readonly entry: CacheEntry | null
  /** Of this node's line when it was asked. */
  readonly line: LineState
  readonly hit: boolean
}

/** `absent`: only where there is none (If-None-Match: *). `present`: only where there is one (If-Match: *). A number: that version. */
export type Condition = null | 'absent' | 'present' | number

export interface NewValue {
  readonly value: Uint8Array
  readonly contentType: string
  /** null: the cache's. 0: for ever. */
  readonly ttlMs: Millis | null
  /** 0: not sliding. Else every read extends the life to this. */
  readonly slidingMs: Millis
  readonly tags: readonly string[]
}

export interface CacheWritten {
  readonly version: number
  /** There was none before. */
  readonly created: boolean
}

export interface CacheStatus {
  readonly cache: string
  readonly entries: number
  /** Of keys and values. */
  readonly bytes: number
  /** What they take in the memory of each replica. */
  readonly memoryBytes: number
  readonly hits: number
  readonly misses: number
  /** 0 where nothing was read. */
  readonly hitRatio: number
  readonly evictions: number
  /** Copies of entries that the nodes may read now, by state. None is invalid: what is, is not there. */
  readonly lines: Readonly<Record<LineState, number>>
  readonly coherence: CoherenceCounts
  /** Copies that were taken back before anybody had read them again. */
  readonly falseInvalidations: number
  readonly pingPong: PingPongView
  /** Nodes that did not say what they did and hold: the numbers are without them. */
  readonly unanswered: readonly NodeId[]
  readonly config: CacheConfig
}

export interface CoherenceCounts {
  readonly getS: number
  readonly getM: number
  readonly inv: number
  readonly invAck: number
  readonly recall: number
}

/** Lines whose copies were taken back five times and more in the window, as the homes of now have seen it. */
export interface PingPongView {
  readonly windowMs: Millis
  readonly lines: number
  /** Ten at most, the worst first. */
  readonly worst: readonly PingPongLine[]
}

/** Of an entry its key; else the tag, or the prefix that is a level. */
export type PingPongLine = ({ readonly key: string } | { readonly tag: string } | { readonly prefix: string }) & {
  /** Within the window. */
  readonly invalidations: number
  /** Whose copies were taken back. */
  readonly nodes: readonly NodeId[]
}

export type ChangeReason = 'put' | 'delete' | 'expire' | 'evict' | 'invalidate'

/** Why copies were taken back. `recall`: another asked for what the one node had that wrote the line alone. */
export type InvalidationCause = ChangeReason | 'recall'

export interface LineView {
  readonly key: string
  /** 0: there is no entry. By whoever writes the line alone, where that node answers; else as flushed. */
  readonly version: number
  readonly home: NodeId
  readonly partition: number
  /** A write or a recall is under way. */
  readonly busy: boolean
  /** Nodes whose copies are being taken back, and that have not acknowledged it. */
  readonly waitsFor: readonly NodeId[]
  /** As each says that answered. */
  readonly nodes: Readonly<Record<NodeId, LineState>>
  /** Nodes that did not answer. */
  readonly unanswered: readonly NodeId[]
  /** The last one that is over, as the home of now has seen it. */
  readonly lastInvalidation: {
    readonly cause: InvalidationCause
    /** When it began. RFC 3339. */
    readonly at: string
    /** Until no node had a copy; whole ones, like the next. */
    readonly ackMs: Millis
    /** Until each had acknowledged, or its lease was over: in their order. */
    readonly acksMs: Readonly<Record<NodeId, Millis>>
  } | null
}

/** What to drop. Tags and declared prefixes take one write each, whatever the number of keys. */
export type InvalidateWhat =
  | { readonly keys: readonly string[] }
  | { readonly prefix: string }
  | { readonly tags: readonly string[] }
  | { readonly all: true }

export type LoadOutcome =
  | { readonly type: 'value'; readonly read: CacheRead; readonly stale: boolean }
  /** The caller loads it: its put with this token is taken unless a write or an invalidation came between. */
  | { readonly type: 'load'; readonly loadToken: string; readonly leaseMs: Millis }

export interface CacheCallOptions {
  readonly timeoutMs: Millis
  readonly idempotencyKey?: { readonly key: string; readonly fingerprint: string }
  readonly traceparent?: string
}

/** Of a load: the place of one that waits is given up when its caller is gone; it is OWNER_BUSY then, or what came before that. */
export interface LoadCallOptions extends CacheCallOptions {
  readonly signal?: AbortSignal
}

/** Of one key of an mput: its version, or why not, and whether that is certain. */
export type MputResult =
  | { readonly key: string; readonly version: number }
  | { readonly key: string; readonly code: ErrorCode; readonly message: string; readonly outcome: Outcome }

/**
 * What the API sees of the caches. Every promise rejects with TricordError: NO_QUORUM where the promise of coherence cannot
 * be kept now (never a stale value), UNKNOWN_OUTCOME where a write's fate is not known.
 */
export interface Caches {
  get(name: EntryName, options: CacheCallOptions): Promise<CacheRead>
  getMany(name: CacheName, keys: readonly string[], options: CacheCallOptions): Promise<readonly CacheRead[]>
  /** VERSION_MISMATCH (with `version`, 0: none) where the condition does not hold; STALE_TOKEN for a load token that is over. */
  put(name: EntryName, value: NewValue, condition: Condition, loadToken: string | null, options: CacheCallOptions): Promise<CacheWritten>
  /** Each by itself: not one write. Rejects, and nothing is written, where its idempotency key was used for another call. */
  putMany(
    name: CacheName,
    entries: readonly { readonly key: string; readonly value: NewValue }[],
    options: CacheCallOptions,
  ): Promise<readonly MputResult[]>
  /** Whether there was one. */
  delete(name: EntryName, condition: Condition, options: CacheCallOptions): Promise<{ readonly existed: boolean; readonly version: number }>
  /** From 0 where there is none. INVALID_ARGUMENT where the value is no integer, or it or the sum is beyond +-(2^53 - 1). */
  increment(name: EntryName, by: number, options: CacheCallOptions): Promise<{ readonly value: number; readonly version: number }>
  /** How many entries are gone. */
  invalidate(name: CacheName, what: InvalidateWhat, options: CacheCallOptions): Promise<{ readonly invalidated: number }>
  /** OWNER_BUSY where another loads it, and did not put it within `waitMs`. */
  load(
    name: EntryName,
    how: { readonly waitMs: Millis; readonly staleOk: boolean; readonly tags: readonly string[] },
    options: LoadCallOptions,
  ): Promise<LoadOutcome>
  /** What is not named keeps its value, or gets the default. */
  configure(
    name: CacheName,
    config: Partial<CacheConfig>,
    options: CacheCallOptions,
  ): Promise<{ readonly created: boolean; readonly config: CacheConfig }>
  status(name: CacheName, options: CacheCallOptions): Promise<CacheStatus>
  line(name: EntryName, options: CacheCallOptions): Promise<LineView>
}

/** A read for who keeps copies. */
export interface LentRead {
  readonly read: CacheRead
  /** Asked as the answer leaves. Null: it is not to be kept. `leaseMs`, `ttlMs` (null: for ever): from when it was asked for. */
  lent(): { readonly leaseMs: Millis; readonly ttlMs: Millis | null } | null
}

/** One who keeps copies of what it reads through this, none of them older than any write that was answered. */
export interface Borrowing {
  get(name: EntryName, options: CacheCallOptions): Promise<LentRead>
  /** What was called back up to this number is not read any more. The new lease, from when it was asked for; 0: none. */
  beat(acked: number, timeoutMs: Millis): Promise<Millis>
  /** Nothing is told until `resume`; whatever is called back waits for the end of the lease then. It begins paused. */
  pause(): void
  resume(): void
  /** `isCertain`: nothing that was lent is read any more. Else it may, as long as the lease lasts. */
  end(isCertain: boolean): void
}

export interface BorrowingListener {
  /** Not to be read any more, then to be acknowledged. `key` null: anything that was lent. */
  calledBack(n: number, key: string | null): void
}

export interface Lendings {
  /** Rejects with QUOTA where there are too many. */
  open(listener: BorrowingListener, timeoutMs: Millis): Promise<Borrowing>
}

/** Which changes to hear of. Keys are there once each. */
export type WatchWhat = { readonly keys: readonly string[] } | { readonly prefix: string } | { readonly all: true }

/** What is held of the key is over unless it is of this version or a later one. */
export interface Invalidation {
  readonly key: string
  readonly version: number
  readonly reason: ChangeReason
}

export interface InvalidationListener {
  /** In the order of each partition; what was told may be told again. */
  invalidated(events: readonly Invalidation[]): void
  /** Changes were missed: anything that is held may be over. Not of keys that were named: of them it is known which. */
  reset(): void
}

/** A subscription. It begins paused: nothing is told before `resume`. */
export interface InvalidationStream {
  /** How far it has told, for any gateway to go on from. */
  cursor(): string
  /** Whatever was answered to anybody longer ago has been told. Infinity: not known, or not yet where nobody has asked before. */
  ageMs(): Millis
  /** Nothing is told until `resume`, and nothing is kept but the place. */
  pause(): void
  resume(): void
  end(): void
}

export interface Invalidations {
  /**
   * What changes from now on, or since `cursor`. Rejects with NO_QUORUM where a home does not answer in time, QUOTA where this gateway
   * has too many, INVALID_ARGUMENT where the cursor is none.
   */
  open(
    name: CacheName,
    what: WatchWhat,
    cursor: string | null,
    listener: InvalidationListener,
    timeoutMs: Millis,
  ): Promise<InvalidationStream>
  /** A cursor for whoever has heard up to one of these (there is at least one), and nobody knows which. */
  earliest(cursors: readonly string[]): string
}
