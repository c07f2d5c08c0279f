/** The checker itself: known verdicts, and agreement with trying every order. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Model, type TimedOperation, checkLinearizable } from './linearizability.ts'
import { type LockOperation, lockModel } from './lock-model.ts'

type Register = { readonly write: number } | { readonly read: number }
const register: Model<number, Register> = {
  initial: 0,
  step: (state, operation) => ('write' in operation ? operation.write : operation.read === state ? state : null),
}
const op = <O>(call: number, end: number, operation: O): TimedOperation<O> => ({ call, return: end, operation })

describe('checkLinearizable', () => {
  it('accepts a read that overlaps the write it sees', () => {
    expect(checkLinearizable(register, [op(0, 10, { write: 1 }), op(1, 2, { read: 0 }), op(3, 4, { read: 1 })])).toBe('linearizable')
  })

  it('refuses a stale read', () => {
    expect(checkLinearizable(register, [op(0, 1, { write: 1 }), op(2, 3, { read: 0 })])).toBe('not linearizable')
  })

  it('refuses reads that see a write and then not', () => {
    const history = [op(0, 10, { write: 1 }), op(1, 2, { read: 1 }), op(3, 4, { read: 0 })]
    expect(checkLinearizable(register, history)).toBe('not linearizable')
  })

  it('agrees with trying every order', () => {
    const operation = fc.oneof(
      fc.record({ write: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ read: fc.integer({ min: 0, max: 2 }) }),
    ) as fc.Arbitrary<Register>
    const timed = fc.record({ call: fc.integer({ min: 0, max: 12 }), length: fc.integer({ min: 1, max: 6 }), operation })
    fc.assert(
      fc.property(fc.array(timed, { maxLength: 6 }), (drawn) => {
        const history = drawn.map(({ call, length, operation: one }) => op(call, call + length, one))
        expect(checkLinearizable(register, history) === 'linearizable').toBe(bruteForce(register, history))
      }),
      { numRuns: 2_000 },
    )
  })

  it('gives up where it is told to', () => {
    expect(checkLinearizable(register, [op(0, 1, { write: 1 }), op(2, 3, { read: 0 })], 0)).toBe('unknown')
  })
})

function bruteForce<S extends string | number, O>(model: Model<S, O>, history: readonly TimedOperation<O>[]): boolean {
  const go = (left: readonly TimedOperation<O>[], state: S): boolean =>
    left.length === 0 ||
    left.some((one) => {
      if (left.some((other) => other !== one && other.return < one.call)) return false
      const next = model.step(state, one.operation)
      return (
        next !== null &&
        go(
          left.filter((other) => other !== one),
          next,
        )
      )
    })
  return go(history, model.initial)
}

describe('lockModel', () => {
  const verdict = (...history: TimedOperation<LockOperation>[]) => checkLinearizable(lockModel, history)
  const granted = (token: number): LockOperation => ({ kind: 'acquire', id: token, result: token })

  it('refuses two holders', () => {
    expect(verdict(op(0, 1, granted(1)), op(2, 3, granted(2)))).toBe('not linearizable')
    expect(verdict(op(0, 1, granted(1)), op(2, 3, { kind: 'release', token: 1, result: 'released' }), op(4, 5, granted(2)))).toBe(
      'linearizable',
    )
  })

  it('explains "held" only by somebody who may hold', () => {
    const held: LockOperation = { kind: 'acquire', id: 9, result: 'held' }
    expect(verdict(op(0, 1, held))).toBe('not linearizable')
    expect(verdict(op(0, Infinity, { kind: 'acquire', id: 1, result: 'unknown' }), op(2, 3, held))).toBe('linearizable')
  })

  it('binds the token of an unknown acquire at the first look', () => {
    const unknown = op<LockOperation>(0, Infinity, { kind: 'acquire', id: 1, result: 'unknown' })
    const look = (at: number, token: number) => op<LockOperation>(at, at + 1, { kind: 'status', token })
    expect(verdict(unknown, look(2, 7), look(4, 7))).toBe('linearizable')
    expect(verdict(unknown, look(2, 7), look(4, 8))).toBe('not linearizable')
    expect(verdict(unknown, look(2, 7), look(4, 0))).toBe('not linearizable')
  })
})
