/** Counts since this replica's start, for metrics. Not part of the replicated state, and nothing depends on them. */
export interface Tally {
  granted: number
  reentered: number
  /** Requests that began to wait. */
  waited: number
  released: number
  renewed: number
  expired: number
  /** Waits that ended at their deadline. */
  timedOut: number
  /** Waits ended by the caller's going, or the session's. */
  cancelled: number
  refused: number
  sessionsOpened: number
  sessionsExpired: number
}

export function newTally(): Tally {
  return {
    granted: 0,
    reentered: 0,
    waited: 0,
    released: 0,
    renewed: 0,
    expired: 0,
    timedOut: 0,
    cancelled: 0,
    refused: 0,
    sessionsOpened: 0,
    sessionsExpired: 0,
  }
}
