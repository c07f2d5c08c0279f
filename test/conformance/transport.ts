/** The contract of `src/io/transport.ts`, run over every carrier while it is in good health (its faults are tests of its own). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Transport } from '../../src/io/transport.ts'

export interface TransportBed {
  join(node: string, incarnation: number): Promise<Transport>
  /** Lets what is under way go on for a moment. */
  turn(): Promise<void>
  dispose(): Promise<void>
}

export interface TransportTraits {
  /** How many nodes it joins: a port has two ends, and what is sent into one comes out of the other. */
  readonly ends: 'two' | 'many'
  /** Whether the carrier itself keeps the lives of a node apart, or leaves that to the links. */
  readonly lives: boolean
}

interface Ear {
  readonly transport: Transport
  readonly frames: Uint8Array[]
  readonly connections: boolean[]
}

const TURNS_MAX = 4_000
const frame = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
const firsts = ({ frames }: Ear): (number | undefined)[] => frames.map((bytes) => bytes[0])

export function testTransport(name: string, traits: TransportTraits, make: () => Promise<TransportBed>): void {
  describe(`transport: ${name}`, () => {
    let bed: TransportBed
    beforeEach(async () => {
      bed = await make()
    })
    afterEach(() => bed.dispose())

    const until = async (reached: () => boolean): Promise<void> => {
      for (let turn = 0; turn < TURNS_MAX && !reached(); turn++) await bed.turn()
      expect(reached()).toBe(true)
    }

    const join = async (node: string, incarnation: number): Promise<Ear> => {
      const ear: Ear = { transport: await bed.join(node, incarnation), frames: [], connections: [] }
      ear.transport.listen({ onFrame: (bytes) => ear.frames.push(bytes), onConnection: (connected) => ear.connections.push(connected) })
      return ear
    }

    /** Joins them and waits until each hears all others: what is sent before may be lost. */
    const meet = async (...lives: readonly (readonly [node: string, incarnation: number])[]): Promise<Ear[]> => {
      const ears: Ear[] = []
      for (const [node, incarnation] of lives) ears.push(await join(node, incarnation))
      for (const [at, speaker] of ears.entries()) {
        const knock = 200 + at
        await until(() => {
          speaker.transport.broadcast(frame(knock))
          return ears.every((ear) => ear === speaker || firsts(ear).includes(knock))
        })
      }
      for (const [at, speaker] of ears.entries()) {
        speaker.transport.broadcast(frame(100 + at))
        await until(() => ears.every((ear) => ear === speaker || firsts(ear).includes(100 + at)))
      }
      for (const ear of ears) ear.frames.length = 0
      return ears
    }

    test('knows who it is, and is connected', async () => {
      const { transport } = await join('n1', 7)
      expect([transport.node, transport.incarnation, transport.connected]).toEqual(['n1', 7, true])
      expect(transport.frameBytesMax).toBeGreaterThanOrEqual(64 * 1024)
    })

    test('frames arrive whole and in order, both ways, and none within the call that sent it', async () => {
      const [a, b] = (await meet(['n1', 1], ['n2', 1])) as [Ear, Ear]
      for (let i = 0; i < 100; i++) {
        a.transport.send('n2', 1, new Uint8Array(1 + i * 37).fill(i))
        b.transport.send('n1', 1, frame(i))
      }
      expect([a.frames.length, b.frames.length]).toEqual([0, 0])
      await until(() => a.frames.length >= 100 && b.frames.length >= 100)
      expect(b.frames.map((bytes) => [bytes.length, bytes[0], bytes.at(-1)])).toEqual(
        Array.from({ length: 100 }, (_, i) => [1 + i * 37, i, i]),
      )
      expect(firsts(a)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    })

    test('the largest frame arrives', async () => {
      const [a, b] = (await meet(['n1', 1], ['n2', 1])) as [Ear, Ear]
      const large = new Uint8Array(a.transport.frameBytesMax).map((_, i) => i % 251)
      a.transport.send('n2', 1, large.slice())
      await until(() => b.frames.length > 0)
      expect(Buffer.from(b.frames[0] as Uint8Array).equals(large)).toBe(true)
    })

    test('what was received may be kept: no later frame writes over it', async () => {
      const [a, b] = (await meet(['n1', 1], ['n2', 1])) as [Ear, Ear]
      for (let round = 1; round <= 20; round++) {
        for (let i = 0; i < 50; i++) a.transport.send('n2', 1, new Uint8Array(100).fill(round))
        await until(() => b.frames.length >= round * 50)
      }
      for (const [at, bytes] of b.frames.entries()) expect(bytes.every((byte) => byte === 1 + Math.floor(at / 50))).toBe(true)
    })

    test('after close nothing is sent and nothing heard; closing again does nothing', async () => {
      const [a, b] = (await meet(['n1', 1], ['n2', 1])) as [Ear, Ear]
      await a.transport.close()
      await a.transport.close()
      expect(a.transport.connected).toBe(false)
      a.transport.send('n2', 1, frame(1))
      a.transport.broadcast(frame(2))
      b.transport.send('n1', 1, frame(3))
      b.transport.broadcast(frame(4))
      for (let i = 0; i < 5; i++) await bed.turn()
      expect([firsts(a), firsts(b)]).toEqual([[], []])
    })

    if (traits.ends === 'many') testMany(meet, until, traits)
  })
}

type Meet = (...lives: readonly (readonly [node: string, incarnation: number])[]) => Promise<Ear[]>
type Until = (reached: () => boolean) => Promise<void>

function testMany(meet: Meet, until: Until, { lives }: TransportTraits): void {
  test('a broadcast reaches all others, each with bytes of its own, and not its sender', async () => {
    const [a, b, c] = (await meet(['n1', 1], ['n2', 1], ['n3', 1])) as [Ear, Ear, Ear]
    a.transport.broadcast(frame(1, 2))
    await until(() => b.frames.length > 0 && c.frames.length > 0)
    b.frames[0]?.fill(9)
    expect([firsts(a), c.frames.map((bytes) => [...bytes])]).toEqual([[], [[1, 2]]])
  })

  test('a frame for a node that is not there is lost, and others do not hear it', async () => {
    const [a, b] = (await meet(['n1', 1], ['n2', 1])) as [Ear, Ear]
    a.transport.send('n9', 1, frame(1))
    a.transport.send('n2', 1, frame(2))
    await until(() => b.frames.length > 0)
    expect(firsts(b)).toEqual([2])
  })

  if (!lives) return
  test('a frame for one life of a node reaches no other', async () => {
    const [a, b, old] = (await meet(['n1', 1], ['n2', 2], ['n3', 1])) as [Ear, Ear, Ear]
    for (const life of [1, 3]) a.transport.send('n2', life, frame(life))
    a.transport.send('n2', 2, frame(2))
    await until(() => b.frames.length > 0)
    expect([firsts(b), firsts(old)]).toEqual([[2], []])
  })
}
