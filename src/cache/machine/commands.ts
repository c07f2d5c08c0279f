/**
 * What the log says to the caches of a partition, and what they answer.
 *
 * Who sends a command has looked at lines on other partitions for it: the cache's configuration (`share`, a default life),
 * the versions of the tags, and whether what is there was alive (`dead`, `known`). The machine sees its own partition only.
 */
import type { Millis, NodeId, Term } from '../../base/ids.ts'
import type { Refused } from '../../base/refusal.ts'
import type { LineId } from '../coherence/protocol.ts'
import { CACHE_LIMITS, type CacheConfig, type CacheName, type Condition, type EntryName } from '../types.ts'

export const MACHINE_LIMITS = {
  /** Tags and prefixes of a key, twice: what was loaded carries those of its load, and those that it was put with. */
  tagsPerEntryMax: 2 * (CACHE_LIMITS.tagsMax + CACHE_LIMITS.prefixesMax),
  linesPerCommandMax: 32,
  /** Entries that a sweep, or an `advance`, takes away at once. */
  sweepMax: 1_000,
  /** Entries that a sweep looks at in one command. */
  sweepScanMax: 20_000,
  /** Tags and levels that were ever invalidated on this partition. */
  markersMax: 1_000_000,
  configsMax: 100_000,
  holdersMax: 1_024,
  loadsMax: 100_000,
  waitersPerLoadMax: 1_000,
  ownVersionsMax: 1_000_000,
  ownedMax: 100_000,
  loadLeaseMs: 10_000,
  staleMsMax: 60_000,
} as const

/** A line that keeps an entry alive, and its version as of the entry. */
export type LineVersion = readonly [line: LineId, version: number]

/** What a cache may hold on this partition, as of a version of its configuration; an older one changes nothing. */
export interface Share {
  readonly bytes: number
  readonly entries: number
  readonly policy: CacheConfig['policy']
  readonly configVersion: number
}

/** A write of an entry. Whether what it meets is alive, tags on other partitions say: as it was seen before it was sent. */
interface WriteCommand extends EntryName {
  /** An entry of this version or an older one was seen to be dead by its tags: it counts as none. 0: nothing was seen. */
  readonly dead: number
  /**
   * Versions of lines as they were seen. What carries an older one is dead; what carries a line that is neither here nor among the
   * command's `tags` came since, and cannot be judged: the answer is `unjudged`. Null: nothing depends on it, and nobody looked.
   */
  readonly known: readonly LineVersion[] | null
  /** The ownership under which it is written; 0: none, and it is answered with `owned` where there is one. */
  readonly own: number
}

export interface PutCommand extends WriteCommand {
  readonly type: 'cache_put'
  readonly value: Uint8Array
  readonly contentType: string
  /** null: for ever, or as long as it slides. */
  readonly ttlMs: Millis | null
  readonly slidingMs: Millis
  readonly tags: readonly LineVersion[]
  readonly condition: Condition
  /** Of a load that was granted: without that, and without change since, it is STALE_TOKEN. Its tags are those of the grant. */
  readonly loadToken: number | null
  readonly share: Share
}

export interface DeleteCommand extends WriteCommand {
  readonly type: 'cache_delete'
  readonly condition: Condition
}

/** Keeps the life and the tags of what is there; what is given here is for what is not. */
export interface IncrementCommand extends WriteCommand {
  readonly type: 'cache_increment'
  readonly by: number
  readonly ttlMs: Millis | null
  readonly tags: readonly LineVersion[]
  readonly share: Share
}

/** They were read. */
export interface TouchCommand extends CacheName {
  readonly type: 'cache_touch'
  readonly keys: readonly string[]
}

/** Invalidates tags and levels: their versions rise, and what carries an older one is to be swept. */
export interface BumpCommand {
  readonly type: 'cache_bump'
  readonly lines: readonly LineId[]
}

export interface ConfigureCommand extends CacheName {
  readonly type: 'cache_configure'
  readonly config: Partial<CacheConfig>
}

export interface InvalidateKeysCommand extends CacheName {
  readonly type: 'cache_invalidate_keys'
  readonly keys: readonly string[]
}

/** `line`: what carries an older version of it than `below`. Else what was there before `below`, and has the prefix. */
export type SweepWhat = { readonly line: LineId } | { readonly prefix: string } | { readonly all: true }

/**
 * Takes bodies away, a page at a time: the next one with `after` and `below` of the answer. Of a prefix or all, more after 0: nothing was
 * done, and more is owned than is told; begin again once that is given back.
 */
export interface SweepCommand extends CacheName {
  readonly type: 'cache_sweep'
  readonly what: SweepWhat
  /** 0: now, for a prefix or all. */
  readonly below: number
  /** 0: from the beginning. */
  readonly after: number
}

/** Nothing is left on any partition that carries the line in an older version than this one. */
export interface SweptCommand {
  readonly type: 'cache_swept'
  readonly lines: readonly LineVersion[]
}

export interface LimitsCommand extends CacheName {
  readonly type: 'cache_limits'
  readonly share: Share
}

/** What the entries of all caches of the partition may take of a node's memory, says the home of `term`. In the log of a later one it is refused. */
export interface RoomCommand {
  readonly type: 'cache_room'
  readonly bytes: number
  readonly term: Term
}

export interface LoadCommand extends EntryName {
  readonly type: 'cache_load'
  readonly waitMs: Millis
  /** A value whose time is over is better than waiting for another one who loads. */
  readonly staleOk: boolean
  readonly tags: readonly LineVersion[]
  readonly dead: number
}

/** Changes nothing. A call of many writes says its own idempotency key with it, so that the key means one call and no other. */
export interface BeginCommand extends CacheName {
  readonly type: 'cache_begin'
}

/** The node may hold copies of lines of this partition. */
export interface HoldCommand {
  readonly type: 'cache_hold'
  readonly node: NodeId
}

/**
 * It holds none any more, says the home of `term`. In the log of a later one it changes nothing: the node may have come back to
 * that home, which found it among the holders and had nothing to write.
 */
export interface UnholdCommand {
  readonly type: 'cache_unhold'
  readonly node: NodeId
  readonly term: Term
}

/** Gives the line of an entry to a node, with versions for `count` writes. Ends the ownership of another. */
export interface OwnCommand {
  readonly type: 'cache_own'
  readonly line: LineId
  readonly node: NodeId
  readonly count: number
  /** Of the home that gives it: in the log of another one it is refused, for it would end what that one has given since. */
  readonly term: Term
}

/** What the owner made of the line. */
export interface FlushCommand {
  readonly type: 'cache_flush'
  readonly line: LineId
  readonly own: number
  /** Of those given with the ownership, above the last one that was flushed. */
  readonly version: number
  /** null: it was deleted. */
  readonly value: Uint8Array | null
  readonly contentType: string
  readonly ttlMs: Millis | null
  readonly slidingMs: Millis
  readonly tags: readonly LineVersion[]
  readonly share: Share
}

export interface ReleaseCommand {
  readonly type: 'cache_release'
  readonly line: LineId
  readonly own: number
  /**
   * Of the home that ends it: in the log of another it is refused, for the owner may be flushing what that one waits for. 0: the owner
   * lets it go.
   */
  readonly term: Term
}

export type CacheCommand =
  | PutCommand
  | DeleteCommand
  | IncrementCommand
  | TouchCommand
  | BumpCommand
  | ConfigureCommand
  | InvalidateKeysCommand
  | SweepCommand
  | SweptCommand
  | LimitsCommand
  | RoomCommand
  | LoadCommand
  | BeginCommand
  | HoldCommand
  | UnholdCommand
  | OwnCommand
  | FlushCommand
  | ReleaseCommand

export type CacheReply =
  | Refused
  /** The line is another's to write: nothing was done. Recall it, or name its ownership. */
  | { readonly type: 'owned'; readonly line: LineId; readonly node: NodeId; readonly own: number }
  /** Nothing was done: what is there carries tags that whoever wrote had not seen. Look again. */
  | { readonly type: 'unjudged' }
  | { readonly type: 'put'; readonly version: number; readonly created: boolean }
  /** `version`: of the deletion; 0 where there was none. */
  | { readonly type: 'deleted'; readonly version: number; readonly existed: boolean }
  | { readonly type: 'incremented'; readonly version: number; readonly value: number }
  | { readonly type: 'touched'; readonly touched: number }
  /** In the order of the lines. */
  | { readonly type: 'bumped'; readonly versions: readonly number[] }
  | { readonly type: 'configured'; readonly version: number; readonly created: boolean; readonly config: CacheConfig }
  /** `owned`: keys that another has to give back first; nothing was done to them. */
  | { readonly type: 'invalidated'; readonly removed: number; readonly owned: readonly string[] }
  | {
      readonly type: 'swept'
      readonly removed: number
      readonly more: boolean
      readonly after: number
      readonly below: number
      readonly owned: readonly string[]
    }
  | { readonly type: 'noted' }
  | { readonly type: 'limited' }
  /** There is a value: read it. Attached where it is still this very one. */
  | { readonly type: 'found'; readonly version: number; readonly value: FoundValue | null }
  /** Its time is over, and another one loads. `value` null: it is gone by now. */
  | { readonly type: 'stale'; readonly version: number; readonly value: FoundValue | null }
  | { readonly type: 'load'; readonly token: number; readonly leaseMs: Millis }
  | { readonly type: 'begun' }
  | { readonly type: 'held' }
  | { readonly type: 'own'; readonly own: number; readonly versionFirst: number; readonly versionMax: number }
  | { readonly type: 'flushed'; readonly version: number }
  /** False: it was over before. */
  | { readonly type: 'released'; readonly released: boolean }

export interface FoundValue {
  readonly value: Uint8Array
  readonly contentType: string
  /** null: for ever; 0: its time is over. */
  readonly ttlLeftMs: Millis | null
}
