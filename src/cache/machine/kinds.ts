/**
 * The first byte of a record's key; the rest, and the values, are in `records.ts`. A partition's queues use those below 64.
 * In the order of the keys whatever a record refers to comes before it.
 */
export const COUNTERS = 64
export const HOLDER = 65
export const CACHE = 66
export const CONFIG = 67
export const MARKER = 68
/** Before the entries: what is owned is pinned. */
export const OWNERSHIP = 69
export const ENTRY = 70
export const USE = 71
export const GHOSTS = 72
export const LOAD = 73
export const WAITER = 74
