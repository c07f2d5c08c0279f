/**
 * What a watch asks and is told, and how it travels: the answer as a tuple, the question as arguments of the calls `watch`
 * (gateway -> its node) and `watch_home` (node -> home).
 */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis, Term } from '../../base/ids.ts'
import { unreadable } from '../../raft/unreadable.ts'
import type { LineId } from '../coherence/protocol.ts'
import type { ChangeReason } from '../types.ts'

/** What the lines of the entries of one cache begin with (line-id.ts). */
export type LinePrefix = string

export const WATCH_LIMITS = {
  /** A watch that hears nothing is answered so often. */
  waitMs: 1_000,
  /** Beyond it: what an answer may need on its way. */
  slackMs: 500,
  /** Of one answer. */
  changesMax: 256,
  /** Caches that a watch names; one of more names none, and hears of all. */
  interestMax: 64,
  perHomeMax: 4_096,
} as const

export interface WatchQuestion {
  /** The last place of which everything is known. Null: from now on. */
  readonly since: number | null
  readonly interest: readonly LinePrefix[]
  /** 0: what there is now. */
  readonly waitMs: Millis
}

export interface WatchAnswer {
  readonly term: Term
  /** Everything of interest up to here is told with it. */
  readonly upTo: number
  /** What came after `since` is not known any more: begin again at `upTo`. */
  readonly lost: boolean
  /** Relative to when the question arrived: whatever was answered to a writer before is told. Null: nobody can say. */
  readonly fresh: Millis | null
  /**
   * The same, of tags and levels whose lines are here: what was invalidated before is swept everywhere, and told by the homes that swept it.
   * Who was told everything up to a moment by another home misses of it what that has swept since: it began up to `lagMs` before that moment.
   */
  readonly swept: Millis | null
  readonly lagMs: Millis
  /** Or, where a sweep took longer, at any time: it ended so long ago. Null: none did lately. */
  readonly slowAgo: Millis | null
  readonly changes: readonly (readonly [at: number, version: number, line: LineId, reason: ChangeReason])[]
}

export function encodeAnswer({ term, upTo, lost, fresh, changes, swept, lagMs, slowAgo }: WatchAnswer): Plain {
  return [term, upTo, lost, fresh, changes, swept, lagMs, slowAgo]
}

/** Throws where it is none. */
export function decodeAnswer(value: unknown): WatchAnswer {
  if (!Array.isArray(value)) throw unreadable('no answer to a watch')
  const [term, upTo, lost, fresh, changes, swept, lagMs, slowAgo] = value as readonly unknown[]
  if (typeof term !== 'number' || typeof upTo !== 'number' || typeof lost !== 'boolean' || !Array.isArray(changes)) {
    throw unreadable('no answer to a watch')
  }
  return {
    term,
    upTo,
    lost,
    fresh: numberOr(fresh, null),
    swept: numberOr(swept, null),
    lagMs: numberOr(lagMs, 0),
    slowAgo: numberOr(slowAgo, null),
    changes: changes as WatchAnswer['changes'],
  }
}

function numberOr<T>(value: unknown, other: T): number | T {
  return typeof value === 'number' ? value : other
}
