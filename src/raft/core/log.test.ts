import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeMembership } from './config-change.ts'
import { entryBytes, RaftLog, TERM_UNKNOWN } from './log.ts'
import { EMPTY_MEMBERSHIP, membershipOf } from './membership.ts'
import { ENTRY_COMMANDS, ENTRY_CONFIG, type AppendTicket, type Entry } from './types.ts'

const DATA = new Uint8Array(4)

function entry(index: number, term: number): Entry {
  return { index, term, type: ENTRY_COMMANDS, data: DATA }
}

/** A log of these terms after `base`; durable, nothing committed beyond the base. */
function logOf(terms: readonly number[], base = 0, baseTerm = 0): RaftLog {
  return new RaftLog({
    hardState: { term: 9, vote: 0, commit: base },
    snapshot: { index: base, term: baseTerm, membership: EMPTY_MEMBERSHIP },
    entries: terms.map((term, i) => entry(base + 1 + i, term)),
    applied: base,
  })
}

function termsOf(log: RaftLog): number[] {
  return Array.from({ length: log.last - log.base }, (_, i) => log.termAt(log.first + i))
}

function ticketOf(log: RaftLog, term: number, snapshotIndex = 0): AppendTicket {
  return { term, lastIndex: log.handed, lastTerm: log.termAt(log.handed), snapshotIndex, seq: 1 }
}

test('which log is more up to date: the later term, then the longer log (pitfall 8)', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.nat(5), fc.nat(5), fc.nat(5), (ownTerm, ownLength, term, length) => {
      const log = logOf(Array.from({ length: ownLength }, () => ownTerm + 1))
      const own = ownLength === 0 ? 0 : ownTerm + 1
      const oracle = term === own ? length >= ownLength : term > own
      expect(log.isUpToDate(length, term)).toBe(oracle)
    }),
  )
})

test('merge agrees with a naive log: only a contradiction cuts (pitfall 5)', () => {
  const terms = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 8 }).map((list) => list.sort())
  fc.assert(
    fc.property(terms, terms, fc.nat(8), (own, sent, at) => {
      const prev = Math.min(at, own.length)
      const expected = [...own]
      sent.forEach((term, i) => {
        if (expected[prev + i] === term) return
        expected.splice(prev + i, Infinity, term)
      })
      const log = logOf(own)
      log.merge(sent.map((term, i) => entry(prev + 1 + i, term)))
      expect(termsOf(log)).toEqual(expected)
    }),
  )
})

test('what is committed is never cut', () => {
  const log = logOf([1, 1, 1])
  log.commitTo(2)
  expect(() => log.merge([entry(2, 2)])).toThrow('contradicts what is committed')
  expect(() => log.commitTo(4)).toThrow('acknowledged entries were lost')
})

test('lastAtOrBelow agrees with a search from the end', () => {
  const terms = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }).map((list) => list.sort())
  fc.assert(
    fc.property(terms, fc.nat(14), fc.nat(6), (own, index, term) => {
      const known = [0, ...own].map((value, i) => ({ value, i })).filter(({ value, i }) => i <= index && value <= term)
      expect(logOf(own).lastAtOrBelow(index, term)).toBe(known.at(-1)!.i)
    }),
  )
})

test('an old ticket cannot speak for a second life of the same entry (P8, ABA)', () => {
  const log = logOf([])
  log.merge([entry(1, 1)])
  log.takeUnsaved()
  const first = ticketOf(log, 1)
  log.merge([entry(1, 2)])
  log.takeUnsaved()
  // Term 3: its leader brings the entry of term 1 back. Same index, same term; the write of now is still under way.
  log.merge([entry(1, 1)])
  log.takeUnsaved()
  log.saved(first, 3)
  expect(log.stable).toBe(0)
  log.saved(ticketOf(log, 3), 3)
  expect(log.stable).toBe(1)
})

test('a ticket of this term whose tail was cut says nothing', () => {
  const log = logOf([1])
  log.merge([entry(2, 1), entry(3, 1)])
  log.takeUnsaved()
  const ticket = ticketOf(log, 2)
  log.merge([entry(2, 2)])
  log.saved(ticket, 2)
  expect(log.stable).toBe(1)
  expect(log.takeUnsaved().map((e) => e.term)).toEqual([2])
})

test('nothing is handed out to be applied before it is durable here (P9)', () => {
  const log = logOf([])
  log.append(entry(1, 1))
  log.takeUnsaved()
  log.commitTo(1)
  expect(log.takeCommitted(1000)).toEqual([])
  log.saved(ticketOf(log, 1), 1)
  expect(log.takeCommitted(1000).map((e) => e.index)).toEqual([1])
  expect(log.takeCommitted(1000)).toEqual([])
})

test('no more bytes are out to be applied than allowed, but always one entry', () => {
  const log = logOf([1, 1, 1, 1])
  const size = entryBytes(entry(1, 1))
  log.commitTo(4)
  expect(log.takeCommitted(2 * size).map((e) => e.index)).toEqual([1, 2])
  expect(log.hasCommitted(2 * size)).toBe(false)
  log.advanceApplied()
  expect(log.takeCommitted(2 * size).map((e) => e.index)).toEqual([3])
  log.advanceApplied()
  log.advanceApplied()
  expect(log.takeCommitted(1).map((e) => e.index)).toEqual([4])
})

test('a slice has at least one entry, and no more than it may', () => {
  const log = logOf([1, 1, 1, 1])
  const size = entryBytes(entry(1, 1))
  expect(log.slice(2, 1).map((e) => e.index)).toEqual([2])
  expect(log.slice(2, 2 * size).map((e) => e.index)).toEqual([2, 3])
  expect(log.slice(2, 1000).map((e) => e.index)).toEqual([2, 3, 4])
  expect(log.slice(5, 1000)).toEqual([])
})

test('compaction forgets what is applied and keeps the term at the cut', () => {
  const log = logOf([1, 2, 3])
  log.commitTo(3)
  log.takeCommitted(1000)
  log.advanceApplied()
  expect(() => log.compact(2)).toThrow('beyond what is applied')
  log.advanceApplied()
  log.compact(2)
  expect([log.first, log.last, log.termAt(2), log.termAt(1)]).toEqual([3, 3, 2, TERM_UNKNOWN])
  log.compact(1)
  expect(log.first).toBe(3)
})

test('a snapshot replaces the log; nothing is applied until it is durable', () => {
  const log = logOf([1, 1])
  const snapshot = { index: 5, term: 3, membership: EMPTY_MEMBERSHIP }
  log.restore(snapshot)
  expect(log.takeSnapshot()).toBe(snapshot)
  expect(log.takeSnapshot()).toBe(null)
  log.merge([entry(6, 3)])
  log.takeUnsaved()
  log.commitTo(6)
  expect(log.hasCommitted(1000)).toBe(false)
  // A write of before says nothing about it.
  log.saved({ term: 3, lastIndex: 2, lastTerm: 1, snapshotIndex: 0, seq: 1 }, 3)
  expect(log.stable).toBe(0)
  // The snapshot is committed state: its ticket counts though the term has moved, that of the entry does not.
  log.saved(ticketOf(log, 3, 5), 4)
  expect(log.stable).toBe(5)
  log.saved(ticketOf(log, 4), 4)
  expect(log.takeCommitted(1000).map((e) => e.index)).toEqual([6])
})

test('configurations are found where they are', () => {
  const log = logOf([1, 1])
  log.append({ index: 3, term: 1, type: ENTRY_CONFIG, data: encodeMembership(membershipOf({ voters: [1], learners: [] })) })
  expect([log.hasConfig(0, 2), log.hasConfig(2, 3), log.hasConfig(3, 3)]).toEqual([false, true, false])
})

test('a recovered log without its middle is refused', () => {
  expect(
    () =>
      new RaftLog({
        hardState: { term: 1, vote: 0, commit: 0 },
        snapshot: { index: 0, term: 0, membership: EMPTY_MEMBERSHIP },
        entries: [entry(1, 1), entry(3, 1)],
        applied: 0,
      }),
  ).toThrow('hole')
})
