/**
 * What the queue machine alone can do: one thread, no network, no disk. Prints nanoseconds per message and bytes of memory
 * per message of a backlog, and judges nothing.
 *
 *   node --expose-gc bench/queue-machine.js [backlog, default 10000000]
 */
import type { Plain } from '../src/actors/envelope.ts'
import { BodyCache } from '../src/queue/body-cache.ts'
import { decodeCommand, encodeCommand } from '../src/queue/codec.ts'
import { messageId } from '../src/queue/ids.ts'
import { type QueueMachine, createQueueMachine } from '../src/queue/machine.ts'
import type { NewMessage, QueueCommand } from '../src/queue/types.ts'
import type { ApplyContext, AttachContext, WriteRecord } from '../src/raft/machine.ts'

// As after years of service: times beyond 32 bits.
const YEARS = 2 ** 38
const BODY = new Uint8Array(256).fill(7)
const CACHE_BYTES = 64 << 20
const DELIVERED_HEAD = 2
const DELIVERY_WIDTH = 6

class Context implements ApplyContext {
  index = 1
  term = 1
  time = YEARS
  settled: Plain[] = []
  settle(_ticket: number, reply: Plain): void {
    this.settled.push(reply)
  }
  emit(): void {}
}

const NAME = { namespace: 'default', queue: 'orders' }

function message(over: Partial<NewMessage> = {}): NewMessage {
  return { body: BODY, group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0, ...over }
}

function enqueueOf(messages: readonly NewMessage[]): Uint8Array {
  return encodeCommand({ type: 'queue_enqueue', ...NAME, messages })
}

function dequeueOf(max: number, waitMs = 0): Uint8Array {
  return encodeCommand({ type: 'queue_dequeue', ...NAME, max, waitMs, visibilityMs: null, consumer: 'worker-1', watcher: '' })
}

/** Acknowledges what a reply delivers. */
function ackOf(reply: Plain): Uint8Array {
  const tuple = reply as readonly Plain[]
  const items: { id: string; token: number }[] = []
  for (let at = DELIVERED_HEAD; at < tuple.length; at += DELIVERY_WIDTH) {
    items.push({ id: messageId(tuple[1] as number, tuple[at] as number), token: tuple[at + 1] as number })
  }
  if (items.length === 0) throw new Error('nothing was delivered')
  return encodeCommand({ type: 'queue_ack', ...NAME, items, fence: null } satisfies QueueCommand)
}

function say(what: string, value: string, unit: string): void {
  process.stdout.write(`${what.padEnd(66)} ${value.padStart(9)} ${unit}\n`)
}

/** On a busy machine the time on the processor says more; it counts the collector's threads as well. */
function report(what: string, count: number, ...clocks: readonly Clock[]): void {
  const each = clocks.reduce((sum, { spent }) => sum + Number(spent), 0) / count
  const cpu = (clocks.reduce((sum, { cpu: us }) => sum + us, 0) * 1_000) / count
  say(what, each.toFixed(0), `ns   ${cpu.toFixed(0).padStart(7)} ns of CPU`)
}

function nothing(): void {}

function heapBytes(): { readonly heap: number; readonly all: number } {
  // The memory of arrays is given back by a later collection than the one that finds them.
  for (let nth = 0; nth < 3; nth++) globalThis.gc?.()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, all: heapUsed + Math.max(external, arrayBuffers) }
}

class Clock {
  spent = 0n
  /** Microseconds. */
  cpu = 0
  run<T>(what: () => T): T {
    const cpu = process.cpuUsage()
    const from = process.hrtime.bigint()
    const result = what()
    this.spent += process.hrtime.bigint() - from
    const { user, system } = process.cpuUsage(cpu)
    this.cpu += user + system
    return result
  }
}

/** Enqueue, dequeue, ack of small messages, `batch` at a time; commands are encoded beforehand, decoding is part of apply. */
function benchRounds(what: string, batch: number, groups: number, drained: boolean, waits = false): void {
  const machine = createQueueMachine({ bodyCache: new BodyCache(CACHE_BYTES) })
  const ctx = new Context()
  const enqueues = Array.from({ length: 100 }, (_, nth) =>
    enqueueOf(Array.from({ length: batch }, (__, at) => message(groups > 0 ? { group: `customer-${(nth * batch + at) % groups}` } : {}))),
  )
  const dequeue = dequeueOf(batch, waits ? 10_000 : 0)
  let ticket = 0
  for (let round = 0; round < 3; round++) {
    const [enqueued, dequeued, acked, drains] = [new Clock(), new Clock(), new Clock(), new Clock()]
    const count = 200_000 / batch
    for (let done = 0; done < count; done += enqueues.length) {
      ctx.settled = []
      let replies: Plain[] = []
      if (waits) dequeued.run(() => enqueues.map(() => machine.apply(ctx, ++ticket, dequeue)))
      enqueued.run(() => enqueues.map((command) => machine.apply(ctx, ++ticket, command)))
      if (drained) drains.run(() => machine.drain(nothing, nothing))
      if (!waits) replies = dequeued.run(() => enqueues.map(() => machine.apply(ctx, ++ticket, dequeue) as Plain))
      const acks = (waits ? ctx.settled : replies).map(ackOf)
      acked.run(() => acks.map((command) => machine.apply(ctx, ++ticket, command)))
      ctx.time += 1
      ctx.index += 1
      machine.advance(ctx)
    }
    if (round < 2) continue
    const parts = [enqueued, dequeued, acked].map(({ cpu }) => (cpu / 200).toFixed(0)).join(' + ')
    report(`${what}: ${parts}`, 200_000, enqueued, dequeued, acked)
    if (drained) report(`${what}: drains, per message`, 200_000, drains)
  }
}

function benchCodec(): void {
  const commands = [enqueueOf([message()]), dequeueOf(1), ackOf([3, 1, 77_777, 77_777, 1, '', 30_000, null])]
  for (const [nth, command] of commands.entries()) {
    let clock = new Clock()
    for (let round = 0; round < 3; round++) {
      clock = new Clock()
      clock.run(() => {
        for (let i = 0; i < 200_000; i++) decodeCommand(command)
      })
    }
    report(`decode ${['enqueue', 'dequeue', 'ack'][nth]}`, 200_000, clock)
  }
}

/** A deep backlog, drained: what it costs in memory, to restart, and to consume. */
function benchBacklog(what: string, backlog: number, groupOf: (nth: number) => string): void {
  const machine = createQueueMachine({ bodyCache: new BodyCache(0) })
  const ctx = new Context()
  const records = new Map<string, Uint8Array>()
  const store: WriteRecord = (key, value) => {
    const text = Buffer.from(key).toString('latin1')
    if (value === null) records.delete(text)
    else records.set(text, value)
  }
  const put = encodeCommand({ type: 'queue_put', ...NAME, config: { maxLength: 100_000_000 } })
  machine.apply(ctx, 1, put)
  const before = heapBytes()
  const clock = new Clock()
  const batch = 100
  const batches = Array.from({ length: 100 }, (_, nth) =>
    enqueueOf(Array.from({ length: batch }, (__, at) => message({ group: groupOf(nth * batch + at) }))),
  )
  for (let nth = 0; nth < backlog; nth += batch) {
    const command = batches[(nth / batch) % batches.length] as Uint8Array
    clock.run(() => machine.apply(ctx, nth + 2, command))
    if (nth % 10_000 === 0) {
      ctx.time += 1
      machine.drain(store, nothing)
    }
  }
  machine.drain(store, nothing)
  report(`${what}: enqueue in batches of ${batch}, per message`, backlog, clock)
  const bytes = [...records.values()].reduce((sum, value) => sum + value.length, 0)
  const after = heapBytes()
  say(`${what}: heap per message`, ((after.heap - before.heap) / backlog).toFixed(2), 'B')
  say(`${what}: memory per message, typed arrays too`, ((after.all - before.all - bytes) / backlog).toFixed(2), 'B')
  say(`${what}: index records`, String(records.size), `(${(bytes / backlog).toFixed(2)} B per message)`)
  benchReload(what, records)
  benchConsume(what, machine, ctx, Math.min(backlog, 1_000_000))
}

function benchReload(what: string, records: ReadonlyMap<string, Uint8Array>): void {
  const pairs = [...records].map(([key, value]) => [Uint8Array.from(Buffer.from(key, 'latin1')), value] as const)
  const machine = createQueueMachine()
  const from = process.hrtime.bigint()
  for (const [key, value] of pairs) machine.load(key, value)
  const linked = process.hrtime.bigint()
  machine.loaded()
  const ms = (ns: bigint) => (Number(ns) / 1e6).toFixed(1)
  say(`${what}: load, and its end`, ms(linked - from), `ms + ${ms(process.hrtime.bigint() - linked)} ms`)
}

function benchConsume(what: string, machine: QueueMachine, ctx: Context, count: number): void {
  const clock = new Clock()
  const dequeue = dequeueOf(10)
  let ticket = 1e9
  for (let done = 0; done < count; done += 10) {
    const reply = clock.run(() => machine.apply(ctx, ++ticket, dequeue)) as Plain
    const ack = ackOf(reply)
    clock.run(() => machine.apply(ctx, ++ticket, ack))
    if (done % 10_000 === 0) {
      ctx.time += 1
      machine.advance(ctx)
      clock.run(() => machine.drain(nothing, nothing))
    }
  }
  report(`${what}: dequeue + ack in batches of 10, drains too`, count, clock)
}

/** What the leader does besides: bodies for the deliveries. */
function benchAttach(): void {
  const machine = createQueueMachine({ bodyCache: new BodyCache(CACHE_BYTES) })
  const ctx = new Context()
  const context: AttachContext = { cold: { get: () => [] }, durableOn: () => ['n1', 'n2'] }
  for (let i = 0; i < 200_000; i++) {
    machine.apply(ctx, i + 1, enqueueOf([message()]))
    if (i % 1_000 === 0) machine.drain(nothing, nothing)
  }
  machine.drain(nothing, nothing)
  const clock = new Clock()
  for (let i = 0; i < 20_000; i++) {
    const reply = machine.apply(ctx, 300_000 + i, dequeueOf(10)) as Plain
    clock.run(() => void machine.attach(reply, context))
  }
  report('attach bodies out of the cache, per message', 200_000, clock)
}

const backlog = Number(process.argv[2] ?? 10_000_000)
benchBacklog('backlog', backlog, () => '')
benchBacklog('backlog in 1000 groups', Math.min(backlog, 2_000_000), (nth) => `customer-${nth % 1_000}`)
benchCodec()
benchRounds('enqueue + dequeue + ack, one by one', 1, 0, false)
benchRounds('the same, to waiting consumers', 1, 0, false, true)
benchRounds('the same, drained in between', 1, 0, true)
benchRounds('in batches of 10', 10, 0, false)
benchRounds('in batches of 10, drained', 10, 0, true)
benchRounds('in batches of 10, 1000 groups', 10, 1_000, false)
benchAttach()
