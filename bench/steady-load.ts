/**
 * A steady load on many queues, in a process of its own: to every queue a message every so often, at fixed times whatever the
 * answers take, and a consumer per queue. What fails is repeated on another node under the same idempotency key, and its
 * answer counts from when it was first due.
 *
 *   { use: urls }  ─> from now on through these nodes       ─> { using: true }
 *   { take: true } ─> what was seen since the last time     ─> { reading }
 *   { end: true }  ─> no more; once everything is acknowledged (or nothing comes any more) ─> { final }
 */
import { BatchingSocket, type Result } from './socket.ts'

export interface SteadyTask {
  readonly urls: readonly string[]
  readonly queues: readonly string[]
  /** Between two messages of one queue. */
  readonly everyMs: number
  readonly bytes: number
}

/** One enqueue that took long. Times are of the wall. */
export interface Pause {
  readonly queue: number
  readonly at: number
  readonly ms: number
  /** Which of the urls in use it began with. */
  readonly via: number
  readonly failures: number
}

export interface SteadyReading {
  /** By queue: the longest enqueue, answered or still waiting. */
  readonly longest: readonly Pause[]
  /** The ten longest of all. */
  readonly pauses: readonly Pause[]
  readonly p50: number
  readonly p99: number
  readonly enqueued: number
  readonly acknowledged: number
  readonly redelivered: number
  /** Calls that failed and were repeated, with their errors. */
  readonly failures: readonly (readonly [error: string, count: number])[]
}

export interface SteadyFinal {
  readonly enqueued: number
  readonly lost: number
  /** Delivered again after their acknowledgement was answered. */
  readonly afterAck: number
  readonly redelivered: number
}

interface Enqueue {
  readonly queue: number
  readonly due: number
  readonly via: number
  failures: number
}

const DEQUEUE_WAIT_MS = 1_000
const AGAIN_MS = 5
const IDLE_MS = 20_000
const TOLD = 10

const task = JSON.parse(process.argv[2] ?? '{}') as SteadyTask
const padding = 'x'.repeat(task.bytes)
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let sockets: readonly BatchingSocket[] = []
let producing = true
const waiting = new Set<Enqueue>()
let pauses: Pause[] = []
let failures = new Map<string, number>()
let [enqueued, acknowledged, redelivered, redeliveredInAll, afterAck, number] = [0, 0, 0, 0, 0, 0]
/** Those answered and not yet acknowledged, and those acknowledged and not yet answered. */
const missing = new Set<string>()
const early = new Set<string>()
const done = new Set<string>()
let heardAt = performance.now()

function failed(error: unknown): void {
  const text = error instanceof Error ? error.message.slice(0, 160) : String(error)
  failures.set(text, (failures.get(text) ?? 0) + 1)
}

async function call(op: string, members: object, from: number, onFailure = (): void => {}): Promise<Result> {
  for (let turn = from; ; turn++) {
    try {
      return await (sockets[turn % sockets.length] as BatchingSocket).call(op, members)
    } catch (error) {
      failed(error)
      onFailure()
      await sleep(AGAIN_MS)
    }
  }
}

async function enqueue(queue: number, round: number, due: number): Promise<void> {
  const id = String(number++)
  const one: Enqueue = { queue, due, via: (queue + round) % sockets.length, failures: 0 }
  waiting.add(one)
  const members = { queue: task.queues[queue], data: `${id} ${padding}`, idempotencyKey: id }
  await call('queue.enqueue', members, queue + round, () => one.failures++)
  waiting.delete(one)
  pauses.push(pauseOf(one, performance.now()))
  enqueued++
  if (!early.delete(id)) missing.add(id)
}

function pauseOf({ queue, due, via, failures: count }: Enqueue, now: number): Pause {
  return { queue, at: performance.timeOrigin + due, ms: now - due, via, failures: count }
}

async function produce(queue: number): Promise<void> {
  const began = performance.now() + (queue / task.queues.length) * task.everyMs
  for (let round = 0; producing; round++) {
    const due = began + round * task.everyMs
    const left = due - performance.now()
    if (left > 0) await sleep(left)
    void enqueue(queue, round, due)
  }
}

interface Delivery {
  readonly id: string
  readonly token: number
  readonly attempt: number
  readonly data: string
}

async function consume(queue: number): Promise<never> {
  for (let round = 0; ; round++) {
    const members = { queue: task.queues[queue], max: 10, waitMs: DEQUEUE_WAIT_MS }
    const { messages } = (await call('queue.dequeue', members, queue + round)) as unknown as { messages: Delivery[] }
    if (messages.length === 0) continue
    for (const { attempt, data } of messages) {
      if (attempt > 1) redelivered++
      if (done.has(idOf(data))) afterAck++
    }
    const items = messages.map(({ id, token }) => ({ id, token }))
    const { results } = (await call('queue.ack', { queue: task.queues[queue], items }, queue + round)) as unknown as {
      results: readonly { readonly ok: boolean }[]
    }
    for (const [at, { data }] of messages.entries()) if (results[at]?.ok) settled(idOf(data))
  }
}

const idOf = (data: string): string => data.slice(0, data.indexOf(' '))

function settled(id: string): void {
  heardAt = performance.now()
  acknowledged++
  done.add(id)
  if (!missing.delete(id)) early.add(id)
}

function take(): SteadyReading {
  const now = performance.now()
  const all = [...pauses, ...[...waiting].map((one) => pauseOf(one, now))].sort((a, b) => a.ms - b.ms)
  const longest = new Map(all.map((pause) => [pause.queue, pause]))
  const reading = {
    longest: [...longest.values()],
    pauses: all.slice(-TOLD).reverse(),
    p50: all[Math.floor(all.length * 0.5)]?.ms ?? 0,
    p99: all[Math.floor(all.length * 0.99)]?.ms ?? 0,
    enqueued,
    acknowledged,
    redelivered,
    failures: [...failures],
  }
  redeliveredInAll += redelivered
  pauses = []
  failures = new Map()
  enqueued = acknowledged = redelivered = 0
  return reading
}

async function end(): Promise<SteadyFinal> {
  producing = false
  heardAt = performance.now()
  while ((waiting.size > 0 || missing.size > 0) && performance.now() - heardAt < IDLE_MS) await sleep(50)
  return { enqueued: done.size + missing.size, lost: missing.size, afterAck, redelivered: redeliveredInAll + redelivered }
}

async function use(urls: readonly string[]): Promise<void> {
  sockets = await Promise.all(urls.map((url) => BatchingSocket.open(url)))
}

process.on('message', (message: { readonly use?: readonly string[]; readonly take?: boolean; readonly end?: boolean }) => {
  if (message.use) void use(message.use).then(() => process.send?.({ using: true }))
  if (message.take) process.send?.({ reading: take() })
  if (message.end) void end().then((final) => process.send?.({ final }, () => process.exit(0)))
})
process.on('disconnect', () => process.exit(1))
await use(task.urls)
for (const queue of task.queues.keys()) {
  void produce(queue)
  void consume(queue)
}
process.send?.({ using: true })
