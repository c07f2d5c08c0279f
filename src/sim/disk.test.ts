/** The simulated disk keeps the contract of every disk, and loses at a power cut what it may lose and nothing else. */
import { describe, expect, it } from 'vitest'
import { testKv } from '../../test/conformance/kv.ts'
import { testStorage } from '../../test/conformance/storage.ts'
import type { File, Storage } from '../io/storage.ts'
import { Dice } from './dice.ts'
import { mount } from './disk-storage.ts'
import { SimDisk } from './disk.ts'
import { NodeLife } from './life.ts'
import { World } from './world.ts'

const OPTIONS = { latencyMeanMs: 0.1, slow: 0.05, slowMs: 5 }

/** A disk whose world turns by itself, as long as somebody waits. */
function turning(seed = 1) {
  const world = new World(seed)
  const disk = new SimDisk(world, world.dice.fork('disk'), OPTIONS)
  let on = true
  const turn = async (): Promise<void> => {
    while (on) {
      await world.run(world.now + 1, () => {})
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const turned = turn()
  const stop = async (): Promise<void> => {
    on = false
    await turned
  }
  return { world, disk, life: new NodeLife(world, 'n1'), stop }
}

testStorage('simulated', async () => {
  const { disk, life, stop } = turning()
  return { storage: mount(disk, life), dispose: stop }
})

testKv('simulated', async () => {
  const { disk, life, stop } = turning()
  return { kv: await mount(disk, life).kv('kv'), dispose: stop }
})

/** Runs `work` against a disk, cuts the power, and gives the disk as the next life finds it. */
async function cut(
  seed: number,
  work: (storage: Storage, disk: SimDisk) => Promise<unknown>,
): Promise<{ storage: Storage; stop: () => Promise<void> }> {
  const { world, disk, life, stop } = turning(seed)
  await work(mount(disk, life), disk)
  life.end()
  disk.crash()
  return { storage: mount(disk, new NodeLife(world, 'n1')), stop }
}

const filled = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte)
const SECTORS = 8

async function create(storage: Storage): Promise<File> {
  const file = await storage.open('d/f')
  await file.write(0, [filled(1, SECTORS * 512)])
  await file.sync()
  await storage.syncDirectory('d')
  return file
}

describe('a power cut', () => {
  it('keeps what was synced, and of the rest any subset by sectors', async () => {
    const kept = new Set<number>()
    for (let seed = 0; seed < 40; seed++) {
      const { storage, stop } = await cut(seed, async (disk) => (await create(disk)).write(0, [filled(2, SECTORS * 512)]))
      const bytes = await storage.readFile('d/f')
      expect(bytes?.length).toBe(SECTORS * 512)
      let survived = 0
      for (let sector = 0; sector < SECTORS; sector++) {
        const found = new Set(bytes?.subarray(sector * 512, (sector + 1) * 512))
        expect(found.size).toBe(1)
        if (found.has(2)) survived++
      }
      kept.add(survived)
      await stop()
    }
    expect(kept.has(0) && kept.has(SECTORS)).toBe(true)
    expect(kept.size).toBeGreaterThan(3)
  })

  it('keeps a durable write, and tears one that was under way', async () => {
    let torn = 0
    for (let seed = 0; seed < 40; seed++) {
      const { storage, stop } = await cut(seed, async (disk) => {
        const file = await create(disk)
        await file.writeDurable(0, [filled(3, 512)])
        void file.writeDurable(512, [filled(4, 3 * 512)])
      })
      const bytes = (await storage.readFile('d/f')) ?? filled(0, 0)
      expect(bytes[0]).toBe(3)
      const sectors = [1, 2, 3].filter((sector) => bytes[sector * 512] === 4).length
      if (sectors > 0 && sectors < 3) torn++
      await stop()
    }
    expect(torn).toBeGreaterThan(0)
  })

  it('may forget a name until its directory was synced; a rename is one step', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 40; seed++) {
      const { storage, stop } = await cut(seed, async (disk) => {
        await create(disk)
        await disk.rename('d/f', 'd/g')
        await disk.open('d/new')
      })
      seen.add((await storage.list('d')).join())
      await stop()
    }
    expect([...seen].sort()).toEqual(['f', 'g', 'g,new'])
  })

  it('leaves the old file or the new one of a replacement, and never loses a finished one', async () => {
    for (let seed = 0; seed < 40; seed++) {
      const { storage, stop } = await cut(seed, async (disk) => {
        await disk.replace('x', filled(1, 700))
        await disk.replace('x', filled(2, 1_400))
        void disk.replace('x', filled(3, 2_100))
      })
      const bytes = await storage.readFile('x')
      expect(['2 1400', '3 2100']).toContain(`${bytes?.[0]} ${bytes?.length}`)
      expect(new Set(bytes).size).toBe(1)
      await stop()
    }
  })

  it('leaves a prefix of the batches of a store, up to the last synced one at least', async () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 40; seed++) {
      const { storage, stop } = await cut(seed, async (disk) => {
        const kv = await disk.kv('kv')
        for (let i = 0; i < 10; i++) await kv.batch([{ key: Uint8Array.of(i), value: Uint8Array.of(i) }], { sync: i === 4 })
        void kv.batch([{ key: Uint8Array.of(10), value: Uint8Array.of(10) }], { sync: false })
      })
      const kv = await storage.kv('kv')
      const keys = (await kv.iterate({}).next(100)).map(([key]) => key[0])
      expect(keys).toEqual(keys.map((_, i) => i))
      expect(keys.length).toBeGreaterThanOrEqual(5)
      lengths.add(keys.length)
      await stop()
    }
    expect(lengths.has(5) && lengths.has(11)).toBe(true)
  })
})

describe('faults', () => {
  it('a failed sync is told once, and its pages are gone', async () => {
    const { storage, stop } = await cut(1, async (disk, device) => {
      const file = await create(disk)
      await file.write(0, [filled(9, 512)])
      device.failNextSync = true
      await expect(file.sync()).rejects.toThrow('EIO')
      await file.sync()
      expect((await file.read(0, 1))[0]).toBe(9)
    })
    expect((await storage.readFile('d/f'))?.[0]).toBe(1)
    await stop()
  })

  it('a full disk refuses what needs space, and takes what does not', async () => {
    const { disk, life, stop } = turning()
    const storage = mount(disk, life)
    const file = await create(storage)
    disk.full = true
    await expect(file.write(SECTORS * 512, [filled(1, 1)])).rejects.toThrow('ENOSPC')
    await file.writeDurable(0, [filled(7, 512)])
    expect(await storage.freeBytes()).toBe(0)
    await stop()
  })

  it('a dead life does nothing more', async () => {
    const { world, disk, life, stop } = turning()
    const file = await create(mount(disk, life))
    life.end()
    void file.writeDurable(0, [filled(8, 512)])
    await new Promise<void>((resolve) => world.at(100, 'later', resolve))
    expect(disk.find('d/f')?.platter()[0]).toBe(1)
    await stop()
  })
})

describe('Dice', () => {
  it('forks by label: what others draw does not matter', () => {
    const a = new Dice(7)
    const b = new Dice(7)
    b.next()
    expect(b.fork('disk').next()).toBe(a.fork('disk').next())
    expect(a.fork('network').next()).not.toBe(a.fork('disk').next())
  })
})
