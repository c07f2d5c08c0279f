/**
 * The rules for copies outside of the nodes (docs/caches.md), under any order of reads, writes, deliveries, losses and returns:
 * what is served is never older than the lease, and never older than what the client wrote or was told itself.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Held, NearCache, type Ticket, type Told } from '../src/sim/near-cache.ts'

const LEASE_MS = 30
const KEYS = ['a', 'b', 'c']

interface Read {
  readonly key: string
  readonly ticket: Ticket
  found: Held | null
}

interface Sent {
  readonly event: Told
  /** When the gateway knew that it had told everything. */
  readonly at: number
}

/** A cache, a gateway that tells of its changes, a way that loses and doubles, and one client. */
class World {
  now = 0
  hits = 0
  readonly client = new NearCache()
  readonly #log: { readonly key: string; readonly version: number; readonly at: number; readonly isGone: boolean }[] = []
  readonly #reads: Read[] = []
  readonly #acks: { readonly key: string; readonly version: number }[] = []
  /** Since when the client may not serve anything older, by its own writes and by what it was told. */
  readonly #known = new Map<string, number>()
  #way: Sent[] = []
  /** Of the gateway's subscription: place and number; null: there is none. */
  #told: { place: number; seq: number } | null = null

  #versionOf(key: string, before = Infinity): number {
    return this.#log.findLast((one) => one.key === key && one.at < before)?.version ?? 0
  }

  write(key: string, isGone: boolean): void {
    this.#log.push({ key, version: this.#log.length + 1, at: this.now, isGone })
  }

  ownWrite(key: string): void {
    this.write(key, false)
    this.#acks.push({ key, version: this.#log.length })
  }

  ack(): void {
    const ack = this.#acks.shift()
    if (ack === undefined) return
    this.client.wrote(ack.key, ack.version)
    this.#know(ack.key, ack.version)
  }

  startRead(key: string): void {
    this.#reads.push({ key, ticket: this.client.begin(key), found: null })
  }

  /** Somewhere between its question and its answer it sees what there is. */
  seeRead(nth: number): void {
    const read = this.#reads[nth % Math.max(1, this.#reads.length)]
    if (read === undefined || read.found !== null) return
    const last = this.#log.findLast(({ key }) => key === read.key)
    read.found = last === undefined || last.isGone ? { version: 0, value: null } : { version: last.version, value: `${last.version}` }
  }

  endRead(nth: number, isLost: boolean): void {
    if (this.#reads.length === 0) return
    this.seeRead(nth)
    const [read] = this.#reads.splice(nth % this.#reads.length, 1) as [Read]
    this.client.filled(read.ticket, isLost ? null : read.found)
  }

  /** The gateway hears of some changes, and tells. */
  tell(count: number): void {
    const told = this.#told
    if (told === null) return
    for (const { key, version } of this.#log.slice(told.place, told.place + count)) {
      told.place += 1
      told.seq += 1
      this.#way.push({ event: { type: 'invalidate', seq: told.seq, key, version }, at: this.now })
    }
  }

  beat(): void {
    if (this.#told === null || this.#told.place < this.#log.length) return
    const { seq, place } = this.#told
    this.#way.push({ event: { type: 'beat', seq, cursor: String(place), leaseMs: LEASE_MS }, at: this.now })
  }

  /** `nth` 0: in order. Anything else, and doubling, is what no TCP does, but a bug might. */
  deliver(nth: number, isDoubled: boolean): void {
    const at = nth % Math.max(1, this.#way.length)
    const sent = this.#way[at]
    if (sent === undefined) return
    if (!isDoubled) this.#way.splice(at, 1)
    const { event } = sent
    // The lease counts from when the gateway knew: a client that asks knows a moment before that.
    const told = event.type === 'beat' ? { ...event, leaseMs: sent.at + LEASE_MS - this.now } : event
    if (!this.client.told(told, this.now)) return this.drop()
    if (event.type === 'invalidate') this.#know(event.key, event.version)
  }

  /** As it is most of the time. */
  flow(): void {
    this.tell(Infinity)
    this.beat()
    while (this.#way.length > 0) this.deliver(0, false)
  }

  /** A beat before what it is about. */
  overtake(): void {
    this.tell(Infinity)
    this.beat()
    if (this.#way.length > 1) this.deliver(this.#way.length - 1, false)
  }

  drop(): void {
    this.client.gone()
    this.#way = []
    this.#told = null
  }

  /** To a gateway that knows the cursor, or one that does not. */
  comeBack(isForgotten: boolean): void {
    if (this.#told !== null) return
    const { seq, cursor } = this.client
    const isKnown = cursor !== null && !isForgotten
    this.#told = { place: isKnown ? Number(cursor) : this.#log.length, seq }
    this.client.back(seq, isKnown ? cursor : null)
    if (isKnown) return
    this.#told.seq += 1
    this.#way.push({ event: { type: 'reset', seq: this.#told.seq }, at: this.now })
  }

  hit(key: string): void {
    const held = this.client.get(key, this.now)
    if (held === undefined) return
    this.hits += 1
    // "Nothing there" is whatever version took it away last, at the time.
    const current = this.#versionOf(key, this.now - LEASE_MS)
    const isOld = (version: number): boolean =>
      held.value === null ? !this.#log.some((one) => one.key === key && one.isGone && one.version >= version) : held.version < version
    for (const version of [current, this.#known.get(key) ?? 0]) {
      if (version > 0 && isOld(version)) throw new Error(`served ${held.value} of version ${held.version}, not ${version}, at ${this.now}`)
    }
  }

  #know(key: string, version: number): void {
    this.#known.set(key, Math.max(this.#known.get(key) ?? 0, version))
  }

  /** Everything arrives: then what is held is what there is. */
  settle(): void {
    while (this.#reads.length > 0) this.endRead(0, false)
    while (this.#acks.length > 0) this.ack()
    this.drop()
    this.comeBack(false)
    this.flow()
    for (const key of KEYS) {
      const held = this.client.get(key, this.now)
      const last = this.#log.findLast((one) => one.key === key)
      if (held !== undefined) expect(held.value).toBe(last === undefined || last.isGone ? null : String(last.version))
    }
  }
}

type Step = (world: World) => void

const key = fc.constantFrom(...KEYS)
const nth = fc.nat(3)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(key, fc.boolean()).map(
      ([of, isGone]): Step =>
        (world) =>
          world.write(of, isGone),
    ),
  },
  {
    weight: 2,
    arbitrary: key.map(
      (of): Step =>
        (world) =>
          world.ownWrite(of),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.ack()) },
  {
    weight: 5,
    arbitrary: key.map(
      (of): Step =>
        (world) =>
          world.startRead(of),
    ),
  },
  {
    weight: 3,
    arbitrary: nth.map(
      (at): Step =>
        (world) =>
          world.seeRead(at),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(nth, fc.nat(9)).map(
      ([at, lost]): Step =>
        (world) =>
          world.endRead(at, lost === 0),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.nat(3).map(
      (count): Step =>
        (world) =>
          world.tell(count + 1),
    ),
  },
  { weight: 4, arbitrary: fc.constant<Step>((world) => world.beat()) },
  {
    weight: 8,
    arbitrary: fc.nat(19).map(
      (odd): Step =>
        (world) =>
          world.deliver(odd === 0 ? 1 : 0, odd === 1),
    ),
  },
  { weight: 10, arbitrary: fc.constant<Step>((world) => world.flow()) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.overtake()) },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.drop()) },
  {
    weight: 3,
    arbitrary: fc.nat(7).map(
      (odd): Step =>
        (world) =>
          world.comeBack(odd === 0),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.nat(20).map(
      (ms): Step =>
        (world) =>
          void (world.now += ms),
    ),
  },
  {
    weight: 9,
    arbitrary: key.map(
      (of): Step =>
        (world) =>
          world.hit(of),
    ),
  },
)

test('no hit is older than the lease, than own writes, or than what was told', () => {
  let hits = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 150 }), (steps) => {
      const world = new World()
      world.comeBack(true)
      for (const run of steps) run(world)
      hits += world.hits
      world.settle()
    }),
    { numRuns: 3_000 },
  )
  // Else nothing was shown.
  expect(hits).toBeGreaterThan(500)
})

test('the race of a fill: an answer that was overtaken by what it does not show is not kept', () => {
  const near = new NearCache()
  near.back(0, '1')
  near.told({ type: 'beat', seq: 0, cursor: null, leaseMs: 1_000 }, 0)
  const [old, late, none] = [near.begin('k'), near.begin('k'), near.begin('k')]
  near.told({ type: 'invalidate', seq: 1, key: 'k', version: 7 }, 1)
  near.filled(old, { version: 6, value: 'old' })
  near.filled(none, { version: 0, value: null })
  expect(near.get('k', 2)).toBeUndefined()
  near.filled(late, { version: 7, value: 'new' })
  expect(near.get('k', 2)).toEqual({ version: 7, value: 'new' })
  // Told again, and of before: it stays. Of what is after: it goes.
  near.told({ type: 'invalidate', seq: 2, key: 'k', version: 7 }, 3)
  expect(near.get('k', 3)).toEqual({ version: 7, value: 'new' })
  near.told({ type: 'invalidate', seq: 3, key: 'k', version: 8 }, 3)
  expect(near.get('k', 3)).toBeUndefined()
})

test('what its owner has not flushed is not kept, and neither is what was held before: it may be lost, and nobody would be told', () => {
  const near = new NearCache()
  near.back(0, '1')
  near.told({ type: 'beat', seq: 0, cursor: null, leaseMs: 1_000 }, 0)
  near.filled(near.begin('k'), { version: 1, value: 'flushed' })
  near.filled(near.begin('k'), { version: 2, value: 'dirty' }, true)
  near.filled(near.begin('l'), { version: 0, value: null }, true)
  expect([near.get('k', 1), near.get('l', 1), near.size]).toEqual([undefined, undefined, 0])
  near.filled(near.begin('k'), { version: 1, value: 'flushed' })
  expect(near.get('k', 1)).toEqual({ version: 1, value: 'flushed' })
})

test('a reset takes what is being read, too; no lease and no connection: nothing is served, and nothing is thrown away', () => {
  const near = new NearCache()
  near.back(0, '1')
  near.told({ type: 'beat', seq: 0, cursor: null, leaseMs: 10 }, 0)
  const [first, second] = [near.begin('k'), near.begin('l')]
  near.filled(first, { version: 1, value: 'k' })
  expect(near.get('k', 9)).toBeDefined()
  expect(near.get('k', 10)).toBeUndefined()
  near.told({ type: 'beat', seq: 0, cursor: null, leaseMs: 10 }, 20)
  expect(near.get('k', 21)).toBeDefined()
  near.gone()
  expect(near.get('k', 21)).toBeUndefined()
  near.back(0, '1')
  near.told({ type: 'beat', seq: 0, cursor: null, leaseMs: 10 }, 22)
  expect(near.get('k', 23)).toBeDefined()
  near.told({ type: 'reset', seq: 1 }, 24)
  near.filled(second, { version: 1, value: 'l' })
  expect([near.get('k', 24), near.get('l', 24), near.size]).toEqual([undefined, undefined, 0])
  expect(near.told({ type: 'invalidate', seq: 3, key: 'k', version: 9 }, 25)).toBe(false)
})
