/** The table of what clients were lent: leases, what is told, and when a line counts as returned. */
import { describe, expect, test } from 'vitest'
import { BORROWERS_DEFAULTS, type Borrower, Borrowers, type Lender, type Lent } from './borrowers.ts'
import type { Copy } from './copies.ts'
import { nothingAt } from './held.ts'
import type { LineId } from './protocol.ts'

const OPTIONS = { ...BORROWERS_DEFAULTS, drift: 0, marginMs: 0, loansMax: 3, pendingMax: 4, borrowersMax: 2 }

/** A node's copies of one partition: every line, at version 1. */
class Copies implements Lender {
  readonly returnedLines: LineId[] = []
  readonly gone = new Set<LineId>()
  until: number
  now = 0

  constructor(until: number) {
    this.until = until
  }

  lend(line: LineId): Copy | null {
    if (this.gone.has(line)) return null
    const held = nothingAt(1)
    return { partition: 0, held, g: 1, epoch: 0, until: Infinity, state: 'S', hit: false }
  }

  returned(line: LineId): void {
    this.returnedLines.push(line)
  }

  lentLeftMs(): number {
    return this.until - this.now
  }
}

function bed(over: Partial<typeof OPTIONS> = {}) {
  const told: Borrower[] = []
  const borrowers = new Borrowers({ ...OPTIONS, ...over }, (borrower) => void told.push(borrower))
  const copies = new Copies(10_000)
  const open = (name: string, now = 0): Borrower => borrowers.open(name, now) as Borrower
  const lend = (borrower: Borrower, key: string, now: number, lines: readonly LineId[] = [key], lender: Lender = copies): Lent | null =>
    borrowers.lend(
      borrower,
      key,
      lines.map((line) => ({ line, version: 1, lender })),
      now,
    )
  const callBack = (line: LineId, now: number): void => borrowers.callBack(line, copies, now)
  return { borrowers, copies, open, lend, callBack, told }
}

describe('a lease', () => {
  test('is a second, and no longer than any session that it stands on', () => {
    const { borrowers, copies, open, lend } = bed()
    const borrower = open('b')
    expect(lend(borrower, 'k', 100)).toEqual({ after: 0, leaseMs: 1_000 })
    copies.until = 1_500
    for (const [now, leaseMs] of [
      [1_000, 500],
      [1_500, 0],
    ] as const) {
      copies.now = now
      expect(borrowers.beat(borrower, 0, now)).toBe(leaseMs)
    }
    expect(borrower.until).toBe(1_500)
  })

  test('is shortened for clocks that go wrong, and by what a clock does not show', () => {
    const { open, lend } = bed({ drift: 0.01, marginMs: 5 })
    expect(lend(open('b'), 'k', 0)?.leaseMs).toBe(Math.floor((995 * 0.99) / 1.01))
  })

  test('of what has a shorter session than what is held already is not given', () => {
    const { open, lend } = bed()
    const borrower = open('b')
    lend(borrower, 'k', 0)
    const other = new Copies(900)
    expect(lend(borrower, 'l', 0, ['l'], other)).toBeNull()
    other.until = 1_000
    expect(lend(borrower, 'l', 0, ['l'], other)).toMatchObject({ leaseMs: 1_000 })
  })

  test('is not given for lines that are not there as they were read; what was lent for it is returned', () => {
    const { open, lend, copies, borrowers } = bed()
    const borrower = open('b')
    lend(borrower, 'held', 0, ['held', 'shared'])
    copies.gone.add('tag')
    expect(lend(borrower, 'k', 0, ['k', 'shared', 'tag'])).toBeNull()
    expect(copies.returnedLines).toEqual(['k', 'tag'])
    const wanted = [{ line: 'l', version: 2, lender: copies }]
    expect(borrowers.lend(borrower, 'l', wanted, 0)).toBeNull()
    expect(copies.returnedLines).toEqual(['k', 'tag', 'l'])
  })
})

describe('what is called back', () => {
  test('is returned once everybody has acknowledged; meanwhile nothing is lent or renewed', () => {
    const { borrowers, copies, open, lend, callBack } = bed()
    const [one, two] = [open('1'), open('2')]
    for (const borrower of [one, two]) lend(borrower, 'k', 0, ['k', 'tag'])
    lend(one, 'l', 0)
    callBack('tag', 10)
    expect(borrowers.told(one, 0)).toMatchObject([{ n: 1, name: 'k' }])
    expect([lend(one, 'm', 20), borrowers.beat(one, 0, 20)]).toEqual([null, 0])
    expect(borrowers.beat(one, 1, 30)).toBe(1_000)
    expect(copies.returnedLines).toEqual([])
    expect(borrowers.beat(two, 1, 40)).toBe(1_000)
    expect(copies.returnedLines).toEqual(['k', 'tag'])
    expect(lend(one, 'k', 50)).toMatchObject({ after: 1 })
    // Told once: not again for another line of it.
    callBack('k', 60)
    callBack('k', 60)
    expect(borrowers.told(one, 0)).toMatchObject([{ n: 2 }])
  })

  test('is returned when the lease is over, and with it all that was lent', () => {
    const { borrowers, copies, open, lend, callBack, told } = bed()
    const borrower = open('b')
    lend(borrower, 'k', 0)
    lend(borrower, 'l', 0)
    callBack('k', 500)
    expect(borrowers.dueAt).toBe(1_000)
    borrowers.tick(999)
    expect(copies.returnedLines).toEqual([])
    borrowers.tick(1_000)
    expect(copies.returnedLines.toSorted()).toEqual(['k', 'l'])
    expect(told).toHaveLength(2)
    expect([borrowers.overdue, borrowers.told(borrower, 1)]).toMatchObject([1, [{ n: 2, name: null }]])
    // A belated acknowledgement is not one of that.
    expect([borrowers.beat(borrower, 1, 1_001), lend(borrower, 'k', 1_001)]).toEqual([0, null])
    expect(borrowers.beat(borrower, 2, 1_002)).toBe(1_000)
  })

  test('is returned at once where nobody has it, or only those whose lease is over', () => {
    const { borrowers, copies, open, lend, callBack } = bed()
    callBack('nobody', 0)
    expect(copies.returnedLines).toEqual(['nobody'])
    const borrower = open('b')
    lend(borrower, 'k', 0)
    callBack('k', 1_000)
    expect(copies.returnedLines).toEqual(['nobody', 'k'])
    expect(borrowers.told(borrower, 0)).toMatchObject([{ name: null }])
    expect(borrowers.overdue).toBe(0)
  })

  test('is not lost with a lease that nothing was called back under', () => {
    const { borrowers, copies, open, lend } = bed()
    const borrower = open('b')
    lend(borrower, 'k', 0)
    borrowers.tick(5_000)
    expect(borrowers.beat(borrower, 0, 5_000)).toBe(1_000)
    expect([copies.returnedLines, borrowers.told(borrower, 0)]).toEqual([[], []])
  })

  test('becomes one where it is too much', () => {
    const { borrowers, copies, open, lend, callBack } = bed({ loansMax: 9 })
    const borrower = open('b')
    for (let nth = 0; nth < 7; nth++) lend(borrower, `k${nth}`, 0)
    for (let nth = 0; nth < 4; nth++) callBack(`k${nth}`, 1)
    expect(borrowers.told(borrower, 3)).toMatchObject([{ n: 4, name: 'k3' }])
    callBack('k4', 1)
    expect(borrowers.told(borrower, 3)).toMatchObject([{ n: 5, name: null }])
    borrowers.beat(borrower, 4, 2)
    expect(copies.returnedLines).toEqual([])
    borrowers.beat(borrower, 5, 2)
    expect(copies.returnedLines).toHaveLength(7)
  })

  test('is the oldest where there is no more room', () => {
    const { borrowers, open, lend } = bed()
    const borrower = open('b')
    for (let nth = 0; nth < 3; nth++) lend(borrower, `k${nth}`, 0)
    expect(lend(borrower, 'k3', 1)).toBeNull()
    expect(borrowers.told(borrower, 0)).toMatchObject([{ n: 1, name: 'k0' }])
    borrowers.beat(borrower, 1, 2)
    expect(lend(borrower, 'k3', 3)).not.toBeNull()
  })

  test('is the oldest where the names of lines take too much, and what is given back leaves room', () => {
    const { borrowers, open, lend } = bed({ loansMax: 100, bytesMax: 4_000 })
    const [borrower, other] = [open('b'), open('c')]
    const tag = 't'.repeat(128)
    expect(lend(borrower, 'k0', 0, ['k0', tag])).not.toBeNull()
    // Lent again it takes no more.
    for (let nth = 0; nth < 10; nth++) expect(lend(borrower, 'k0', 0, ['k0', tag])).not.toBeNull()
    expect(lend(borrower, 'k1', 0, ['k1', tag])).not.toBeNull()
    expect(lend(borrower, 'k2', 1, ['k2', tag])).toBeNull()
    expect(borrowers.told(borrower, 0)).toMatchObject([{ n: 1, name: 'k0' }])
    expect(lend(other, 'k2', 1, ['k2', tag])).not.toBeNull()
    borrowers.beat(borrower, 1, 2)
    expect(lend(borrower, 'k2', 3, ['k2', tag])).not.toBeNull()
    borrowers.leave('b', true, 4)
    expect(borrower.bytes).toBe(0)
  })
})

describe('who leaves', () => {
  test('and says that it reads nothing gives everything back; another keeps it until its lease is over', () => {
    const { borrowers, copies, open, lend } = bed()
    const [certain, cut] = [open('certain'), open('cut')]
    lend(certain, 'k', 0)
    lend(cut, 'l', 0)
    expect(borrowers.open('third', 0)).toBeNull()
    borrowers.leave('certain', true, 10)
    expect(copies.returnedLines).toEqual(['k'])
    borrowers.leave('cut', false, 10)
    borrowers.tick(999)
    expect([copies.returnedLines, borrowers.all.size]).toEqual([['k'], 1])
    expect(borrowers.tick(1_000)).toBe(Infinity)
    expect([copies.returnedLines, borrowers.all.size]).toEqual([['k', 'l'], 0])
  })

  test('without a word is forgotten after a while', () => {
    const { borrowers, open, lend } = bed()
    lend(open('b'), 'k', 0)
    borrowers.tick(OPTIONS.goneMs - 1)
    expect(borrowers.all.size).toBe(1)
    borrowers.tick(OPTIONS.goneMs)
    expect([borrowers.all.size, borrowers.byLine.size]).toEqual([0, 0])
  })
})
