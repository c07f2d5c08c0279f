/**
 * The six modes of multi-granularity locking (Gray 1976) as tables over bit sets: mode i is bit 1 << i, so "is this
 * request compatible with everything held or waiting before it" is one AND.
 *
 *            IS   IX   S    SIX  U    X
 *      IS    +    +    +    +    +    .         + compatible, symmetric
 *      IX    +    +    .    .    .    .
 *      S     +    .    +    .    +    .         U: read now, perhaps write later; only one U at a time
 *      SIX   +    .    .    .    .    .
 *      U     +    .    +    .    .    .
 *      X     .    .    .    .    .    .
 *
 * Invariant: a mode covers another iff it excludes everything that the other excludes.
 */
import { MODES } from './types.ts'
import type { Mode } from './types.ts'

/** Index into MODES. The index is also the order of strength, as shown in a status: among modes that can be held together, the higher is the stronger. */
export type ModeIndex = number
/** A set of modes, bit 1 << index. */
export type ModeMask = number

const COMPATIBLE: readonly string[] = [
  '+++++.', // intent-shared
  '++....', // intent-exclusive
  '+.+.+.', // shared
  '+.....', // shared-intent-exclusive
  '+.+...', // update
  '......', // exclusive
]

/** For each mode, the modes that may not be held beside it. */
export const CONFLICTS: readonly ModeMask[] = COMPATIBLE.map((row) =>
  [...row].reduce((mask, cell, index) => (cell === '+' ? mask : mask | (1 << index)), 0),
)

/** For each set of modes (64 of them), the modes that conflict with at least one of the set. */
export const BLOCKED_BY: readonly ModeMask[] = Array.from({ length: 1 << MODES.length }, (_, set) =>
  CONFLICTS.reduce((mask, conflicts, index) => ((conflicts & set) === 0 ? mask : mask | (1 << index)), 0),
)

export function conflictsOf(mode: ModeIndex): ModeMask {
  return CONFLICTS[mode] as ModeMask
}

export function blockedBy(set: ModeMask): ModeMask {
  return BLOCKED_BY[set] as ModeMask
}

/** Whether a holder of `held` already has every right of `wanted`. */
export function covers(held: ModeIndex, wanted: ModeIndex): boolean {
  const needed = conflictsOf(wanted)
  return (conflictsOf(held) & needed) === needed
}

/** The strongest mode of a non-empty set. */
export function strongest(set: ModeMask): ModeIndex {
  return 31 - Math.clz32(set)
}

export function modeName(mode: ModeIndex): Mode {
  return MODES[mode] as Mode
}

const INDEX_OF = new Map<string, ModeIndex>(MODES.map((mode, index) => [mode, index]))

/** Index of a public mode name, -1 for a word that is none. */
export function modeIndex(mode: string): ModeIndex {
  return INDEX_OF.get(mode) ?? -1
}
