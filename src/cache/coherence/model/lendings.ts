/** What the one client of a node was lent, as plain data, and the production table made of it. */
import { type Borrower, Borrowers, type Lender } from '../borrowers.ts'
import type { LineId } from '../protocol.ts'
import { UNIT_MS } from './settings.ts'

export const CLIENT = 'c'
const LINE: LineId = 'x'

/** There is one loan at most: nothing is lent while one is called back. */
export interface Lendings {
  /** Of the client. */
  readonly leaseUntil: number
  readonly told: number
  readonly pending: readonly { readonly n: number; readonly isAll: boolean; readonly isOut: boolean }[]
  readonly loan: 'none' | 'lent' | 'called back'
}

export const NOTHING_LENT: Lendings = { leaseUntil: -Infinity, told: 0, pending: [], loan: 'none' }

const OPTIONS = {
  borrowersMax: 1,
  loansMax: 1,
  bytesMax: Infinity,
  pendingMax: 2,
  lentMs: UNIT_MS,
  drift: 0,
  marginMs: 0,
  goneMs: Infinity,
}

export function createBorrowers({ leaseUntil, told, pending, loan }: Lendings, lender: Lender, now: number): Borrowers {
  const borrowers = new Borrowers(OPTIONS, () => {})
  const borrower = borrowers.open(CLIENT, now) as Borrower
  Object.assign(borrower, { until: leaseUntil, told })
  const loans: Borrower['pending'][number]['loans'][number][] = []
  if (loan !== 'none') {
    const one = { borrower, name: LINE, wanted: [{ line: LINE, version: 0, lender }], bytes: 0, isCalledBack: loan === 'called back' }
    loans.push(one)
    borrower.out.add(one)
    borrower.lenders.set(lender, 1)
    borrowers.byLine.set(LINE, new Set([one]))
    if (loan === 'lent') borrower.loans.set(LINE, one)
  }
  borrower.pending = pending.map(({ n, isAll, isOut }) => ({ n, name: isAll ? null : LINE, loans: isOut ? loans : [] }))
  return borrowers
}

export function lendingsOf(borrowers: Borrowers): Lendings {
  const { until, told, pending, loans, out } = borrowers.all.get(CLIENT) as Borrower
  return {
    leaseUntil: until,
    told,
    pending: pending.map(({ n, name, loans: of }) => ({ n, isAll: name === null, isOut: of.length > 0 })),
    loan: out.size === 0 ? 'none' : loans.size > 0 ? 'lent' : 'called back',
  }
}
