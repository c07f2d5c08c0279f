/** Lives and frames of one node's links, on a carrier that only writes down what it was given. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import type { Transport, TransportHandlers } from '../io/transport.ts'
import { packPlain } from './codec.ts'
import { DeadLetters } from './dead-letters.ts'
import type { Plain } from './envelope.ts'
import { type FrameKind, KIND_DATA, KIND_HELLO, KIND_HELLO_REPLY, KIND_PIECE, clusterNumber, decodeFrame, encodeFrame } from './frame.ts'
import { Links } from './links.ts'
import { ENVELOPE_BYTES_MAX } from './pieces.ts'
import { Received } from './received.ts'

interface Sent {
  readonly to: string
  readonly life: number
  readonly bytes: Uint8Array
}

class Paper implements Transport {
  readonly node = 'n1'
  readonly incarnation = 10
  frameBytesMax = 200
  connected = true
  readonly sent: Sent[] = []
  handlers: TransportHandlers | null = null

  send(to: string, life: number, bytes: Uint8Array): void {
    this.sent.push({ to, life, bytes })
  }
  broadcast(bytes: Uint8Array): void {
    this.sent.push({ to: '*', life: 0, bytes })
  }
  listen(handlers: TransportHandlers): void {
    this.handlers = handlers
  }
  async close(): Promise<void> {
    this.connected = false
  }
}

type Admit = (node: string, incarnation: number, hello: Plain) => boolean

function bed(admit: Admit = () => true) {
  const [clock, transport, deadLetters] = [new ManualClock(), new Paper(), new DeadLetters()]
  const [heard, met, bugs]: [number[][], string[], unknown[]] = [[], [], []]
  const links = new Links({
    cluster: 'test',
    clock,
    transport,
    deadLetters,
    hello: 'me',
    admit,
    onEnvelope: (bytes) => heard.push([...bytes]),
    onPeer: (node, life) => met.push(`${node}/${life}`),
    onBug: (error) => bugs.push(error),
  })
  let numbers = 0
  const arrive = (
    kind: FrameKind,
    from: string,
    fromIncarnation: number,
    toIncarnation: number,
    parts: readonly Uint8Array[],
    number = ++numbers,
  ): void => {
    const header = { kind, cluster: clusterNumber('test'), from, fromIncarnation, toIncarnation, number }
    transport.handlers?.onFrame(encodeFrame(header, parts))
  }
  const hello = (from: string, life: number, said: Plain = 'x'): void => arrive(KIND_HELLO, from, life, 0, [packPlain(said)])
  /** What was sent since the last look: kind, receiver, its life, and the first byte of each envelope. */
  const look = (): string[] =>
    transport.sent.splice(0).map(({ to, life, bytes }) => {
      const frame = decodeFrame(bytes)
      const kind = ['data', 'hello', 'reply', 'piece'][frame?.header.kind ?? -1]
      const firsts = kind === 'data' ? frame?.envelopes.map((envelope) => ` ${envelope[0]}`).join('') : ''
      return `${kind} ${to}/${life}${firsts}`
    })
  return { clock, transport, links, heard, met, bugs, arrive, hello, look, dead: deadLetters.counts }
}

const sized = (first: number, length: number): Uint8Array => new Uint8Array(length).fill(first)

describe('copies', () => {
  test('a frame is taken once in a life, in whatever order they come, and after a peer was shut out too', () => {
    let admitted = true
    const { arrive, hello, heard, dead } = bed(() => admitted)
    hello('n2', 5)
    for (const number of [2, 1, 2, 3, 1]) arrive(KIND_DATA, 'n2', 5, 10, [Uint8Array.of(number)], number)
    expect([heard.flat(), dead['copy']]).toEqual([[2, 1, 3], 2])
    admitted = false
    hello('n2', 5)
    admitted = true
    hello('n2', 5)
    arrive(KIND_DATA, 'n2', 5, 10, [Uint8Array.of(3)], 3)
    hello('n2', 6)
    arrive(KIND_DATA, 'n2', 6, 10, [Uint8Array.of(1)], 1)
    expect([heard.flat(), dead['copy']]).toEqual([[2, 1, 3, 1], 3])
  })

  test('of what is sent each frame to a life has a number of its own', () => {
    const { transport, hello, links } = bed()
    hello('n2', 5)
    hello('n3', 5)
    transport.sent.splice(0)
    const send = (to: string): void => {
      links.send(to, sized(1, 10))
      links.flush()
    }
    for (const to of ['n2', 'n2', 'n3', 'n2']) send(to)
    hello('n2', 6)
    send('n2')
    const numbers = transport.sent.map(({ bytes }) => decodeFrame(bytes)!.header).filter(({ kind }) => kind === KIND_DATA)
    expect(numbers.map(({ toIncarnation, number }) => `${toIncarnation}/${number}`)).toEqual(['5/1', '5/2', '5/1', '5/3', '6/1'])
  })

  test('Received takes each number of its window once, and none from before it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 12_000 })), { maxLength: 400 }),
        (numbers) => {
          const received = new Received()
          const taken = new Set<number>()
          let highest = 0
          for (const number of numbers) {
            expect(received.take(number)).toBe(!taken.has(number) && number > highest - 4_096)
            if (number > highest - 4_096) taken.add(number)
            highest = Math.max(highest, number)
          }
        },
      ),
    )
  })
})

describe('lives', () => {
  test('hello goes out at the start, every second, and when the connection is back; never while there is none', async () => {
    const { clock, transport, look } = bed()
    expect(look()).toEqual(['hello */0'])
    await clock.pass(2_500)
    expect(look()).toEqual(['hello */0', 'hello */0'])
    transport.connected = false
    await clock.pass(2_000)
    expect(look()).toEqual([])
    transport.connected = true
    transport.handlers?.onConnection(true)
    expect(look()).toEqual(['hello */0'])
    await clock.pass(1_000)
    expect(look()).toEqual(['hello */0'])
  })

  test('a hello is answered to the life that said it, an answer is not answered', () => {
    const { hello, arrive, look, met, links } = bed()
    look()
    hello('n2', 5)
    expect(look()).toEqual(['reply n2/5'])
    arrive(KIND_HELLO_REPLY, 'n3', 7, 10, [packPlain('x')])
    expect(look()).toEqual([])
    arrive(KIND_HELLO_REPLY, 'n4', 7, 9, [packPlain('x')])
    expect(met).toEqual(['n2/5', 'n3/7'])
    expect([...links.peers]).toEqual([
      ['n2', 5],
      ['n3', 7],
    ])
  })

  test('the life of a peer never goes back, and what waits for the old one is not for the new', () => {
    const { hello, arrive, look, links, dead, heard, met } = bed()
    hello('n2', 5)
    links.send('n2', sized(1, 10))
    hello('n2', 6)
    links.send('n2', sized(2, 10))
    look()
    links.flush()
    expect(look()).toEqual(['data n2/6 2'])
    hello('n2', 5)
    arrive(KIND_DATA, 'n2', 5, 10, [Uint8Array.of(1)])
    arrive(KIND_DATA, 'n2', 6, 9, [Uint8Array.of(2)])
    arrive(KIND_DATA, 'n2', 6, 10, [Uint8Array.of(3)])
    expect(look()).toEqual([])
    expect(links.peers.get('n2')).toBe(6)
    expect(met).toEqual(['n2/5', 'n2/6'])
    expect(heard).toEqual([[3]])
    expect(dead['past-life']).toBe(4)
  })

  test('who is not admitted is not met, and unseats nobody, neither as an older nor as a newer life', () => {
    const { hello, arrive, look, links, dead, heard } = bed((_node, _life, said) => said === 'friend')
    hello('n2', 5, 'friend')
    hello('n2', 4, 'stranger')
    hello('n2', 6, 'stranger')
    arrive(KIND_DATA, 'n2', 6, 10, [Uint8Array.of(1)])
    arrive(KIND_DATA, 'n2', 5, 10, [Uint8Array.of(2)])
    hello('n3', 1, 'stranger')
    links.send('n3', sized(1, 10))
    look()
    links.flush()
    expect(look()).toEqual([])
    expect([...links.peers]).toEqual([['n2', 5]])
    expect(heard).toEqual([[2]])
    expect(dead).toMatchObject({ 'not-admitted': 2, 'unknown-peer': 1, 'past-life': 2 })
  })

  test('a life that is refused later is let go, and an older one does not take its place', () => {
    let open = true
    const { hello, links } = bed(() => open)
    hello('n2', 5)
    open = false
    hello('n2', 5)
    expect(links.peers.has('n2')).toBe(false)
    open = true
    hello('n2', 4)
    expect(links.peers.has('n2')).toBe(false)
    hello('n2', 5)
    expect(links.peers.get('n2')).toBe(5)
  })

  test.each(['', 'a b', 'n1.>', '*', 'x\r\nPUB a 0', 'n/1', 'n'.repeat(200)])('nobody is called %j', (name) => {
    const { hello, links, look, dead } = bed()
    look()
    hello(name, 1)
    expect(look()).toEqual([])
    expect(links.peers.size).toBe(0)
    expect(dead['bad-frame']).toBe(1)
  })

  test('there is an end to how many peers are known', () => {
    const { hello, links, dead } = bed()
    for (let i = 0; i < 2_000; i++) hello(`x${i}`, 1)
    expect(links.peers.size).toBe(1_024)
    expect(dead['not-admitted']).toBe(976)
  })
})

describe('frames', () => {
  test('one per peer and turn, split where the carrier takes no more; what fits into none goes in pieces', () => {
    const { hello, links, look, dead, transport } = bed()
    hello('n2', 5)
    hello('n3', 6)
    look()
    for (const first of [1, 2, 3, 4, 5]) links.send('n2', sized(first, 50))
    links.send('n3', sized(9, 10))
    expect(links.send('n2', sized(7, 170))).toBe(true)
    expect(links.send('n2', sized(8, 20))).toBe(true)
    links.flush()
    expect(transport.sent.every(({ bytes }) => bytes.length <= 200)).toBe(true)
    expect(look()).toEqual(['data n2/5 1 2 3', 'data n2/5 4 5', 'piece n2/5', 'piece n2/5', 'data n2/5 8', 'data n3/6 9'])
    links.flush()
    expect(look()).toEqual([])
    expect(dead['too-large']).toBe(0)
    expect(links.send('n2', new Uint8Array(ENVELOPE_BYTES_MAX + 1))).toBe(false)
    transport.frameBytesMax = 60
    expect(links.send('n2', sized(1, 100))).toBe(false)
    expect(dead['too-large']).toBe(2)
  })

  test('without a connection or a known life envelopes are dropped and counted, not kept', () => {
    const { hello, links, look, dead, transport } = bed()
    links.send('n2', sized(1, 10))
    hello('n2', 5)
    transport.connected = false
    links.send('n2', sized(2, 10))
    links.flush()
    transport.connected = true
    look()
    links.flush()
    expect(look()).toEqual([])
    expect(dead).toMatchObject({ 'unknown-peer': 1, disconnected: 1 })
  })

  test('nothing that arrives throws: noise, cuts, flips, whole frames of garbage; and all of it is counted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(), fc.nat(255), (noise, at, flip) => {
        const { transport, hello, dead, heard, bugs, arrive } = bed()
        hello('n2', 5)
        transport.handlers?.onFrame(noise)
        arrive(KIND_HELLO, 'n2', 5, 0, [noise])
        arrive(KIND_HELLO, 'n3', NaN, 0, [])
        const header = {
          kind: KIND_DATA,
          cluster: clusterNumber('test'),
          from: 'n2',
          fromIncarnation: 5,
          toIncarnation: 10,
          number: 1,
        } as const
        const frame = encodeFrame(header, [noise])
        frame[at % frame.length] = flip
        transport.handlers?.onFrame(frame)
        const lost = Object.values(dead).reduce((sum, count) => sum + count, 0)
        expect(lost + heard.length).toBeGreaterThanOrEqual(3)
        expect(bugs).toEqual([])
      }),
    )
  })

  test('a frame larger than any carrier makes is not looked into', () => {
    const { arrive, hello, heard, dead } = bed()
    hello('n2', 5)
    arrive(KIND_DATA, 'n2', 5, 10, [new Uint8Array(9 * 1024 * 1024)])
    expect(heard.length).toBe(0)
    expect(dead['bad-frame']).toBe(1)
  })

  test('what breaks in here is a bug of this node, never an exception into the carrier', () => {
    const { transport, hello, bugs } = bed(() => {
      throw new Error('admit broke')
    })
    expect(() => hello('n2', 5)).not.toThrow()
    expect(bugs.map(String)).toEqual(['Error: admit broke'])
    expect(transport.connected).toBe(true)
  })
})

describe('pieces', () => {
  /** What n1 sends as it lies on the paper, said by a peer to n1: both ends are the same code. */
  function echoed(lengths: readonly number[]) {
    const one = bed()
    one.hello('n2', 5)
    one.transport.sent.splice(0)
    lengths.forEach((length, i) => one.links.send('n2', sized(i, length)))
    one.links.flush()
    const frames = one.transport.sent.splice(0).map(({ bytes }) => decodeFrame(bytes)!)
    const say = (to: ReturnType<typeof bed>, at: number): void => {
      const { header, envelopes } = frames[at]!
      to.arrive(header.kind, 'n2', 5, 10, envelopes, header.number)
    }
    return { frames, say }
  }

  test('in any order and doubled: each envelope is taken once if all of it came, and not at all if a piece was lost', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(lengths, fc.array(fc.tuple(fc.nat(), fc.nat(9)), { maxLength: 80 }), (sizes, moves) => {
        const { frames, say } = echoed(sizes)
        const to = bed()
        to.hello('n2', 5)
        const came = new Set<number>()
        for (const [at, loss] of moves) {
          if (loss === 0) continue
          came.add(at % frames.length)
          say(to, at % frames.length)
        }
        const whole = (first: number): boolean =>
          frames.every(({ header, envelopes }, at) => {
            const carries = header.kind === KIND_PIECE ? envelopes[1]![0] === first : envelopes.some((envelope) => envelope[0] === first)
            return !carries || came.has(at)
          })
        const expected = sizes.map((length, first) => ({ length, first })).filter(({ first }) => whole(first))
        const heard = to.heard.map((envelope) => ({ length: envelope.length, first: envelope[0]! }))
        expect(heard.sort((a, b) => a.first - b.first)).toEqual(expected)
        for (const envelope of to.heard) expect(new Set(envelope).size).toBe(1)
      }),
    )
  })

  test('of a past life are not for the next one, in either direction', () => {
    const { frames, say } = echoed([300])
    expect(frames.map(({ header }) => [header.kind, header.number])).toEqual([
      [KIND_PIECE, 1],
      [KIND_PIECE, 2],
      [KIND_PIECE, 3],
    ])
    const to = bed()
    to.hello('n2', 5)
    say(to, 0)
    say(to, 1)
    to.hello('n2', 6)
    say(to, 2)
    const last = frames[2]!
    to.arrive(KIND_PIECE, 'n2', 6, 9, last.envelopes, 3)
    to.arrive(KIND_PIECE, 'n2', 6, 10, last.envelopes, 3)
    expect([to.heard, to.dead['past-life']]).toEqual([[], 4])
  })
})
