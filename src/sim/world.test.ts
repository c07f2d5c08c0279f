/** Order, settling and the guard: what "one seed decides everything" rests on. */
import { describe, expect, it } from 'vitest'
import { guardAmbient } from './ambient.ts'
import { SimClock } from './clock.ts'
import { Dice } from './dice.ts'
import { NodeLife } from './life.ts'
import { World } from './world.ts'

const nothing = (): void => {}

describe('World', () => {
  it('runs events by time, and those of one instant as they were scheduled', async () => {
    const world = new World(1)
    const ran: string[] = []
    for (const [delay, name] of [
      [5, 'c'],
      [1, 'a'],
      [5, 'd'],
      [2, 'b'],
    ] as const)
      world.at(delay, 'x', () => ran.push(name))
    world.at(3, 'x', () => ran.push('never')).cancel()
    await world.run(100, nothing)
    expect(ran.join('')).toBe('abcd')
    expect(world.now).toBe(100)
  })

  it('settles every continuation before the next event', async () => {
    const world = new World(1)
    const ran: string[] = []
    const deep = async (left: number): Promise<void> => {
      if (left > 0) await deep(left - 1)
      else ran.push('settled')
    }
    world.at(1, 'x', () => void Promise.resolve().then(() => deep(50)))
    world.at(1, 'x', () => ran.push('next'))
    await world.run(2, nothing)
    expect(ran).toEqual(['settled', 'next'])
  })

  it('stops at the first failure', async () => {
    const world = new World(1)
    const ran: string[] = []
    world.at(1, 'x', () => {
      throw new Error('first')
    })
    world.at(2, 'x', () => ran.push('after'))
    await world.run(10, nothing)
    expect(world.failure?.message).toBe('first')
    expect(ran).toEqual([])
  })

  it('fails where time stands still', async () => {
    const world = new World(1)
    const again = (): void => void world.at(0, 'x', again)
    world.at(1, 'x', again)
    await world.run(10, nothing)
    expect(world.failure?.message).toContain('time stands still')
  })

  it('has another hash for another order', async () => {
    const hashes = await Promise.all(
      [
        ['a', 'b'],
        ['a', 'b'],
        ['b', 'a'],
      ].map(async (tags) => {
        const world = new World(1)
        for (const tag of tags) world.at(1, tag, nothing)
        await world.run(2, nothing)
        return world.hash
      }),
    )
    expect(hashes[0]).toBe(hashes[1])
    expect(hashes[2]).not.toBe(hashes[0])
  })
})

describe('SimClock', () => {
  it('fires no timer before its time, however the drift rounds', async () => {
    const dice = new Dice(1)
    const world = new World(1)
    const early: number[] = []
    for (let i = 0; i < 2_000; i++) {
      const life = new NodeLife(world, 'n1')
      const clock = new SimClock(world, life, { driftPpm: dice.between(-20_000, 20_000), wallOffsetMs: 0, originMs: dice.integer(1, 1e6) })
      const delayMs = dice.exponential(1_000)
      const due = clock.now() + delayMs
      clock.after(delayMs, () => void (clock.now() < due && early.push(due - clock.now())))
      await world.run(world.now + dice.next() * 10, nothing)
    }
    await world.run(world.now + 1e5, nothing)
    expect(early).toEqual([])
  })
})

describe('guardAmbient', () => {
  it('makes ambient time and chance throw, and gives them back', () => {
    const guard = guardAmbient()
    try {
      expect(() => Date.now()).toThrow('ambient now')
      expect(() => Math.random()).toThrow('ambient random')
      expect(() => setTimeout(nothing, 0)).toThrow('ambient setTimeout')
    } finally {
      guard.restore()
    }
    expect(Date.now()).toBeGreaterThan(0)
  })
})
