/** The contract of `src/io/kv/kv.ts`, run over every engine. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compareBytes } from '../../src/io/kv/bytes.ts'
import type { Kv, KvPair, KvRange } from '../../src/io/kv/kv.ts'

const key = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const shown = (pairs: readonly KvPair[]) => pairs.map(([k, v]) => `${text(k)}=${text(v)}`)

async function all(kv: Kv, range: KvRange = {}, page = 2): Promise<KvPair[]> {
  const iterator = kv.iterate(range)
  const found: KvPair[] = []
  for (;;) {
    const more = await iterator.next(page)
    if (more.length === 0) break
    found.push(...more)
  }
  await iterator.close()
  return found
}

export function testKv(name: string, make: () => Promise<{ readonly kv: Kv; readonly dispose: () => Promise<void> }>): void {
  describe(`kv: ${name}`, () => {
    let kv: Kv
    let dispose: () => Promise<void>
    beforeEach(async () => {
      const made = await make()
      kv = made.kv
      dispose = made.dispose
    })
    afterEach(() => dispose())
    const put = (...names: string[]) =>
      kv.batch(
        names.map((n) => ({ key: key(n), value: key(n.toUpperCase()) })),
        { sync: false },
      )

    test('compaction changes nothing that can be read, beside writes that go on', async () => {
      await put('a', 'b', 'c', 'd')
      await kv.clear({ gte: key('b'), lt: key('d') })
      const compacting = kv.compact({ gte: key('a'), lt: key('z') })
      await put('e')
      await compacting
      await kv.compact({})
      expect(shown(await all(kv))).toEqual(['a=A', 'd=D', 'e=E'])
    })

    test('puts, gets, deletes, in the order of the batch', async () => {
      await put('a', 'b')
      await kv.batch(
        [
          { key: key('a'), value: null },
          { key: key('c'), value: key('1') },
          { key: key('c'), value: key('2') },
        ],
        { sync: true },
      )
      expect(await kv.get(key('a'))).toBeUndefined()
      expect(text((await kv.get(key('b'))) ?? key(''))).toBe('B')
      expect(text((await kv.get(key('c'))) ?? key(''))).toBe('2')
    })

    test('gets many, in the order of the keys', async () => {
      await put('a', 'b', 'c')
      const values = await kv.getMany(['c', 'x', 'a', 'c'].map(key))
      expect(values.map((value) => value && text(value))).toEqual(['C', undefined, 'A', 'C'])
      expect(await kv.getMany([])).toEqual([])
    })

    test('batches take effect in the order of their calls', async () => {
      const calls = Array.from({ length: 50 }, (_, i) => kv.batch([{ key: key('k'), value: key(String(i)) }], { sync: i % 7 === 0 }))
      await Promise.all(calls)
      expect(text((await kv.get(key('k'))) ?? key(''))).toBe('49')
    })

    test('iterates a range in byte order, page by page', async () => {
      await put('b', 'a', 'd', 'c', 'aa')
      expect(shown(await all(kv))).toEqual(['a=A', 'aa=AA', 'b=B', 'c=C', 'd=D'])
      expect(shown(await all(kv, { gte: key('aa'), lt: key('d') }, 100))).toEqual(['aa=AA', 'b=B', 'c=C'])
      expect(await all(kv, { gte: key('x') })).toEqual([])
    })

    test('an iterator sees the store as it was when it was made', async () => {
      await put('a', 'b', 'c')
      const iterator = kv.iterate({})
      await kv.batch(
        [
          { key: key('a'), value: null },
          { key: key('b'), value: key('new') },
          { key: key('z'), value: key('late') },
        ],
        { sync: false },
      )
      expect(shown(await iterator.next(10))).toEqual(['a=A', 'b=B', 'c=C'])
      await iterator.close()
    })

    test('clears a range and nothing else', async () => {
      await put('a', 'b', 'c', 'd')
      await kv.clear({ gte: key('b'), lt: key('d') })
      expect(shown(await all(kv))).toEqual(['a=A', 'd=D'])
    })

    test('does not keep the caller’s buffers', async () => {
      const [k, v] = [key('k'), key('v')]
      await kv.batch([{ key: k, value: v }], { sync: false })
      k.fill(0)
      v.fill(0)
      expect(shown(await all(kv))).toEqual(['k=v'])
    })

    test('agrees with a sorted map', async () => {
      const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 })
      const op = fc.record({ key: bytes, value: fc.option(fc.uint8Array({ maxLength: 4 })) })
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(op, { maxLength: 8 }), { maxLength: 8 }), async (batches) => {
          await kv.clear({})
          const model = new Map<string, KvPair>()
          for (const batch of batches) {
            await kv.batch(batch, { sync: false })
            for (const { key: k, value } of batch) {
              if (value === null) model.delete(k.join())
              else model.set(k.join(), [k, value])
            }
          }
          const expected = [...model.values()].sort((a, b) => compareBytes(a[0], b[0]))
          const plain = (pairs: readonly KvPair[]) => pairs.map(([k, v]) => [[...k], [...v]])
          expect(plain(await all(kv, {}, 3))).toEqual(plain(expected))
        }),
        { numRuns: 60 },
      )
    })
  })
}
