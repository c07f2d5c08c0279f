/** The contract of `src/io/storage.ts`, run over every disk (crashes are the simulator's matter). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Storage } from '../../src/io/storage.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

export function testStorage(name: string, make: () => Promise<{ readonly storage: Storage; readonly dispose: () => Promise<void> }>): void {
  describe(`storage: ${name}`, () => {
    let storage: Storage
    let dispose: () => Promise<void>
    beforeEach(async () => {
      const made = await make()
      storage = made.storage
      dispose = made.dispose
    })
    afterEach(() => dispose())

    test('writes chunks one after the other, anywhere; reads stop at the end', async () => {
      const file = await storage.open('a/b')
      await file.write(0, [bytes(1, 2), bytes(), bytes(3)])
      await file.writeDurable(2, [bytes(9), bytes(8, 7)])
      await file.sync()
      expect(await file.size()).toBe(5)
      expect([...(await file.read(1, 100))]).toEqual([2, 9, 8, 7])
      expect([...(await file.read(5, 10))]).toEqual([])
      await file.close()
      expect([...((await storage.readFile('a/b')) ?? [])]).toEqual([1, 2, 9, 8, 7])
    })

    test('a write past the end leaves zeros between; truncate cuts and fills with zeros', async () => {
      const file = await storage.open('f')
      await file.write(2, [bytes(5)])
      expect([...(await file.read(0, 9))]).toEqual([0, 0, 5])
      await file.truncate(1)
      await file.truncate(4)
      expect([...(await file.read(0, 9))]).toEqual([0, 0, 0, 0])
      await file.close()
    })

    test('opening again finds what was written', async () => {
      const first = await storage.open('f')
      await first.write(0, [bytes(1, 2, 3)])
      await first.close()
      const second = await storage.open('f')
      expect([...(await second.read(0, 3))]).toEqual([1, 2, 3])
      await second.close()
    })

    test('replace, rename, remove, list', async () => {
      expect(await storage.readFile('d/x')).toBeNull()
      expect(await storage.list('d')).toEqual([])
      await storage.replace('d/x', bytes(1))
      await storage.replace('d/x', bytes(2, 3))
      await storage.replace('d/w', bytes(4))
      expect([...((await storage.readFile('d/x')) ?? [])]).toEqual([2, 3])
      await storage.rename('d/x', 'd/y')
      await storage.syncDirectory('d')
      expect(await storage.list('d')).toEqual(['w', 'y'])
      await storage.remove('d/w')
      await storage.remove('d/never-was')
      expect(await storage.list('d')).toEqual(['y'])
    })

    test('a key-value store of its own per directory, kept over a reopening', async () => {
      const kv = await storage.kv('kv')
      await kv.batch([{ key: bytes(1), value: bytes(2) }], { sync: true })
      await kv.close()
      const again = await storage.kv('kv')
      expect([...((await again.get(bytes(1))) ?? [])]).toEqual([2])
      await again.close()
    })

    test('a store that is set aside is kept under another name each time, and the next is empty', async () => {
      const asides = []
      for (const life of [1, 2]) {
        const kv = await storage.kv('kv')
        expect(await kv.get(bytes(1))).toBeUndefined()
        await kv.batch([{ key: bytes(1), value: bytes(life) }], { sync: true })
        await kv.close()
        asides.push(await storage.setAside('kv'))
      }
      expect(new Set(asides).size).toBe(2)
      const old = await storage.kv(asides[0] ?? '')
      expect([...((await old.get(bytes(1))) ?? [])]).toEqual([1])
      await old.close()
    })

    test('closing waits for the replacements under way', async () => {
      const replaced = storage.replace('replaced/one', bytes(1))
      await storage.close()
      expect(await storage.list('replaced')).toEqual(['one'])
      expect([...((await storage.readFile('replaced/one')) ?? [])]).toEqual([1])
      await replaced
    })

    test('says how much room is left', async () => {
      expect(await storage.freeBytes()).toBeGreaterThan(0)
    })
  })
}
