/** The checker of cold records says no where it should. */
import { expect, test } from 'vitest'
import { createMemoryKv } from '../../io/kv/memory.ts'
import type { KvOp } from '../../io/kv/kv.ts'
import { ColdRecords } from '../../raft/host/cold.ts'
import { NO_COLD } from '../../raft/host/cold-digest.ts'
import { encodeHeader, headerKey } from '../../raft/host/keys.ts'
import { KvPlatter } from '../kv-platter.ts'
import { checkColdRecords } from './cold-records.ts'

const membership = { voters: [1], outgoing: [], learners: [], learnersNext: [] }
const key = (name: string): Uint8Array => new TextEncoder().encode(name)

/** Two generations of a group: the first with a header, the second still arriving. */
function stored(change: (cold: ColdRecords, ops: KvOp[]) => void): KvPlatter {
  const ops: KvOp[] = []
  const cold = new ColdRecords(createMemoryKv(), 1, 1, NO_COLD)
  change(cold, ops)
  const header = { index: 5, term: 1, time: 0, ordinal: 0, membership, count: 0, sum: 0, cold: cold.digest.now }
  ops.push({ key: headerKey(1, 1), value: encodeHeader(header) })
  new ColdRecords(createMemoryKv(), 1, 2, NO_COLD).change(key('arriving'), key('x'), ops)
  const platter = new KvPlatter(() => {})
  platter.land(ops, true)
  return platter
}

test('what is whole passes; a record too many or too few, or written twice, does not', () => {
  const whole = stored((cold, ops) => {
    cold.change(key('a'), key('1'), ops)
    cold.change(key('b'), key('2'), ops)
    cold.change(key('a'), null, ops)
  })
  expect(() => checkColdRecords('n1', whole)).not.toThrow()
  const lost = stored((cold, ops) => {
    cold.change(key('a'), key('1'), ops)
    ops.pop()
  })
  expect(() => checkColdRecords('n1', lost)).toThrow('n1 has 0 of 1 after a crash')
  const twice = stored((cold, ops) => {
    cold.change(key('a'), key('1'), ops)
    cold.change(key('a'), key('2'), ops)
  })
  expect(() => checkColdRecords('n1', twice)).toThrow('n1 has 1 of 2 after a crash')
})
