/**
 * Clients that have copies of this node's copies, and for how long (docs/caches.md, "Copies that are never old").
 *
 *   lend ──▶ a loan of an entry and the lines that keep it alive ──called back──▶ told, n ──acknowledged──▶ returned
 *                                                                     └──the lease of the borrower is over──▶ returned, all of it
 *
 * One lease per borrower, over all it was lent. Invariants, on this node's clock:
 *   - `until` is not after the end of any session under which it holds something;
 *   - while something it was told is not acknowledged nothing is lent to it and its lease is not longer than it was;
 *   - a line is `returned` only when no loan of it is left: acknowledged, or `until` is over.
 * What is told is numbered. A loan says how much was told before it (`after`): whoever was told more meanwhile does not take it.
 * Pure: no clock. Whoever drives it calls `tick` at `dueAt` at the latest, and gives a `now` that no setting of a clock moves forward: what
 * clients count does not end early because this node believes to have slept.
 */
import type { Millis } from '../../base/ids.ts'
import type { Copy } from './copies.ts'
import type { LineId } from './protocol.ts'

/** The node's copies of the lines of one partition. */
export interface Lender {
  /** The copy, where it may be lent; see `Controller.lend`. */
  lend(line: LineId): Copy | null
  returned(line: LineId): void
  /** Of its session, as far as that is known; what is lent is in use. */
  lentLeftMs(): Millis
}

export interface BorrowersOptions {
  readonly borrowersMax: number
  readonly loansMax: number
  /** Of one borrower, about: a loan keeps names, of an entry and of all lines that keep it alive. */
  readonly bytesMax: number
  /** Told and not acknowledged; beyond it, everything is called back as one. */
  readonly pendingMax: number
  /** A lease at most, on this node's clock. */
  readonly lentMs: Millis
  /** By how much the rate of a client's clock, and of this one, may be wrong. */
  readonly drift: number
  /** On top, for whole milliseconds and suspensions of the client that are too short to be seen. */
  readonly marginMs: Millis
  /** Who was not heard of for so long is gone. */
  readonly goneMs: Millis
}

export const BORROWERS_DEFAULTS: BorrowersOptions = {
  borrowersMax: 64,
  loansMax: 10_000,
  bytesMax: 16 * 1024 * 1024,
  pendingMax: 1_000,
  lentMs: 1_000,
  drift: 0.01,
  marginMs: 15,
  goneMs: 15_000,
}

/** What a loan takes beside its lines, and each of these beside its name, as measured (names of two bytes a unit). */
const LOAN_BYTES = 200
const LINE_BYTES = 500

/** A line that an entry needs, in the version that it needs. */
export interface Wanted {
  readonly line: LineId
  readonly version: number
  readonly lender: Lender
}

export interface Lent {
  /** How much the borrower was told before. */
  readonly after: number
  /** From when the client asked, on its clock. */
  readonly leaseMs: Millis
}

/** `name` null: everything. */
export interface CalledBack {
  readonly n: number
  readonly name: string | null
}

interface Loan {
  readonly borrower: Borrower
  readonly name: string
  readonly wanted: readonly Wanted[]
  readonly bytes: number
  isCalledBack: boolean
}

interface Pending extends CalledBack {
  readonly loans: readonly Loan[]
}

export interface Borrower {
  /** On this node's clock: what it was lent is not read from then on, unless the lease is renewed. */
  until: Millis
  /** Number of what it was told last. */
  told: number
  /** Told and not acknowledged, the oldest first. */
  pending: Pending[]
  /** Not called back. */
  readonly loans: Map<string, Loan>
  /** These, and those that are called back. */
  readonly out: Set<Loan>
  /** What `out` takes. */
  bytes: number
  /** From whom it has something, and how many lines. */
  readonly lenders: Map<Lender, number>
  heardAt: Millis
}

export class Borrowers {
  readonly all = new Map<string, Borrower>()
  /** Loans that are out. */
  readonly byLine = new Map<LineId, Set<Loan>>()
  /** Leases that ended while something was not acknowledged. */
  overdue = 0
  dueAt: Millis = Infinity
  private readonly options: BorrowersOptions
  private readonly onTold: (borrower: Borrower) => void

  /** `onTold`: there is more for it, or it is no more. */
  constructor(options: BorrowersOptions, onTold: (borrower: Borrower) => void) {
    this.options = options
    this.onTold = onTold
  }

  /** Null: there are too many. */
  open(name: string, now: Millis): Borrower | null {
    const known = this.all.get(name)
    if (known === undefined && this.all.size >= this.options.borrowersMax) return null
    const borrower = known ?? createBorrower(now)
    this.all.set(name, borrower)
    this.due(now + this.options.goneMs)
    return borrower
  }

  /** An entry (the first line) with what keeps it alive, as it was read just now. Null: not now. */
  lend(borrower: Borrower, name: string, wanted: readonly Wanted[], now: Millis): Lent | null {
    if (this.owes(borrower, now)) return null
    const known = borrower.loans.get(name)
    const bytes = bytesOf(name, wanted)
    if (known === undefined && !this.hasRoom(borrower, bytes)) return this.makeRoom(borrower, now)
    const until = this.leaseOf(borrower, wanted, now)
    const leaseMs = this.toClient(until - now)
    // What it holds may be served for longer than this may.
    if (until < borrower.until || leaseMs <= 0) return null
    const copies = wanted.map(({ line, version, lender }) => {
      const copy = lender.lend(line)
      return copy !== null && copy.held.version === version ? copy : null
    })
    if (copies.includes(null)) {
      for (const { line, lender } of wanted) if (!this.byLine.has(line)) lender.returned(line)
      return null
    }
    if (known === undefined) this.begin({ borrower, name, wanted, bytes, isCalledBack: false })
    borrower.until = until
    return { after: borrower.told, leaseMs }
  }

  /** By the lender: the line is not to be read any more. `Lender.returned` follows, at once where nobody has it. */
  callBack(line: LineId, lender: Lender, now: Millis): void {
    const loans = this.byLine.get(line)
    if (loans === undefined) return lender.returned(line)
    for (const loan of loans) if (!loan.isCalledBack) this.callBackLoan(loan, now)
  }

  /**
   * Everything up to `acked` is not read any more. The new lease, from when the client asked; 0: there is more to be acknowledged, or
   * nothing is sure now.
   */
  beat(borrower: Borrower, acked: number, now: Millis): Millis {
    while (borrower.pending[0] !== undefined && borrower.pending[0].n <= acked) {
      for (const loan of (borrower.pending.shift() as Pending).loans) this.end(loan)
    }
    if (this.owes(borrower, now)) return 0
    const until = this.leaseOf(borrower, [], now)
    const leaseMs = Math.max(0, this.toClient(until - now))
    if (leaseMs > 0) borrower.until = Math.max(borrower.until, until)
    return leaseMs
  }

  /** What it was told beyond `heard`. */
  told(borrower: Borrower, heard: number): readonly CalledBack[] {
    return borrower.pending.filter(({ n }) => n > heard)
  }

  /** It comes no more. `isCertain`: it has said itself that it reads nothing any more; else it may, as long as its lease lasts. */
  leave(name: string, isCertain: boolean, now: Millis): void {
    const borrower = this.all.get(name)
    if (borrower === undefined) return
    borrower.heardAt = -Infinity
    if (isCertain) borrower.until = now
    this.due(borrower.until)
    if (now >= borrower.until) this.close(name, borrower)
  }

  /** Does what is due; returns when to come again (`dueAt`). */
  tick(now: Millis): Millis {
    this.dueAt = Infinity
    for (const [name, borrower] of this.all) {
      const goneAt = Math.max(borrower.until, borrower.heardAt + this.options.goneMs)
      if (now >= goneAt) {
        this.close(name, borrower)
        continue
      }
      this.owes(borrower, now)
      this.due(goneAt)
    }
    return this.dueAt
  }

  private close(name: string, borrower: Borrower): void {
    this.all.delete(name)
    this.lapse(borrower)
  }

  private begin(loan: Loan): void {
    const { loans, out, lenders } = loan.borrower
    loans.set(loan.name, loan)
    out.add(loan)
    loan.borrower.bytes += loan.bytes
    for (const { line, lender } of loan.wanted) {
      lenders.set(lender, (lenders.get(lender) ?? 0) + 1)
      const known = this.byLine.get(line)
      if (known === undefined) this.byLine.set(line, new Set([loan]))
      else known.add(loan)
    }
  }

  private end(loan: Loan): void {
    const { out, lenders } = loan.borrower
    if (!out.delete(loan)) return
    loan.borrower.bytes -= loan.bytes
    for (const { line, lender } of loan.wanted) {
      const left = (lenders.get(lender) ?? 0) - 1
      if (left > 0) lenders.set(lender, left)
      else lenders.delete(lender)
      const known = this.byLine.get(line)
      known?.delete(loan)
      if (known?.size !== 0) continue
      this.byLine.delete(line)
      lender.returned(line)
    }
  }

  private callBackLoan(loan: Loan, now: Millis): void {
    const { borrower, name } = loan
    if (now >= borrower.until) return this.lapse(borrower)
    if (borrower.pending.length >= this.options.pendingMax) return this.callAllBack(borrower)
    loan.isCalledBack = true
    borrower.loans.delete(name)
    borrower.told += 1
    borrower.pending.push({ n: borrower.told, name, loans: [loan] })
    this.due(borrower.until)
    this.onTold(borrower)
  }

  private callAllBack(borrower: Borrower): void {
    for (const loan of borrower.out) loan.isCalledBack = true
    borrower.loans.clear()
    borrower.told += 1
    borrower.pending = [{ n: borrower.told, name: null, loans: [...borrower.out] }]
    this.due(borrower.until)
    this.onTold(borrower)
  }

  /** Its lease is over, and so is all it was lent. */
  private lapse(borrower: Borrower): void {
    borrower.loans.clear()
    borrower.told += 1
    borrower.pending = [{ n: borrower.told, name: null, loans: [] }]
    for (const loan of borrower.out) this.end(loan)
    this.onTold(borrower)
  }

  /** Whether it has to acknowledge something. Where it did not as long as its lease lasted it has lost everything. */
  private owes(borrower: Borrower, now: Millis): boolean {
    if (borrower.pending.length === 0) return false
    if (!borrower.pending.some(({ loans }) => loans.length > 0)) return true
    if (now < borrower.until) this.due(borrower.until)
    else {
      this.overdue += 1
      this.lapse(borrower)
    }
    return true
  }

  private hasRoom(borrower: Borrower, bytes: number): boolean {
    return borrower.loans.size < this.options.loansMax && borrower.bytes + bytes <= this.options.bytesMax
  }

  private makeRoom(borrower: Borrower, now: Millis): null {
    const [oldest] = borrower.loans.values()
    if (oldest !== undefined) this.callBackLoan(oldest, now)
    return null
  }

  private leaseOf({ lenders }: Borrower, wanted: readonly Wanted[], now: Millis): Millis {
    let leftMs = this.options.lentMs
    for (const { lender } of wanted) leftMs = Math.min(leftMs, lender.lentLeftMs())
    for (const lender of lenders.keys()) leftMs = Math.min(leftMs, lender.lentLeftMs())
    return now + leftMs
  }

  /** So that its clock, being slow, is there no later than this one, being fast. */
  private toClient(leftMs: Millis): Millis {
    const { drift, marginMs } = this.options
    return Math.floor(((leftMs - marginMs) * (1 - drift)) / (1 + drift))
  }

  private due(at: Millis): void {
    this.dueAt = Math.min(this.dueAt, at)
  }
}

function createBorrower(heardAt: Millis): Borrower {
  return { until: -Infinity, told: 0, pending: [], loans: new Map(), out: new Set(), bytes: 0, lenders: new Map(), heardAt }
}

function bytesOf(name: string, wanted: readonly Wanted[]): number {
  return wanted.reduce((sum, { line }) => sum + LINE_BYTES + 2 * line.length, LOAN_BYTES + 2 * name.length)
}
