/** Who comes back with a number: where it goes on from. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { Prng } from '../../base/prng.ts'
import { decodeCursor, earliest, encodeCursor } from '../../cache/watch/cursor.ts'
import { type Lineage, type PastSubscription, PastSubscriptions, STRETCH } from './past-subscriptions.ts'

const FILTER = 'f'
const CURSORS = { earliest }
const KEPT_MS = 300_000

function bed() {
  const clock = new ManualClock()
  return { clock, pasts: new PastSubscriptions(clock, new Prng(1)) }
}

/** Of one partition. */
const at = (place: number): string => encodeCursor(new Map([[0, place]]))

const lineageAt = (first: number): Lineage => ({ members: new Set(), knownFrom: first })

/** A subscription that has told so much. */
function told(
  pasts: PastSubscriptions,
  lineage: Lineage,
  marks: readonly (readonly [seq: number, place: number])[],
  last: number,
): PastSubscription {
  const [[seq, place], ...later] = marks as readonly [readonly [number, number], ...(readonly [number, number])[]]
  const past = pasts.began(FILTER, lineage, { seq, cursor: at(place) })
  for (const [number, there] of later) pasts.mark(past, { seq: number, cursor: at(there) })
  past.last = last
  return past
}

test('the number of one subscription: the last place that was known before it', () => {
  const { pasts } = bed()
  const marks = [
    [10, 0],
    [50, 40],
    [65, 55],
  ] as const
  pasts.over(told(pasts, lineageAt(10), marks, 110))
  for (const [from, place] of [
    [10, 0],
    [49, 0],
    [50, 40],
    [110, 55],
  ] as const)
    expect(pasts.beginning(FILTER, { from }, CURSORS), `${from}`).toMatchObject({ seq: from, cursor: at(place), resets: false })
  // A cursor of its own is better.
  expect(pasts.beginning(FILTER, { from: 60, cursor: at(48) }, CURSORS)).toMatchObject({ seq: 60, cursor: at(48) })
  // Of a long life the first one, and the last.
  const long = Array.from({ length: 100 }, (_, nth) => [1_000 + 10 * nth, 10 * nth] as const)
  pasts.over(told(pasts, lineageAt(1_000), long, 2_000))
  expect([1_000, 1_500, 1_990].map((from) => pasts.beginning(FILTER, { from }, CURSORS).cursor)).toEqual([at(0), at(0), at(990)])
})

test('a number that was not told here stands for nothing: a fresh one, which no two have', () => {
  const { pasts } = bed()
  told(pasts, lineageAt(10), [[10, 0]], 20)
  const fresh = new Set<number>()
  for (const [filter, from] of [
    [FILTER, 9],
    [FILTER, 21],
    [FILTER, 0],
    [FILTER, 0],
    ['another', 15],
  ] as const) {
    const { seq, cursor, resets, lineage } = pasts.beginning(filter, { from }, CURSORS)
    expect([cursor, resets, lineage.members.size]).toEqual([null, true, 0])
    // A cursor says where it goes on, not by which numbers.
    const [withCursor, anew] = [
      pasts.beginning(filter, { from, cursor: at(7) }, CURSORS),
      pasts.beginning(filter, { from: undefined }, CURSORS),
    ]
    expect([withCursor.cursor, withCursor.resets, anew.cursor, anew.resets]).toEqual([at(7), false, null, false])
    for (const one of [seq, withCursor.seq, anew.seq]) fresh.add(one)
  }
  expect(fresh.size).toBe(15)
})

test('numbers go on from one stretch to the next', () => {
  const { pasts } = bed()
  const past = told(pasts, lineageAt(3 * STRETCH - 2), [[3 * STRETCH - 2, 5]], 3 * STRETCH + 1)
  for (const from of [3 * STRETCH - 2, 3 * STRETCH - 1, 3 * STRETCH, 3 * STRETCH + 1])
    expect(pasts.beginning(FILTER, { from }, CURSORS)).toMatchObject({ seq: from, cursor: at(5), resets: false })
  pasts.left(past)
  expect(pasts.beginning(FILTER, { from: 3 * STRETCH }, CURSORS).resets).toBe(true)
})

test('of several that told a number nobody knows which was heard: it stands for what all of them had told', () => {
  const { pasts } = bed()
  const lineage = lineageAt(0)
  // It told 100 changes, of which 50 were heard, and is taken for alive still.
  told(
    pasts,
    lineage,
    [
      [0, 0],
      [40, 40],
      [55, 55],
      [90, 90],
    ],
    100,
  )
  // So what it told as its 41st is told again as the 51st, and what was the 55th has not been heard by who has heard 60.
  const second = told(pasts, lineage, [[50, 40]], 70)
  expect(pasts.beginning(FILTER, { from: 60 }, CURSORS).cursor).toBe(at(40))
  expect(pasts.beginning(FILTER, { from: 45 }, CURSORS).cursor).toBe(at(40))
  expect(pasts.beginning(FILTER, { from: 95 }, CURSORS).cursor).toBe(at(90))
  // Another copy of the client came back later, when nobody remembered what was between: one reset for it all.
  pasts.over(told(pasts, lineage, [[50, 40]], 50))
  told(
    pasts,
    lineage,
    [
      [50, 9_000],
      [60, 9_010],
    ],
    60,
  )
  expect(pasts.beginning(FILTER, { from: 60 }, CURSORS).cursor).toBe(at(40))
  // One that left is remembered as long as others have its numbers, too.
  pasts.left(second)
  expect(pasts.beginning(FILTER, { from: 70 }, CURSORS).cursor).toBe(at(40))
})

test('what one that is forgotten has told stands for nothing, whoever else told it', async () => {
  const { clock, pasts } = bed()
  const lineage = lineageAt(0)
  pasts.over(told(pasts, lineage, [[0, 0]], 60))
  const alive = told(
    pasts,
    lineage,
    [
      [40, 0],
      [50, 55],
    ],
    55,
  )
  await clock.pass(KEPT_MS + 1)
  expect(pasts.beginning(FILTER, { from: 50 }, CURSORS).resets).toBe(true)
  alive.last = 70
  expect(pasts.beginning(FILTER, { from: 60 }, CURSORS).resets).toBe(true)
  expect(pasts.beginning(FILTER, { from: 61 }, CURSORS)).toMatchObject({ seq: 61, cursor: at(55), resets: false })
  // Who left and was alone is nobody's.
  pasts.left(alive)
  expect(pasts.beginning(FILTER, { from: 61 }, CURSORS).resets).toBe(true)
})

test('the last number of one that is forgotten: of who went on from it, unless another counts up to it', async () => {
  for (const hasOther of [false, true]) {
    const { clock, pasts } = bed()
    const lineage = lineageAt(0)
    const marks = [
      [0, 0],
      [40, 40],
      [60, 60],
    ] as const
    pasts.over(told(pasts, lineage, marks, 60))
    // It has heard 50 changes by the time it is told its 60th number.
    const other = hasOther ? told(pasts, lineage, [[50, 40]], 55) : null
    const { cursor } = pasts.beginning(FILTER, { from: 60 }, CURSORS)
    expect(cursor).toBe(at(60))
    told(pasts, lineage, [[60, 60]], 60)
    if (other !== null) other.last = 60
    await clock.pass(KEPT_MS + 1)
    expect(pasts.beginning(FILTER, { from: 60 }, CURSORS).resets).toBe(hasOther)
  }
})

test('what is forgotten while somebody who goes on from it is being opened', async () => {
  for (const hasOther of [false, true]) {
    const { clock, pasts } = bed()
    const lineage = lineageAt(0)
    pasts.over(told(pasts, lineage, [[0, 0]], 60))
    const late = pasts.beginning(FILTER, { from: 50 }, CURSORS)
    if (hasOther) told(pasts, lineage, [[60, 60]], 60)
    await clock.pass(KEPT_MS + 1)
    expect(pasts.beginning(FILTER, { from: 50 }, CURSORS).resets).toBe(true)
    const past = pasts.began(FILTER, late.lineage, { seq: late.seq, cursor: late.cursor as string })
    past.last = 60
    pasts.over(past)
    await clock.pass(KEPT_MS + 1)
    // Another copy of the client has heard its 60th, which is not the 60th of the others.
    expect(pasts.beginning(FILTER, { from: 60 }, CURSORS).resets).toBe(true)
  }
})

// Any number of gateways and clients, of two partitions.

interface Told {
  readonly seq: number
  /** Up to where everything is known by it. */
  readonly places: readonly number[]
  readonly isReset: boolean
}

interface Series {
  readonly pasts: PastSubscriptions
  readonly past: PastSubscription
  places: number[]
  seq: number
}

class Client {
  /** The last number that it has seen; the natural way to begin is without one, or with a constant. */
  seq: number | undefined
  cursor: string | null = null
  known: number[] = [0, 0]
  series: Series | null = null
  inbox: Told[] = []

  constructor(seq: number | undefined) {
    this.seq = seq
  }
}

class World {
  readonly log = [0, 0]
  readonly clock = new ManualClock()
  readonly #random = new Prng(7)
  readonly gateways = [this.#gateway(), this.#gateway()]
  readonly clients = [new Client(0), new Client(0), new Client(undefined)]
  /** Alive at their gateways, whether anybody hears them or not. */
  readonly #alive = new Set<Series>()
  resumed = 0

  #gateway(): PastSubscriptions {
    return new PastSubscriptions(this.clock, this.#random)
  }

  restart(nth: number): void {
    const old = this.gateways[nth % 2]
    this.gateways[nth % 2] = this.#gateway()
    for (const series of this.#alive) if (series.pasts === old) this.#alive.delete(series)
    for (const client of this.clients) if (client.series?.pasts === old) this.drop(client, false, false)
  }

  connect(client: Client, nth: number, withCursor: boolean): void {
    if (client.series !== null) return
    const pasts = this.gateways[nth % 2] as PastSubscriptions
    const { seq, cursor, resets, lineage } = pasts.beginning(
      FILTER,
      { from: client.seq, cursor: withCursor ? client.cursor : null },
      CURSORS,
    )
    const begun = cursor ?? encodeCursor(new Map(this.log.entries()))
    const places = this.log.map((_, partition) => decodeCursor(begun)?.get(partition) ?? -1)
    const isNew = client.seq === undefined && client.cursor === null
    if (!resets && !isNew)
      places.forEach((place, partition) => {
        if (place > (client.known[partition] as number))
          throw new Error(`from ${client.seq} it begins at ${places}, and knows ${client.known}`)
        this.resumed++
      })
    const past = pasts.began(FILTER, lineage, { seq: resets ? seq + 1 : seq, cursor: begun })
    const series: Series = { pasts, past, places, seq }
    this.#alive.add(series)
    Object.assign(client, { seq, series, inbox: [] }, resets ? {} : { cursor: begun }, isNew ? { known: [...places] } : {})
    if (resets) this.#say(series, true)
  }

  #say(series: Series, isReset: boolean): void {
    series.seq += 1
    series.past.last = series.seq
    for (const client of this.clients)
      if (client.series === series) client.inbox.push({ seq: series.seq, places: [...series.places], isReset })
  }

  /** The next changes of a partition, or that some are not known any more. */
  tell(nth: number, partition: number, isLost: boolean): void {
    const series = [...this.#alive][nth % Math.max(1, this.#alive.size)]
    if (series === undefined || (series.places[partition] as number) >= (this.log[partition] as number)) return
    series.places[partition] = isLost ? (this.log[partition] as number) : (series.places[partition] as number) + 1
    this.#say(series, isLost)
  }

  mark(): void {
    for (const { pasts, past, places, seq } of this.#alive) pasts.mark(past, { seq, cursor: encodeCursor(new Map(places.entries())) })
  }

  hear(client: Client, count: number): void {
    for (const { seq, places, isReset } of client.inbox.splice(0, count)) {
      if (seq !== (client.seq as number) + 1) throw new Error(`${seq} comes after ${client.seq}`)
      client.seq = seq
      client.known = isReset ? [...places] : client.known.map((known, partition) => Math.max(known, places[partition] as number))
    }
  }

  beat(client: Client): void {
    if (client.series === null || client.inbox.length > 0) return
    client.cursor = encodeCursor(new Map(client.series.places.entries()))
  }

  /** Its connection is gone; the gateway knows of it, or does not for long. */
  drop(client: Client, isKnown: boolean, isLeft: boolean): void {
    const { series } = client
    Object.assign(client, { series: null, inbox: [] })
    if (series === null || !isKnown || this.clients.some((one) => one.series === series)) return
    this.#alive.delete(series)
    if (isLeft) series.pasts.left(series.past)
    else series.pasts.over(series.past)
  }

  /** On the first gateway, with its number alone; the one before may be taken for alive. */
  again(client: Client, isKnown: boolean): void {
    this.drop(client, isKnown, false)
    this.connect(client, 0, false)
  }

  endZombies(): void {
    for (const series of this.#alive) {
      if (this.clients.some((one) => one.series === series)) continue
      this.#alive.delete(series)
      series.pasts.over(series.past)
    }
  }

  /** What one knows another knows, too: a process that is started twice from one file. */
  fork(from: Client, to: Client): void {
    this.drop(to, true, false)
    Object.assign(to, { seq: from.seq, cursor: from.cursor, known: [...from.known] })
  }
}

const STEPS = [
  'write',
  'tell',
  'tell',
  'lose',
  'hear',
  'hear',
  'mark',
  'beat',
  'connect',
  'again',
  'again',
  'drop',
  'zombies',
  'fork',
] as const
const step = fc.record({
  type: fc.oneof({ weight: 40, arbitrary: fc.constantFrom(...STEPS) }, { weight: 1, arbitrary: fc.constantFrom('restart', 'pass') }),
  who: fc.nat(2),
  n: fc.nat(5),
  odd: fc.nat(9),
})

test('whoever comes back, by whatever it knows, misses nothing or is told so', async () => {
  let resumed = 0
  const run = async (world: World, { type, who, n, odd }: { type: string; who: number; n: number; odd: number }): Promise<void> => {
    const client = world.clients[who] as Client
    if (type === 'write') world.log[n % 2]! += odd
    else if (type === 'tell') for (let times = 0; times < odd; times++) world.tell(n, (who + times * n) % 2, false)
    else if (type === 'lose') world.tell(n, odd % 2, odd > 5)
    else if (type === 'hear') world.hear(client, n)
    else if (type === 'beat') world.beat(client)
    else if (type === 'mark') world.mark()
    else if (type === 'connect') world.connect(client, n, odd < 3)
    else if (type === 'again') world.again(client, odd > 5)
    else if (type === 'drop') world.drop(client, n > 2, odd < 3)
    else if (type === 'zombies') world.endZombies()
    else if (type === 'fork') world.fork(client, world.clients[n % 3] as Client)
    else if (type === 'restart') world.restart(n)
    else await world.clock.pass(KEPT_MS / 2)
  }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 50, maxLength: 200, size: 'max' }), async (steps) => {
      const world = new World()
      for (const one of steps) await run(world, one)
      resumed += world.resumed
    }),
    { numRuns: 2_000 },
  )
  // Else nothing was shown.
  expect(resumed).toBeGreaterThan(1_000)
})
