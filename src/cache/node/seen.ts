/**
 * What a read sees of an entry: the entry first and the lines that keep it alive afterwards, so it is linearizable as of the moment of the
 * entry.
 *
 *   entry ─▶ its tags and levels ──as they were──────▶ alive
 *     ▲                          └─of another version─▶ dead: as if it were not there
 *     └──────────── replaced meanwhile ─────────────────┘
 */
import { TricordError } from '../../base/errors.ts'
import { type Eventually, after } from '../../base/eventually.ts'
import type { Millis } from '../../base/ids.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import type { LineVersion } from '../machine/commands.ts'
import type { CacheEntry } from '../types.ts'
import type { Lines } from './lines.ts'

/** Looks for an entry that was dead by a tag each time, and replaced. */
const REPLACED_MAX = 16

/** As of a moment: the entry, where it lives; else what was there, dead by a tag. */
export interface Seen {
  readonly entry: CacheEntry | null
  /** Version of what is there though it is dead; 0: nothing. */
  readonly dead: number
  /** What it is dead by, as it is now. */
  readonly killer: LineVersion | null
}

const NOTHING_SEEN: Seen = { entry: null, dead: 0, killer: null }

/**
 * What was there alive at one moment of this read; or the version of what was there dead. What is found dead may have been
 * replaced before its tag was invalidated: then there was something alive all the time, and it is looked for again.
 */
export function foundAt(lines: Lines, line: LineId, held: Held, timeoutMs: Millis, triesLeft = REPLACED_MAX): Eventually<Seen> {
  const first = seenOf(lines, held, timeoutMs)
  // What every hit takes: without a function made for each.
  if (!(first instanceof Promise) && first.dead === 0) return first
  return after(first, (seen) => {
    if (seen.dead === 0) return seen
    if (triesLeft === 0)
      throw new TricordError('OVERLOADED', 'the key is written and invalidated faster than it is read', { retryAfterMs: 0 })
    const again = lines.read(line, timeoutMs)
    return after(again, (now) => (now.version === held.version ? seen : foundAt(lines, line, now, timeoutMs, triesLeft - 1)))
  })
}

/** Of what one look has found: alive or dead, and not looked for again. */
export function seenOf(lines: Lines, held: Held, timeoutMs: Millis): Eventually<Seen> {
  if (held.value === null) return NOTHING_SEEN
  return alive(lines, held, 0, timeoutMs)
}

function alive(lines: Lines, held: Held, from: number, timeoutMs: Millis): Eventually<Seen> {
  for (let at = from; at < held.tags.length; at++) {
    const [line, version] = held.tags[at] as LineVersion
    const tag = lines.read(line, timeoutMs)
    if (tag instanceof Promise)
      return tag.then((now) => (now.version === version ? alive(lines, held, at + 1, timeoutMs) : deadBy(held, [line, now.version])))
    if (tag.version !== version) return deadBy(held, [line, tag.version])
  }
  const { version, value, contentType, ttlLeftMs } = held
  return { entry: { version, value: value as Uint8Array, contentType, ttlLeftMs }, dead: 0, killer: null }
}

function deadBy({ version }: Held, killer: LineVersion): Seen {
  return { entry: null, dead: version, killer }
}

/** What is written now carries these versions. */
export async function versionsOf(lines: Lines, ids: readonly LineId[], timeoutMs: Millis): Promise<readonly LineVersion[]> {
  if (ids.length === 0) return []
  return Promise.all(ids.map(async (id): Promise<LineVersion> => [id, (await lines.read(id, timeoutMs)).version]))
}
