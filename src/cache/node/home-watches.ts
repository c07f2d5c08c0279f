/**
 * Those who want to hear what changed on a partition, at its home. A watch is a long poll by cursor: it is answered as soon as
 * there are changes after its place that are *settled* (nobody can serve what was before any more, so whoever hears of one and
 * reads again gets what is there since), or with nothing when its time is over.
 *
 *   watch(since) ─▶ parked ──settled changes──▶ [.., upTo, changes]
 *                          ──waitMs, and a majority says that this is the home──▶ [.., upTo, nothing]
 *
 * In the order of the partition: a change that is not settled holds up those behind it. How far the answer can be trusted to be
 * complete is in it (`fresh`): everything that was answered to a writer before that moment is in this answer or an earlier one.
 * It is the moment of the last confirmation, or that at which the invalidation began that holds up the rest.
 *
 * What a tag or a level kills nodes find gone at once, and it is told as it is swept, partition by partition. So the home of their lines
 * says how far that has come (`swept`, `lagMs`, `slowAgo`: `sweep-times.ts`), and who wants to rely on what it was told asks all homes.
 *
 * Nothing is kept between polls: who loses an answer asks again, at whatever home there is then.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis, Term } from '../../base/ids.ts'
import type { Clock, Timer } from '../../io/clock.ts'
import { isEntry } from '../line-id.ts'
import type { CacheMachine } from '../machine/machine.ts'
import type { SweptPromise } from './sweep-times.ts'
import { type LinePrefix, WATCH_LIMITS, type WatchAnswer, type WatchQuestion } from '../watch/words.ts'

/** While there are watches, the lead is confirmed so often. */
const CONFIRM_EVERY_MS: Millis = 500

export interface HomeWatchesDeps {
  readonly term: Term
  readonly clock: Clock
  /** By the clock: no suspension of the machine was seen since. */
  readonly runningSince: () => Millis
  readonly machine: Pick<CacheMachine, 'changesSince' | 'version'>
  /** Null: the home does not speak yet. `change`: the first that is not settled; its invalidation began at `since`. */
  readonly unsettled: () => { readonly change: number; readonly since: Millis } | 'none' | null
  readonly sweeps: () => SweptPromise
  /** Calls one of the two once, or neither; with the moment before which nobody else led. */
  readonly confirm: (confirmed: (askedAt: Millis) => void, refused: () => void) => void
}

interface Parked {
  readonly question: WatchQuestion
  /** Everything of interest up to here is told. */
  since: number | null
  readonly arrivedAt: Millis
  readonly answer: (answer: WatchAnswer) => void
  readonly refuse: (error: TricordError) => void
  timer: Timer | null
}

export class HomeWatches {
  readonly #deps: HomeWatchesDeps
  /** By who asks. */
  readonly #parked = new Map<string, Parked>()
  #confirmedAt = -Infinity
  #askedAt = -Infinity
  #isLookDue = false
  #ended = false

  constructor(deps: HomeWatchesDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#parked.size
  }

  /** Rejects with NO_QUORUM where this is the home no more, OVERLOADED where too many ask. A later question of one asker replaces its earlier. */
  watch(asker: string, question: WatchQuestion): Promise<WatchAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(homeNoMore())
      const before = this.#take(asker)
      before?.refuse(new TricordError('OVERLOADED', 'another question of the same watch came'))
      if (this.#parked.size >= WATCH_LIMITS.perHomeMax) return reject(new TricordError('OVERLOADED', 'too many watch this partition'))
      const arrivedAt = this.#deps.clock.now()
      const parked: Parked = { question, since: question.since, arrivedAt, answer: resolve, refuse: reject, timer: null }
      this.#parked.set(asker, parked)
      this.#confirmIfOld()
      if (this.#answerIfAny(asker, parked)) return
      parked.timer = this.#deps.clock.after(question.waitMs, () => this.#timeIsOver(asker, parked))
    })
  }

  /** Something was applied, or settled, or the home began to speak. Many in one turn are looked at once. */
  moved(): void {
    if (this.#parked.size === 0 || this.#isLookDue) return
    this.#isLookDue = true
    this.#deps.clock.defer(() => {
      this.#isLookDue = false
      for (const [asker, parked] of this.#parked) this.#answerIfAny(asker, parked)
    })
  }

  /** The home is none any more: who watches looks for the next one at once. */
  end(): void {
    this.#ended = true
    for (const asker of this.#parked.keys()) this.#take(asker)?.refuse(homeNoMore())
  }

  #take(asker: string): Parked | undefined {
    const parked = this.#parked.get(asker)
    parked?.timer?.cancel()
    this.#parked.delete(asker)
    return parked
  }

  #answerIfAny(asker: string, parked: Parked): boolean {
    const answer = this.#look(parked)
    if (answer === null || (parked.question.waitMs > 0 && isEmpty(answer) && parked.question.since !== null)) return false
    this.#take(asker)
    parked.answer(answer)
    return true
  }

  /** Nothing happened: that is worth something only if this is the home still. */
  #timeIsOver(asker: string, parked: Parked): void {
    const current = (): boolean => this.#parked.get(asker) === parked
    const tell = (): void => {
      if (!current()) return
      const answer = this.#look(parked)
      this.#take(asker)
      if (answer === null) parked.refuse(new TricordError('NO_QUORUM', 'the home does not speak yet'))
      else parked.answer(answer)
    }
    this.#confirm(tell, () => {
      if (current()) this.#take(asker)?.refuse(homeNoMore())
    })
    // No majority says so and none says otherwise: then nobody is told anything.
    if (current()) parked.timer = this.#deps.clock.after(WATCH_LIMITS.slackMs, () => current() && this.#take(asker)?.refuse(homeNoMore()))
  }

  #confirmIfOld(): void {
    const old = this.#deps.clock.now() - CONFIRM_EVERY_MS
    if (this.#confirmedAt < old && this.#askedAt < old)
      this.#confirm(
        () => {},
        () => {},
      )
  }

  #confirm(confirmed: () => void, refused: () => void): void {
    this.#askedAt = this.#deps.clock.now()
    this.#deps.confirm((askedAt) => {
      this.#confirmedAt = Math.max(this.#confirmedAt, askedAt)
      confirmed()
    }, refused)
  }

  /** Null: nothing can be said now. Moves the watch's place over what is not of interest. */
  #look(parked: Parked): WatchAnswer | null {
    const { machine, unsettled } = this.#deps
    const first = unsettled()
    if (first === null) return null
    const frontier = first === 'none' ? machine.version : first.change - 1
    const head = { term: this.#deps.term, lost: false, ...this.#certainty(parked.arrivedAt, first === 'none' ? Infinity : first.since) }
    if (parked.since === null) return { ...head, upTo: frontier, changes: [] }
    const changes = parked.since > machine.version ? null : machine.changesSince(parked.since)
    if (changes === null) return { ...head, upTo: Math.max(frontier, 0), lost: true, fresh: null, changes: [] }
    const told: WatchAnswer['changes'][number][] = []
    for (const { at, version, line, reason } of changes) {
      if (at > frontier) break
      if (!isOfInterest(line, parked.question.interest)) continue
      // There is more: the next question brings it.
      if (told.length === WATCH_LIMITS.changesMax) return { ...head, upTo: told.at(-1)?.[0] ?? 0, fresh: null, changes: told }
      told.push([at, version, line, reason])
    }
    if (told.length === 0) parked.since = Math.max(parked.since, frontier)
    return { ...head, upTo: Math.max(parked.since, frontier), changes: told }
  }

  /** `unsettledSince`: what began then may be served still. */
  #certainty(arrivedAt: Millis, unsettledSince: Millis): Pick<WatchAnswer, 'fresh' | 'swept' | 'lagMs' | 'slowAgo'> {
    const { runningSince, sweeps, clock } = this.#deps
    const from = runningSince()
    const { since, lagMs, slowEndAt } = sweeps()
    // What is before a suspension is further away than the clock tells.
    const relative = (asOf: Millis): Millis | null => (asOf === -Infinity || asOf < from ? null : Math.floor(asOf - arrivedAt))
    return {
      fresh: relative(Math.min(this.#confirmedAt, unsettledSince)),
      swept: relative(Math.min(this.#confirmedAt, since)),
      lagMs: Math.ceil(lagMs),
      slowAgo: slowEndAt === -Infinity ? null : Math.floor(clock.now() - slowEndAt),
    }
  }
}

function isEmpty({ changes, lost }: WatchAnswer): boolean {
  return changes.length === 0 && !lost
}

/** No interest in particular: everything. */
function isOfInterest(line: string, interest: readonly LinePrefix[]): boolean {
  if (!isEntry(line)) return false
  return interest.length === 0 || interest.some((prefix) => line.startsWith(prefix))
}

function homeNoMore(): TricordError {
  return new TricordError('NO_QUORUM', 'this is not the home of the partition')
}
