/**
 * What the cache machine alone can do: one thread, no network, no disk. Prints nanoseconds per operation and bytes of memory
 * per entry, and judges nothing.
 *
 *   node --expose-gc bench/cache-machine.js [entries, default 1000000]
 */
import type { Plain } from '../src/actors/envelope.ts'
import { entryLine, levelLine, tagLine } from '../src/cache/line-id.ts'
import { encodeCommand } from '../src/cache/machine/codec.ts'
import type { LineVersion, Share } from '../src/cache/machine/commands.ts'
import { decodeCommand } from '../src/cache/machine/decode.ts'
import { type CacheMachine, createCacheMachine } from '../src/cache/machine/machine.ts'
import type { ApplyContext, WriteRecord } from '../src/raft/machine.ts'
import { settledMemory } from './settled-memory.ts'

// As after years of service: times beyond 32 bits.
const YEARS = 2 ** 38
const NAME = { namespace: 'default', cache: 'sessions' }
const VALUE = new Uint8Array(256).fill(7)
const ROUND = 100_000
const ROOM_BYTES = 67_108_864

class Context implements ApplyContext {
  index = 1
  term = 1
  time = YEARS
  settle(_ticket: number, _reply: Plain): void {}
  emit(): void {}
}

interface PutOptions {
  readonly share: Share
  readonly ttlMs?: number
  readonly tags?: readonly LineVersion[]
  readonly value?: Uint8Array
}

function putOf(key: string, { share, ttlMs, tags, value }: PutOptions): Uint8Array {
  const before = { condition: null, loadToken: null, dead: 0, known: null, own: 0, slidingMs: 0 }
  const rest = { value: value ?? VALUE, contentType: 'application/json', ttlMs: ttlMs ?? null, tags: tags ?? [], share }
  return encodeCommand({ type: 'cache_put', ...NAME, key, ...before, ...rest })
}

function shareOf(entries: number, policy: Share['policy'] = 'lru'): Share {
  return { bytes: 2 ** 40, entries, policy, configVersion: 1 }
}

function keyOf(nth: number): string {
  return `user/${nth}/profile`
}

function say(what: string, value: string, unit: string): void {
  process.stdout.write(`${what.padEnd(66)} ${value.padStart(9)} ${unit}\n`)
}

function nothing(): void {}

/** On a busy machine the time on the processor says more; it counts the collector's threads as well. */
function measure(what: string, count: number, run: () => void): void {
  const cpu = process.cpuUsage()
  const from = process.hrtime.bigint()
  run()
  const ns = Number(process.hrtime.bigint() - from) / count
  const { user, system } = process.cpuUsage(cpu)
  say(what, ns.toFixed(0), `ns   ${(((user + system) * 1_000) / count).toFixed(0).padStart(7)} ns of CPU`)
}

function applyAll(machine: CacheMachine, ctx: Context, commands: readonly Uint8Array[]): void {
  for (const [nth, command] of commands.entries()) {
    ctx.index += 1
    machine.advance(ctx)
    machine.apply(ctx, nth + 1, command)
  }
}

/** Puts of new keys and old ones, in a full cache and one that has room; commands are encoded beforehand. */
function benchPuts(what: string, entries: number, keys: number, options: Omit<PutOptions, 'share'>, policy: Share['policy']): void {
  const machine = createCacheMachine({ observer: { changed: nothing, swept: nothing } })
  const ctx = new Context()
  const share = shareOf(entries, policy)
  let next = 0
  const batch = () => Array.from({ length: ROUND }, () => putOf(keyOf(next++ % keys), { ...options, share }))
  for (let nth = 0; nth < 3; nth++) {
    applyAll(machine, ctx, batch())
    machine.drain(nothing, nothing)
  }
  const commands = batch()
  measure(`put, ${what}`, ROUND, () => applyAll(machine, ctx, commands))
  measure(`  and its drain`, ROUND, () => machine.drain(nothing, nothing))
}

async function benchMemory(what: string, entries: number, options: Omit<PutOptions, 'share'>): Promise<CacheMachine> {
  const machine = createCacheMachine()
  const ctx = new Context()
  const before = await settledMemory()
  for (let nth = 0; nth < entries; nth++) {
    machine.apply(ctx, nth + 1, putOf(keyOf(nth), { ...options, share: shareOf(entries) }))
    if (nth % 10_000 === 0) machine.drain(nothing, nothing)
  }
  machine.drain(nothing, nothing)
  const value = options.value ?? VALUE
  say(
    `memory per entry beside its ${value.length} bytes, ${what}`,
    (((await settledMemory()) - before) / entries - value.length).toFixed(0),
    'B',
  )
  return machine
}

/** What a partition takes that is full, beside what it counts. */
async function benchRoom(what: string, puts: number, options: Omit<PutOptions, 'share'>, policy: Share['policy'] = 'lru'): Promise<void> {
  const machine = createCacheMachine()
  const ctx = new Context()
  const before = await settledMemory()
  machine.apply(ctx, 1, encodeCommand({ type: 'cache_room', bytes: ROOM_BYTES, term: ctx.term }))
  for (let nth = 0; nth < puts; nth++) {
    machine.apply(ctx, nth + 2, putOf(keyOf(nth), { ttlMs: 60_000 + nth, ...options, share: shareOf(1e9, policy) }))
    if (nth % 10_000 === 0) machine.drain(nothing, nothing)
  }
  machine.drain(nothing, nothing)
  const taken = (await settledMemory()) - before
  say(`memory of a full partition by what it counts, ${what}`, ((taken / machine.stats().memoryBytes) * 100).toFixed(0), '%')
}

function benchReads(machine: CacheMachine, entries: number): void {
  const lines = Array.from({ length: ROUND }, (_, nth) => entryLine(NAME.namespace, NAME.cache, keyOf((nth * 7_919) % entries)))
  for (let round = 0; round < 2; round++) for (const line of lines) machine.read(line, YEARS)
  measure('read of a line', ROUND, () => {
    for (const line of lines) machine.read(line, YEARS)
  })
}

function benchTouches(machine: CacheMachine, entries: number): void {
  const ctx = new Context()
  const keys = Array.from({ length: 256 }, (_, nth) => keyOf((nth * 7_919) % entries))
  const command = encodeCommand({ type: 'cache_touch', ...NAME, keys })
  for (let nth = 0; nth < 100; nth++) machine.apply(ctx, 1, command)
  measure('touch, 256 keys in a command, per key', 256 * 1_000, () => {
    for (let nth = 0; nth < 1_000; nth++) machine.apply(ctx, 1, command)
  })
}

function benchSweep(machine: CacheMachine, entries: number): void {
  const ctx = new Context()
  const sweep = (prefix: string, after: number) =>
    encodeCommand({ type: 'cache_sweep', ...NAME, what: { prefix }, below: entries + 1, after })
  let slowest = 0
  measure('sweep of a prefix that nothing has, per entry looked at', entries, () => {
    for (let after = 0; after < entries; after += 20_000) {
      const from = process.hrtime.bigint()
      machine.apply(ctx, 1, sweep('nothing', after))
      slowest = Math.max(slowest, Number(process.hrtime.bigint() - from) / 1e6)
    }
  })
  say('  its longest command', slowest.toFixed(1), 'ms')
}

function benchReload(machine: CacheMachine, entries: number): void {
  const records: (readonly [Uint8Array, Uint8Array])[] = []
  const store: WriteRecord = (key, value) => void (value !== null && records.push([key, value]))
  for (let nth = 0; nth < entries; nth++) {
    machine.apply(new Context(), 1, putOf(keyOf(nth), { share: shareOf(entries) }))
    if (nth % 10_000 === 0) machine.drain(store, nothing)
  }
  machine.drain(store, nothing)
  const copy = createCacheMachine()
  const from = process.hrtime.bigint()
  for (const [key, value] of records) copy.load(key, value)
  const linked = process.hrtime.bigint()
  copy.loaded()
  const ms = (ns: bigint) => (Number(ns) / 1e6).toFixed(0)
  say(`load of ${entries} entries, and its end`, ms(linked - from), `ms + ${ms(process.hrtime.bigint() - linked)} ms`)
}

/** Of a cache that is read through: what is not there is put, what is there is touched. */
function hitRatio(policy: Share['policy'], capacity: number, next: () => number): string {
  const machine = createCacheMachine()
  const ctx = new Context()
  const share = shareOf(capacity, policy)
  const value = new Uint8Array(1)
  let [hits, reads] = [0, 0]
  for (let nth = 0; nth < 4 * ROUND; nth++) {
    const key = keyOf(next())
    const hit = machine.read(entryLine(NAME.namespace, NAME.cache, key), YEARS).value !== null
    const command = hit ? encodeCommand({ type: 'cache_touch', ...NAME, keys: [key] }) : putOf(key, { share, value })
    machine.apply(ctx, nth + 1, command)
    // The first quarter fills it.
    if (nth < ROUND) continue
    reads += 1
    if (hit) hits += 1
  }
  return ((hits / reads) * 100).toFixed(1)
}

/** Zipf over so many keys, by a table of sums. */
function zipf(keys: number, exponent: number): () => number {
  const random = randomOf(1)
  const sums = new Float64Array(keys)
  let sum = 0
  for (let nth = 0; nth < keys; nth++) sums[nth] = sum += 1 / (nth + 1) ** exponent
  return () => {
    const at = random() * sum
    let [low, high] = [0, keys - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] as number) < at) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The same numbers each time (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function benchHits(): void {
  const keys = 100_000
  const once = (often: () => number): (() => number) => {
    let [nth, fresh] = [0, keys]
    return () => (nth++ % 10 < 3 ? fresh++ : often())
  }
  const loads: readonly (readonly [what: string, make: () => () => number])[] = [
    ['Zipf 0.7', () => zipf(keys, 0.7)],
    ['Zipf 0.9', () => zipf(keys, 0.9)],
    ['Zipf 0.99', () => zipf(keys, 0.99)],
    ['Zipf 0.9, three of ten asked for once', () => once(zipf(keys, 0.9))],
  ]
  for (const [what, make] of loads) {
    const [lru, s3fifo] = [hitRatio('lru', keys / 100, make()), hitRatio('s3fifo', keys / 100, make())]
    say(`hits, room for 1 % of the keys, ${what}: lru, s3fifo`, lru, `%   ${s3fifo} %`)
  }
}

function benchDecode(): void {
  const command = putOf(keyOf(77_777), { share: shareOf(1_000) })
  for (let nth = 0; nth < ROUND; nth++) decodeCommand(command)
  measure('decode of a put (part of it)', ROUND, () => {
    for (let nth = 0; nth < ROUND; nth++) decodeCommand(command)
  })
}

const entries = Number(process.argv[2] ?? 1_000_000)
const tags: readonly LineVersion[] = [
  [tagLine(NAME.namespace, NAME.cache, 'team-9'), 0],
  [levelLine(NAME.namespace, NAME.cache, 'user/'), 0],
]
benchHits()
benchDecode()
benchPuts('new keys, there is room', 1e9, 1e9, {}, 'lru')
benchPuts('over what is there', 1e9, 10_000, {}, 'lru')
benchPuts('over what is there, 4 KiB', 1e9, 10_000, { value: new Uint8Array(4_096) }, 'lru')
benchPuts('with a life and two tags', 1e9, 1e9, { ttlMs: 60_000, tags }, 'lru')
benchPuts('new keys, full, lru', 50_000, 1e9, {}, 'lru')
benchPuts('new keys, full, s3fifo', 50_000, 1e9, {}, 's3fifo')
const small = { value: new Uint8Array(1) }
await benchRoom('1 byte each', 300_000, small)
await benchRoom('1 byte each, s3fifo', 300_000, small, 's3fifo')
await benchRoom('1 KiB each', 100_000, { value: new Uint8Array(1_024) })
await benchMemory('with a life and two tags', entries, { ttlMs: 60_000, tags })
const machine = await benchMemory('plain', entries, {})
benchReads(machine, entries)
benchTouches(machine, entries)
benchSweep(machine, entries)
benchReload(createCacheMachine(), Math.min(entries, 200_000))
