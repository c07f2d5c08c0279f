/**
 * What the home of a partition knows in one term, as plain data, and the door through which it acts. The functions on it
 * are in `home-sessions.ts` (who may hold copies), `home-lines.ts` (who holds what) and `home-opening.ts` (the silence of a
 * new home); `directory.ts` is the face.
 */
import type { Millis, NodeId, Term } from '../../base/ids.ts'
import type { InvalidationCause } from '../types.ts'
import type { LeaseTimes } from './lease.ts'
import type { Held, LineId, ToHome, ToNode } from './protocol.ts'

export interface HomePort {
  send(to: NodeId, message: ToNode): void
  /** What the partition has applied. */
  read(line: LineId): Held
  /** Commit that the node may hold lines; told by `Directory.held`. May be asked for again. */
  hold(node: NodeId): void
  /** Commit that the node holds none any more; told by `Directory.unheld`, once that is certain. */
  unhold(node: NodeId): void
  /** The number of the ownership of the line by what is applied of the log; 0: nobody's. */
  owned(line: LineId): number
  /** All that is owned, as applied now and later, in no order. */
  eachOwned(): Iterator<OwnedBy>
  /** Commit that the node owns the line, its number and versions; told by `Directory.given`, or `notGiven`. Until that is certain. */
  own(line: LineId, node: NodeId): void
  /** Commit that this ownership is over; told by `Directory.released`. Until that is certain. */
  release(line: LineId, own: number): void
  /** Ask a majority whether this is still the leader of the term; told by `Directory.confirmed(ask)`. May come to nothing. */
  confirm(ask: number): void
  /** No node can serve anything older than this version of its line any more. */
  settled(version: number): void
  /** The home speaks from now on: all that was applied before is settled. */
  opened(): void
}

export interface HomeOptions extends LeaseTimes {
  readonly term: Term
  /** The session of a node that left an invalidation unanswered for so long is not renewed. */
  readonly unackedMs: Millis
  /** A write that was proposed and not heard of again is forgotten after that long. */
  readonly expectMs: Millis
  /** A confirmation is good for renewals for that long. */
  readonly confirmMs: Millis
  /** A holder without a session for that long is none any more: it would only delay the next home. So long a line waits for its owner. */
  readonly holderIdleMs: Millis
  /** So long nobody is given a line that an invalidation was told is owned: it waits for an owner that is gone, then comes again. */
  readonly clearMs: Millis
  /** Lines that are tracked: beyond it, the copies of others are called back. */
  readonly linesMax: number
}

export const HOME_DEFAULTS: Omit<HomeOptions, 'term'> = {
  leaseMs: 2_000,
  drift: 0.01,
  // 10 ms each of the node and of its home: what their clocks may not see (`io/suspend-aware-clock.ts`).
  marginMs: 25,
  unackedMs: 500,
  expectMs: 1_000,
  confirmMs: 400,
  holderIdleMs: 60_000,
  clearMs: 3_000,
  linesMax: 1_000_000,
}

/** One node, as the home knows it. */
export interface Peer {
  /** The number of its last `open`: earlier ones are late. */
  tried: number
  /** Of its session; 0: none. */
  sid: number
  /** The number of the `open` that the session was opened for. */
  openedFor: number
  endsAt: Millis
  /** When its last session was over; or when it was first heard of. */
  overAt: Millis
  /** Each `open` waits: for the hold, for a confirmation that is asked for after it came, or for the home to speak. The oldest first. */
  openings: readonly { readonly n: number; readonly ask: number }[]
  renewing: { n: number; arrivedAt: Millis } | null
  /** Of its `leave` that waits for the log; 0: of none. */
  leaving: number
  /** Of its last `leave`: where nothing came after it, the node is gone. 0: it never was. */
  left: number
}

/** It counts while `sid` is the session of the node. */
export interface Grant {
  readonly node: NodeId
  readonly sid: number
  readonly g: number
}

/** Who writes the line alone. Counts while `sid` is the session of the node. */
export interface Owner extends Grant {
  /** The question it answers: asked again, it is answered again. */
  readonly rid: number
  readonly own: number
  readonly versionFirst: number
  readonly versionMax: number
}

/** A question that waits for an owner to give the line back, or for the log. */
export interface Question {
  readonly node: NodeId
  readonly sid: number
  readonly rid: number
  readonly wants: 'S' | 'X'
}

/** An invalidation under way: all grants up to `t`. */
export interface Invalidation {
  readonly t: number
  readonly startedAt: Millis
  /** Who has not acknowledged it. Not empty. */
  readonly waits: Set<NodeId>
  /** Who has, after how long; or whose session was over by then. */
  readonly acks: [node: NodeId, afterMs: Millis][]
  sendAt: Millis
  tries: number
  /** Writes that were applied since; none yet where it was begun by a proposal. */
  readonly versions: number[]
  /** What the line held before the first of them, and until when: it is told to others meanwhile. */
  before: Held | null
  beforeUntil: Millis
  cause: InvalidationCause
}

export interface HomeLine {
  grants: Grant[]
  busy: Invalidation | null
  owner: Owner | null
  queue: Question[]
  /** What is on its way through the log: an ownership for who asked, or the end of one. */
  step: Question | 'release' | null
  /** A write of it is on its way through the log: nothing is granted until then. */
  expectUntil: Millis
}

export interface LastInvalidation {
  readonly cause: InvalidationCause
  /** On the clock of the home. */
  readonly startedAt: Millis
  /** Until nobody had a copy. */
  readonly ackMs: Millis
  /** Of each node whose copy it took, in their order. */
  readonly acks: readonly (readonly [node: NodeId, afterMs: Millis])[]
}

export interface HomeState {
  startedAt: Millis
  /** The term's first entry is applied, so `holders` is complete. */
  caughtUp: boolean
  /** It speaks. */
  open: boolean
  /** Who may hold lines, by the log. */
  holders: Set<NodeId>
  /** Of holders without a session: since when. */
  idleSince: Map<NodeId, Millis>
  /** Holders no more, but the log may not say so yet: nothing is opened for them meanwhile. */
  leaving: Set<NodeId>
  /** Who dropped the lines of older terms. */
  acked: Set<NodeId>
  viewAt: Millis
  viewTries: number
  peers: Map<NodeId, Peer>
  sids: number
  /** Number of the last grant or revocation. */
  g: number
  /** Lines with grants, an invalidation or an expected write. */
  lines: Map<LineId, HomeLine>
  /** Those to look at in a tick. */
  active: Set<LineId>
  /** Versions that are not settled. */
  unsettled: Map<number, LineId>
  /** Confirmations that were asked for, the oldest first. */
  asks: { ask: number; at: Millis }[]
  asked: number
  /** When the last confirmation was asked for that was given. */
  confirmedAt: Millis
}

/** As the log has it. */
export interface OwnedBy {
  readonly line: LineId
  readonly node: NodeId
}

/** Of the hand that looks for lines that nobody holds, see `home-orphans.ts`. */
export interface Round {
  hand: Iterator<OwnedBy> | null
  /** When to go on. Infinity: nothing is owned. */
  at: Millis
  /** There was something in this round. */
  found: boolean
  readonly ending: Set<LineId>
}

export interface Home {
  readonly options: HomeOptions
  readonly port: HomePort
  readonly state: HomeState
  readonly counts: Record<ToHome['type'] | ToNode['type'], number>
  /** Of lines lately invalidated, the oldest first. */
  readonly past: Map<LineId, LastInvalidation>
  /** Lines that nobody is given for now, and until when; those that are over first. */
  readonly clearing: Map<LineId, Millis>
  readonly round: Round
}

export function createHome(options: HomeOptions, port: HomePort): Home {
  const state: HomeState = {
    startedAt: 0,
    caughtUp: false,
    open: false,
    holders: new Set(),
    idleSince: new Map(),
    leaving: new Set(),
    acked: new Set(),
    viewAt: 0,
    viewTries: 0,
    peers: new Map(),
    sids: 0,
    g: 0,
    lines: new Map(),
    active: new Set(),
    unsettled: new Map(),
    asks: [],
    asked: 0,
    confirmedAt: -Infinity,
  }
  return {
    options,
    port,
    state,
    counts: noCounts(),
    past: new Map(),
    clearing: new Map(),
    round: { hand: null, at: -Infinity, found: false, ending: new Set() },
  }
}

function noCounts(): Home['counts'] {
  return {
    open: 0,
    renew: 0,
    getS: 0,
    getM: 0,
    invAck: 0,
    viewAck: 0,
    leave: 0,
    opened: 0,
    renewed: 0,
    closed: 0,
    dataS: 0,
    dataU: 0,
    dataX: 0,
    inv: 0,
    recall: 0,
    view: 0,
    left: 0,
  }
}

export function tell({ port, counts }: Home, to: NodeId, message: ToNode): void {
  counts[message.type] += 1
  port.send(to, message)
}

/** The session of the node, if it is this one and lasts. */
export function sessionOf({ state }: Home, node: NodeId, sid: number, now: Millis): Peer | null {
  const peer = state.peers.get(node)
  return peer !== undefined && sid !== 0 && peer.sid === sid && now < peer.endsAt ? peer : null
}

/** There is no such session. */
export function refuse(home: Home, node: NodeId, sid: number): void {
  tell(home, node, { type: 'closed', term: home.options.term, sid })
}

export function createLine(): HomeLine {
  return { grants: [], busy: null, owner: null, queue: [], step: null, expectUntil: -Infinity }
}

export function isLive({ state }: Home, { node, sid }: Grant): boolean {
  return state.peers.get(node)?.sid === sid
}
