/** What a line holds (`protocol.ts`) where it holds nothing. */
import type { Held } from './protocol.ts'

/** Nothing, as of this version. */
export function nothingAt(version: number): Held {
  return { version, value: null, contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }
}

/** Of a line that has no version of its own. */
export const NOTHING_HELD: Held = nothingAt(0)
