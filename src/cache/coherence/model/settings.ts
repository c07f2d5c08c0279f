/**
 * What a configuration of the model allows, and the rules of the driver that can be broken on purpose.
 */

export const UNIT_MS = 1_000

export interface Settings {
  readonly name: string
  readonly nodes: number
  /** Terms of homes; each election takes one. */
  readonly terms: number
  /** Reads that miss. Hits cost nothing. */
  readonly loads: number
  readonly writes: number
  /** Writes that are refused and tell what they saw. */
  readonly looks: number
  /** Units of time that may pass. */
  readonly time: number
  /** How many a session lasts. */
  readonly lease: number
  /** Tries of one life of a node. */
  readonly tries: number
  /** Grants and revocations of one home. */
  readonly grants: number
  readonly evictions: boolean
  /** Restarts of nodes, in all. */
  readonly crashes: number
  /** Proposals invalidate at once. */
  readonly preparing: boolean
  /** Begins with a session for each node; else they have to be opened. */
  readonly sessions: boolean
  /** Messages that can do nothing any more are forgotten, so that states that differ by them alone are one. */
  readonly forgetful: boolean
  /** Who is elected has applied nothing yet. */
  readonly lagging: boolean
  /** What happens first, each the first event of that name. */
  readonly begin: readonly RegExp[]
  /** Old homes go on proposing and answering after another was elected. */
  readonly deposed: boolean
}

/** Rules that are not in the reducers but in what drives them. */
export interface Rules {
  /** An answer waits until it is settled. */
  readonly gate: boolean
  /** So does a repeated answer, at a home that did not write it. */
  readonly gateRepeated: boolean
  /** And one that only shows what is there. */
  readonly gateLooks: boolean
  /** A hold is told once it is committed. */
  readonly holdCommitted: boolean
  /** The lease stands on when the confirmation was asked for. */
  readonly leaseFromAsking: boolean
  /** A new home reads only once its first entry is applied. */
  readonly caughtUp: boolean
  /** What a home asked to forget is not forgotten by the log of a later one. */
  readonly unholdInTerm: boolean
  /** The life of a node is told apart from the one before. */
  readonly lives: boolean
}

export const ALL_RULES: Rules = {
  gate: true,
  gateRepeated: true,
  gateLooks: true,
  holdCommitted: true,
  leaseFromAsking: true,
  caughtUp: true,
  unholdInTerm: true,
  lives: true,
}
