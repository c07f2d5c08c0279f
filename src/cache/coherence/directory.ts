/**
 * The home of one partition in one term: made when this node is elected, thrown away when the term is over. It knows which
 * nodes hold which lines, takes copies back when a line changes, and says when a write may be answered (ADR 0006).
 *
 *   elected ─▶ start ─▶ caughtUp ─▶ … ─▶ port.opened
 *   proposed ─▶ preparing      applied ─▶ changed ─▶ … ─▶ port.settled      an answer leaves ─▶ isSettled
 *
 * Pure: no clock, no promise. Whoever drives it calls `tick` at `dueAt` at the latest, and `changed` for each applied write
 * before anything else that was applied with it can be read.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { ChangeReason, LineState } from '../types.ts'
import type { Home, HomeOptions, HomePort, LastInvalidation } from './home.ts'
import { createHome, isLive } from './home.ts'
import type { Change } from './home-lines.ts'
import { change, expectNothing, prepare, receiveGetS, receiveInvAck, sweep, tickLines } from './home-lines.ts'
import type { Given } from './home-owners.ts'
import { clear, given, notGiven, receiveGetM, stepIsOver, takeBack } from './home-owners.ts'
import { tickOrphans } from './home-orphans.ts'
import { catchUp, receiveViewAck, startHome, tickOpening } from './home-opening.ts'
import {
  confirmed,
  endIfOver,
  forgetConfirmations,
  holderAdded,
  holderGone,
  receiveLeave,
  receiveOpen,
  receiveRenew,
  tickHolders,
  tickSessions,
} from './home-sessions.ts'
import { retryMs } from './lease.ts'
import type { Held, LineId, ToHome } from './protocol.ts'

/** Lines that the hand looks at with each grant: it comes round faster than lines are added. */
const SWEPT_PER_GRANT = 2

/** For the inspector. */
export interface HomeLineView {
  readonly busy: boolean
  readonly copies: readonly { readonly node: NodeId; readonly g: number; readonly state: LineState }[]
  /** Who has not acknowledged the invalidation. */
  readonly waits: readonly NodeId[]
  readonly last: LastInvalidation | null
}

export class Directory {
  readonly home: Home
  /** When `tick` is wanted. */
  dueAt: Millis = -Infinity
  private hand: Iterator<LineId> | null = null

  constructor(options: HomeOptions, port: HomePort) {
    this.home = createHome(options, port)
  }

  /** `holders`: what is applied of the log so far; they are told to drop what is older. */
  start(now: Millis, holders: Iterable<NodeId>): void {
    startHome(this.home, now, holders)
    this.dueAt = now
  }

  /** The first entry of this term is applied, and these are the holders now. */
  caughtUp(holders: Iterable<NodeId>, now: Millis): void {
    catchUp(this.home, now, holders)
    this.dueAt = now
  }

  receive(node: NodeId, message: ToHome, now: Millis): void {
    const { home } = this
    home.counts[message.type] += 1
    this.wake(now)
    if (message.type === 'open') return receiveOpen(home, node, message, now)
    if (message.type === 'leave') return receiveLeave(home, node, message.n, now)
    if (message.term !== home.options.term) return
    endIfOver(home, node, now)
    switch (message.type) {
      case 'renew':
        return receiveRenew(home, node, message.sid, message.n, now)
      case 'getS':
        receiveGetS(home, node, message, now)
        return this.sweep(now)
      case 'getM':
        return receiveGetM(home, node, message, now)
      case 'invAck':
        return receiveInvAck(home, node, message.t, message.line, now)
      case 'viewAck':
        return receiveViewAck(home, node, now)
    }
  }

  /** A write of the line was proposed by this home. A hint: it shortens the way to the answer. */
  preparing(line: LineId, cause: ChangeReason, now: Millis): void {
    prepare(this.home, line, cause, now)
    this.wake(now)
  }

  /** What was proposed was applied and changed nothing: it is refused. A hint, too: who reads the line may keep it again. */
  unchanged(line: LineId): void {
    expectNothing(this.home, line)
  }

  /** A write was applied. `previous`: what the line held before. */
  changed(what: Change, previous: Held, now: Millis): void {
    change(this.home, what, previous, now)
    this.wake(now)
  }

  /** Whether the home speaks. Before, no answer may leave, whatever it is. */
  get isOpen(): boolean {
    return this.home.state.open
  }

  /** Whether no node can serve anything older than this version of its line. */
  isSettled(version: number): boolean {
    return this.home.state.open && !this.home.state.unsettled.has(version)
  }

  /** Versions below this one of which some node may still serve what was before. */
  unsettledBelow(below: number): number[] {
    return [...this.home.state.unsettled.keys()].filter((version) => version < below)
  }

  /**
   * The newest version of the line that is not settled. An answer that shows the line without having changed it (a condition
   * that did not hold) waits for it like the write itself: other nodes may still serve what was before.
   */
  unsettledOf(line: LineId): number | null {
    return this.home.state.lines.get(line)?.busy?.versions.at(-1) ?? null
  }

  /** The oldest change that is not settled, and when the invalidation began that it waits for; null: there is none. */
  firstUnsettled(): { readonly change: number; readonly since: Millis } | null {
    // Changes come in their order.
    for (const [change, line] of this.home.state.unsettled) {
      return { change, since: this.home.state.lines.get(line)?.busy?.startedAt ?? -Infinity }
    }
    return null
  }

  /** `cache_hold` of the node is applied. */
  held(node: NodeId, now: Millis): void {
    holderAdded(this.home, node, now)
    this.wake(now)
  }

  /** `cache_unhold` of the node is applied. */
  unheld(node: NodeId, now: Millis): void {
    holderGone(this.home, node, now)
    this.dueAt = Math.min(this.dueAt, now)
  }

  /** `cache_own` is applied: the node of `port.own(line, node)` has these versions. */
  given(line: LineId, what: Given, now: Millis): void {
    given(this.home, line, what, now)
    this.wake(now)
  }

  /** It is certain that `port.own(line, …)` gave nothing. */
  notGiven(line: LineId, now: Millis): void {
    notGiven(this.home, line, now)
    this.wake(now)
  }

  /** `cache_release` is applied. */
  released(line: LineId, now: Millis): void {
    stepIsOver(this.home, line, now)
    this.wake(now)
  }

  /** A write through the log was refused, for another owns the line: it is to give it back. Ask again when the write is refused again. */
  takeBack(line: LineId, now: Millis): void {
    takeBack(this.home, line, now)
    this.wake(now)
  }

  /** An invalidation was refused likewise, and comes again once the line is given back: nobody is given it meanwhile. */
  clearing(line: LineId, now: Millis): void {
    clear(this.home, line, now)
  }

  /** A majority answered that `port.confirm(ask)` came from the leader of the newest term it knows. */
  confirmed(ask: number, now: Millis): void {
    confirmed(this.home, ask, now)
    this.wake(now)
  }

  /** The clock stood still for a time that nobody knows: what was asked for and confirmed before is as old as that. */
  suspended(): void {
    forgetConfirmations(this.home)
  }

  /** Does what is due; returns when to come again (`dueAt`). */
  tick(now: Millis): Millis {
    const sessions = Math.min(tickSessions(this.home, now), tickHolders(this.home, now))
    const opening = tickOpening(this.home, now)
    this.dueAt = Math.min(opening, sessions, tickOrphans(this.home, now), tickLines(this.home, now))
    return this.dueAt
  }

  get counts(): Home['counts'] {
    return this.home.counts
  }

  /** How many lines are tracked. */
  get size(): number {
    return this.home.state.lines.size
  }

  view(id: LineId): HomeLineView {
    const { state, past } = this.home
    const line = state.lines.get(id)
    const shared = (line?.grants ?? []).map(({ node, g, sid }) => ({ node, g, sid, state: 'S' as const }))
    // Whether the owner has written is its own affair.
    const all = line?.owner ? [...shared, { ...line.owner, state: 'E' as const }] : shared
    const copies = all.filter((grant) => isLive(this.home, grant)).map(({ node, g, state }) => ({ node, g, state }))
    return { busy: Boolean(line?.busy), copies, waits: [...(line?.busy?.waits ?? [])], last: past.get(id) ?? null }
  }

  /** Nothing that begins now is due before it is sent again. */
  private wake(now: Millis): void {
    this.dueAt = Math.min(this.dueAt, now + retryMs(0))
  }

  /** Forgets lines that nobody holds any more, and calls back some where there are too many. */
  private sweep(now: Millis): void {
    const { state, options } = this.home
    for (let i = 0; i < SWEPT_PER_GRANT; i++) {
      this.hand ??= state.lines.keys()
      const { value, done } = this.hand.next()
      if (done) this.hand = null
      else sweep(this.home, value, state.lines.size >= options.linesMax, now)
    }
  }
}
