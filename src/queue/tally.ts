/** Counts of one queue since this replica's start, for metrics. Not part of the replicated state, and nothing depends on them. */
export interface Tally {
  enqueued: number
  deduplicated: number
  delivered: number
  /** Deliveries of what was delivered before. */
  redelivered: number
  acked: number
  nacked: number
  /** Leases that ran out. */
  expired: number
  /** Messages whose time to live ran out. */
  outlived: number
  /** Dropped to make room. */
  dropped: number
  purged: number
  dead: number
  redriven: number
}

export function newTally(): Tally {
  return {
    enqueued: 0,
    deduplicated: 0,
    delivered: 0,
    redelivered: 0,
    acked: 0,
    nacked: 0,
    expired: 0,
    outlived: 0,
    dropped: 0,
    purged: 0,
    dead: 0,
    redriven: 0,
  }
}
