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
  /** How many of them may go through the log; the others are for owners alone. */
  readonly logged: number
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
  /** Nodes may stop: they give up their copies and say so. */
  readonly leaves: boolean
  /** Who asks may have waited long enough. */
  readonly givesUp: boolean
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
  /** Nodes own lines and write them alone. */
  readonly owners: boolean
  /** Owners let their lines go by themselves. */
  readonly releases: boolean
  /** The first node has a client that keeps copies. */
  readonly lends: boolean
  /** What an owner has not flushed may be lost: it counts as told once it is in the log. */
  readonly lossy: boolean
  /** Old homes go on proposing and answering after another was elected. */
  readonly deposed: boolean
}

/** The first home catches up, and each node opens a session with it. */
export function sessionEvents(nodes: number): readonly RegExp[] {
  const openings = Array.from({ length: nodes }, (_, node) => {
    const knocks = [new RegExp(`n${node} loads`), new RegExp(`open 1 of n${node} to home 1`), /committed/, /applies/]
    return [...knocks, /home 1 is confirmed/, /home 1 hears/, new RegExp(`opened to n${node}`)]
  })
  return [/committed/, /applies/, ...openings.flat()]
}

/** Rules that are not in the reducers but in what drives them. */
export interface Rules {
  /** An answer waits until it is settled. */
  readonly gate: boolean
  /** So does a repeated answer, at a home that did not write it. */
  readonly gateRepeated: boolean
  /** And one that only shows what is there. */
  readonly gateLooks: boolean
  /** A write that is asked for again is not made again. */
  readonly once: boolean
  /** The log of a deposed home is nobody's any more. */
  readonly fenced: boolean
  /** A hold is told once it is committed. */
  readonly holdCommitted: boolean
  /** The lease stands on when the confirmation was asked for. */
  readonly leaseFromAsking: boolean
  /** A new home reads only once its first entry is applied. */
  readonly caughtUp: boolean
  /** What a home asked to forget is not forgotten by the log of a later one. */
  readonly unholdInTerm: boolean
  /** What a home asked to give to a node is not given by the log of a later one. */
  readonly ownInTerm: boolean
  /** What an owner flushes counts only while its ownership is the last one. */
  readonly flushFenced: boolean
  /** What an older home asked to end is not ended by the log of a later one: the owner may be flushing for that. */
  readonly releaseInTerm: boolean
  /** What is let go is one ownership, not that of whoever has the line when it comes into the log. */
  readonly releaseByNumber: boolean
  /** A node that has restarted says nothing until what it lent before is over. */
  readonly quiet: boolean
  /** A client does not take what was called back on its way. */
  readonly overtaken: boolean
  /** A client does not serve after its lease. */
  readonly clientLease: boolean
  /** The life of a node is told apart from the one before. */
  readonly lives: boolean
}

export const ALL_RULES: Rules = {
  gate: true,
  gateRepeated: true,
  gateLooks: true,
  once: true,
  fenced: true,
  holdCommitted: true,
  leaseFromAsking: true,
  caughtUp: true,
  unholdInTerm: true,
  ownInTerm: true,
  flushFenced: true,
  releaseByNumber: true,
  releaseInTerm: true,
  quiet: true,
  overtaken: true,
  clientLease: true,
  lives: true,
}
