/**
 * What clients of this node were lent: drives the table of borrowers, and keeps their gateways waiting until there is something to tell.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import {
  BORROWERS_DEFAULTS,
  type Borrower,
  Borrowers,
  type CalledBack,
  type Lender,
  type Lent,
  type Wanted,
} from '../coherence/borrowers.ts'
import type { LineId } from '../coherence/protocol.ts'
import type { LendMark } from './lend-mark.ts'
import { Wakeup } from './wakeup.ts'

/** Below the time after which who waits counts as gone. */
const WAIT_MS_MAX: Millis = 10_000

export class Loans {
  readonly #clock: Clock
  readonly #mark: Pick<LendMark, 'set'>
  readonly #borrowers: Borrowers
  readonly #waiting = new Map<Borrower, Set<() => void>>()
  readonly #wakeup: Wakeup

  constructor(clock: Clock, mark: Pick<LendMark, 'set'>) {
    this.#clock = clock
    this.#mark = mark
    this.#wakeup = new Wakeup(clock, () => {
      this.#borrowers.tick(clock.now())
      this.#look()
    })
    this.#borrowers = new Borrowers(BORROWERS_DEFAULTS, (borrower) => this.#tell(borrower))
  }

  /** Rejects with QUOTA, or DISK_LOW. */
  async open(name: string): Promise<null> {
    await this.#mark.set()
    const { borrowersMax } = BORROWERS_DEFAULTS
    if (this.#borrowers.open(name, this.#clock.now()) === null) {
      const hint = 'subscribe on another node, or with the mode bounded'
      throw new TricordError('QUOTA', `this node lends to ${borrowersMax} subscriptions at most: ${hint}`, { borrowersMax, hint })
    }
    this.#look()
    return null
  }

  /** Null: not now. */
  lend(borrower: string, name: string, wanted: readonly Wanted[]): Lent | null {
    const known = this.#borrowers.all.get(borrower)
    if (known === undefined) return null
    const now = this.#clock.now()
    const lent = this.#borrowers.lend(known, name, wanted, now)
    this.#look()
    return lent
  }

  callBack(line: LineId, lender: Lender): void {
    this.#borrowers.callBack(line, lender, this.#clock.now())
    this.#look()
  }

  beat(name: string, acked: number): Millis {
    const borrower = this.#known(name)
    const leaseMs = this.#borrowers.beat(borrower, acked, borrower.heardAt)
    this.#look()
    return leaseMs
  }

  /** What it was told beyond `heard`; once there is something, or `waitMs` are over. Rejects with NOT_FOUND. */
  async wait(name: string, heard: number, waitMs: Millis): Promise<readonly CalledBack[]> {
    const borrower = this.#known(name)
    const told = this.#borrowers.told(borrower, heard)
    if (told.length > 0) return told
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(borrower) ?? new Set()
      this.#waiting.set(borrower, waiting)
      const done = (): void => {
        timer.cancel()
        waiting.delete(done)
        if (waiting.size === 0) this.#waiting.delete(borrower)
        resolve()
      }
      const timer = this.#clock.after(Math.min(waitMs, WAIT_MS_MAX), done)
      waiting.add(done)
    })
    return this.#borrowers.told(this.#known(name), heard)
  }

  leave(name: string, isCertain: boolean): null {
    this.#borrowers.leave(name, isCertain, this.#clock.now())
    this.#look()
    return null
  }

  stats(): { readonly borrowers: number; readonly lentLines: number; readonly overdueBorrowers: number } {
    const { all, byLine, overdue } = this.#borrowers
    return { borrowers: all.size, lentLines: byLine.size, overdueBorrowers: overdue }
  }

  /** Nothing is given back: the leases end by themselves. */
  close(): void {
    this.#wakeup.cancel()
    for (const borrower of this.#waiting.keys()) this.#tell(borrower)
  }

  #known(name: string): Borrower {
    const borrower = this.#borrowers.all.get(name)
    if (borrower === undefined) throw new TricordError('NOT_FOUND', 'this node does not know who borrows')
    borrower.heardAt = this.#clock.now()
    return borrower
  }

  #tell(borrower: Borrower): void {
    for (const done of this.#waiting.get(borrower) ?? []) done()
  }

  #look(): void {
    this.#wakeup.by(this.#borrowers.dueAt)
  }
}
