/**
 * The first byte of a record's key; the rest, and the values, are in `records.ts`. In the order of the keys whatever a record
 * refers to comes before it, so that loading can link each at once.
 */
export const COUNTERS = 1
export const QUEUE = 2
export const LANE = 3
export const RUNS = 4
export const MARKS = 5
/** Before the notes: some of those are buried. */
export const GRAVE = 6
export const NOTE = 7
export const WAITER = 8
export const DEDUP = 9
export const SETTLED = 10
export const FENCE = 11
/** Cold: written, and read when an answer leaves. */
export const BODY = 12
