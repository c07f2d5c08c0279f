/** Cold records of one generation: layers in memory over the store, checksums, and the sum that says what there should be. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { KvDamagedError } from '../../io/kv/damage.ts'
import { createMemoryKv } from '../../io/kv/memory.ts'
import type { Kv, KvOp } from '../../io/kv/kv.ts'
import { NO_COLD } from './cold-digest.ts'
import { ColdRecords } from './cold.ts'
import { AREA_COLD, areaKey, prefixOf } from './keys.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const texts = (values: readonly (Uint8Array | undefined)[]): (string | undefined)[] =>
  values.map((value) => (value === undefined ? undefined : new TextDecoder().decode(value)))
const keyOf = (name: string): Uint8Array => areaKey(prefixOf(1, 1), AREA_COLD, bytes(name))

let kv: Kv
let cold: ColdRecords

beforeEach(() => {
  kv = createMemoryKv()
  cold = new ColdRecords(kv, 1, 1, NO_COLD)
})

function drain(changes: Readonly<Record<string, string | null>>): KvOp[] {
  const ops: KvOp[] = []
  for (const [name, value] of Object.entries(changes)) cold.change(bytes(name), value === null ? null : bytes(value), ops)
  cold.seal()
  return ops
}

async function land(ops: readonly KvOp[]): Promise<void> {
  await kv.batch(ops, { sync: false })
  cold.landed()
}

describe('cold records', () => {
  test('are there from their drain on: at once while on their way, then out of the store', async () => {
    const first = drain({ a: 'A', b: '' })
    const second = drain({ a: null, c: 'C' })
    expect(cold.bytes).toBeGreaterThan(0)
    expect(texts(cold.get(['a', 'b', 'c'].map(bytes)) as Uint8Array[])).toEqual([undefined, '', 'C'])
    await land(first)
    // What is being deleted is gone, though the store still has it.
    expect(texts(cold.get(['c', 'a'].map(bytes)) as Uint8Array[])).toEqual(['C', undefined])
    expect(texts(await cold.get(['b', 'a', 'c'].map(bytes)))).toEqual(['', undefined, 'C'])
    await land(second)
    expect(cold.bytes).toBe(0)
    expect(texts(await cold.get(['c', 'x', 'a', 'b'].map(bytes)))).toEqual(['C', undefined, undefined, ''])
  })

  test('keep nothing of the machine’s buffers', async () => {
    const ops: KvOp[] = []
    const [key, value] = [bytes('k'), bytes('v')]
    cold.change(key, value, ops)
    cold.seal()
    value.fill(0)
    key.fill(0)
    expect(texts(await cold.get([bytes('k')]))).toEqual(['v'])
    await land(ops)
    expect(texts(await cold.get([bytes('k')]))).toEqual(['v'])
  })

  test('that rotted, or lie under another’s key, are told', async () => {
    await land(drain({ a: 'one', b: 'two', c: 'three' }))
    const rotten = Uint8Array.from((await kv.get(keyOf('a')))!)
    rotten[5]! ^= 1
    const other = (await kv.get(keyOf('c')))!
    await kv.batch(
      [
        { key: keyOf('a'), value: rotten },
        { key: keyOf('b'), value: other },
        { key: keyOf('d'), value: new Uint8Array(2) },
      ],
      { sync: false },
    )
    for (const name of ['a', 'b', 'd']) await expect(cold.get([bytes(name)])).rejects.toThrow('a cold record is not what was written')
    expect(texts(await cold.get([bytes('c')]))).toEqual(['three'])
  })

  test('the engine’s word for a rotten block is taken; any other trouble says nothing of the records', async () => {
    await land(drain({ a: 'A' }))
    kv.getMany = () => Promise.reject(new KvDamagedError('Corruption: block checksum mismatch'))
    await expect(cold.get([bytes('a')])).rejects.toMatchObject({ name: 'AssertionError' })
    kv.getMany = () => Promise.reject(new Error('IO error: too many open files'))
    await expect(cold.get([bytes('a')])).rejects.toMatchObject({ name: 'ColdUnreadable' })
  })

  test('of a generation that has ended nothing is read, nor given out', async () => {
    await land(drain({ a: 'A' }))
    const reading = cold.get([bytes('a')])
    cold.end()
    await expect(reading).rejects.toMatchObject({ name: 'ColdUnreadable' })
    expect(() => cold.get([bytes('a')])).toThrow('replaced')
  })

  test('their sum is that of the records that there are, whatever came and went', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    fc.assert(
      fc.property(fc.array(fc.array(names, { maxLength: 5 }), { maxLength: 8 }), (drains) => {
        cold = new ColdRecords(kv, 1, 1, NO_COLD)
        const there = new Set<string>()
        for (const toggled of drains) {
          const changes: Record<string, string | null> = {}
          for (const name of new Set(toggled)) {
            changes[name] = there.has(name) ? null : `${name}${drains.length}`
            if (!there.delete(name)) there.add(name)
          }
          drain(changes)
        }
        const now = cold.digest.now
        cold = new ColdRecords(kv, 1, 1, NO_COLD)
        drain(Object.fromEntries([...there].map((name) => [name, 'x'])))
        expect(cold.digest.now).toEqual(now)
        drain({ another: 'x' })
        expect(cold.digest.equals(now)).toBe(false)
      }),
    )
  })
})
