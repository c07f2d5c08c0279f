/**
 * What a hit costs inside of a node: one thread, no network, no disk; the home is played here. Prints nanoseconds of CPU per
 * operation, from a bare `lru-cache` to the call as a gateway makes it, and bytes of memory per copy; judges nothing. Of many short
 * rounds the median and the least: what else the machine does shows in some of them.
 *
 *   node --expose-gc dist/bench/cache-hit.js [lines, default 10000]
 */
import { LRUCache } from 'lru-cache'
import type { Envelope } from '../src/actors/envelope.ts'
import { createActorSystem } from '../src/actors/system.ts'
import { createCaches } from '../src/cache/facade.ts'
import { CACHE_PATH, type CacheCall, encodeRead } from '../src/cache/calls.ts'
import type { Held, LineId, ToNode } from '../src/cache/coherence/protocol.ts'
import { entryLine } from '../src/cache/line-id.ts'
import { CacheActor } from '../src/cache/node/cache-actor.ts'
import { Coherence, type CoherenceDeps } from '../src/cache/node/coherence.ts'
import { Operations } from '../src/cache/node/operations.ts'
import { encodeMessage, typeOf } from '../src/cache/node/wire.ts'
import { Writes } from '../src/cache/node/writes.ts'
import type { CacheCallOptions, CacheRead, EntryName } from '../src/cache/types.ts'
import { SystemClock } from '../src/io/clock-system.ts'
import { loadHash } from '../src/io/hash.ts'
import { SystemRandom } from '../src/io/random-system.ts'
import { createLocalBus } from '../src/io/transport-local.ts'
import { settledMemory } from './settled-memory.ts'

const LINES = Number(process.argv[2] ?? 10_000)
const ROUNDS = 40
const ROUND = 50_000
const CALLS = 10_000
const PARTITIONS = 64
const TIMEOUT_MS = 10_000
const VALUE_BYTES = 256
const TERM = 1

const keys = Array.from({ length: LINES }, (_, nth) => `user/${nth}/profile`)
const names = keys.map((key): EntryName => ({ namespace: 'default', cache: 'sessions', key }))
const lines = names.map(({ namespace, cache, key }): LineId => entryLine(namespace, cache, key))

function say(what: string, value: string, unit: string): void {
  process.stdout.write(`${what.padEnd(58)} ${value.padStart(9)} ${unit}\n`)
}

function tell(what: string, count: number, rounds: readonly NodeJS.CpuUsage[]): void {
  const costs = rounds.map(({ user, system }) => ((user + system) * 1_000) / count).toSorted((a, b) => a - b)
  const [least, median] = [costs[0] as number, costs[costs.length >> 1] as number]
  say(what, median.toFixed(0), `ns, the least ${least.toFixed(0)}`)
}

/** The first half of the rounds warms up. Lines in an order in which the processor's caches do not help. */
function measure(what: string, read: (nth: number) => unknown): void {
  const order = Uint32Array.from({ length: ROUND }, (_, at) => (at * 7_919) % LINES)
  const rounds = Array.from({ length: 2 * ROUNDS }, () => {
    const cpu = process.cpuUsage()
    for (const nth of order) read(nth)
    return process.cpuUsage(cpu)
  })
  tell(what, ROUND, rounds.slice(ROUNDS))
}

/** One after the other, as one caller makes them; or so many at once. */
async function measureCalls(what: string, atOnce: number, call: (nth: number) => Promise<unknown>): Promise<void> {
  const caller = async (which: number, count: number): Promise<void> => {
    for (let at = 0; at < count; at++) await call((which + at * 7_919) % LINES)
  }
  const all = (count: number) => Promise.all(Array.from({ length: atOnce }, (_, which) => caller(which, count / atOnce)))
  const rounds: NodeJS.CpuUsage[] = []
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const cpu = process.cpuUsage()
    await all(CALLS)
    rounds.push(process.cpuUsage(cpu))
  }
  tell(what, CALLS, rounds.slice(ROUNDS))
}

function held(nth: number): Held {
  const value = new Uint8Array(VALUE_BYTES).fill(nth)
  return { version: nth + 1, value, contentType: 'application/json', ttlLeftMs: null, slidingMs: 0, tags: [] }
}

const clock = new SystemClock()
const system = createActorSystem({
  node: 'n1',
  incarnation: 1,
  cluster: 'bench',
  clock,
  random: new SystemRandom(),
  transport: createLocalBus(clock).transport('n1', 1),
  mailboxMax: 65_536,
  drainMax: 4_096,
  onBug: (error) => {
    throw error
  },
})
const hash = await loadHash()
const writes = new Writes({} as ConstructorParameters<typeof Writes>[0], { partitions: PARTITIONS, hash })
/** Of a node that leads nothing and asks `home`, who answers at once and for ever. */
const asked = { opening: new Map<number, number>(), rid: new Map<LineId, readonly [partition: number, rid: number]>() }
const coherence: Coherence = new Coherence({
  system: Object.assign(Object.create(system) as typeof system, {
    clock,
    node: 'n1',
    incarnation: 1,
    send(_to: string, _type: string, payload: readonly unknown[]) {
      const [partition, kind, ...members] = payload as readonly [number, string, ...unknown[]]
      if (kind === 'open') asked.opening.set(partition, members[0] as number)
      if (kind === 'getS') asked.rid.set(members[3] as LineId, [partition, members[2] as number])
    },
  }),
  host: { onChange() {}, groups: () => [], status: () => null } as unknown as CoherenceDeps['host'],
  directory: { nodes: ['n1', 'n2'], nodeOf: () => 'n2', hostsOf: () => ['n2'] },
  writes,
  machineOf: () => null,
  storeBytesMax: 2 ** 32,
  room: { bytesMax: () => Infinity, onChange() {} },
  lendMark: { quietUntil: -Infinity, set: async () => {} },
  onLog: () => {},
})
const receive = (partition: number, message: ToNode): void =>
  coherence.receive({ senderId: 'n2/cache', msgType: typeOf(message), payload: encodeMessage(partition, message) } as unknown as Envelope)

function fill(): void {
  for (const line of lines) void coherence.read(line, TIMEOUT_MS)
  for (const [partition, n] of asked.opening) receive(partition, { type: 'opened', term: TERM, sid: 1, n, leaseMs: 1e9 })
  for (const [nth, line] of lines.entries()) {
    const [partition, rid] = asked.rid.get(line) as readonly [number, number]
    receive(partition, { type: 'dataS', term: TERM, sid: 1, rid, line, g: nth + 1, held: held(nth) })
  }
  asked.rid.clear()
}

const before = await settledMemory()
fill()
say(`memory per copy beside its ${VALUE_BYTES} bytes`, (((await settledMemory()) - before) / LINES - VALUE_BYTES).toFixed(0), 'B')

const bare = new LRUCache<LineId, Held>({ maxSize: 2 ** 32, sizeCalculation: () => 512 })
for (const [nth, line] of lines.entries()) bare.set(line, held(nth))
const operations = new Operations(coherence, writes, coherence.tally)
const options: CacheCallOptions = { timeoutMs: TIMEOUT_MS }
const nameAt = (nth: number): EntryName => names[nth] as EntryName
const lineAt = (nth: number): LineId => lines[nth] as LineId

measure('lru-cache: get', (nth) => bare.get(lineAt(nth)))
measure('partition of a line', (nth) => writes.partitionOf(lineAt(nth)))
measure('coherence: read of a copy', (nth) => coherence.read(lineAt(nth), TIMEOUT_MS))
measure('operations: get, from the name to the answer', (nth) => operations.get(nameAt(nth), options))

const answer = ([, namespace, cache, key, timeoutMs]: CacheCall): unknown =>
  encodeRead(operations.get({ namespace, cache, key } as EntryName, { timeoutMs: timeoutMs as number }) as CacheRead)
system.spawn(CACHE_PATH, new CacheActor(coherence, answer))
const caches = createCaches(system, 'n1')
await measureCalls('facade: get, by an actor’s mailbox, one caller', 1, (nth) => caches.get(nameAt(nth), options))
await measureCalls('facade: get, 64 callers', 64, (nth) => caches.get(nameAt(nth), options))
process.exit(0)
