/**
 * The load of queues, in a process of its own: producers enqueue, consumers lease and acknowledge, each one call after another.
 * Told what to do by its arguments, tells what it saw to its parent.
 *
 * A message begins with when its enqueueing began, so that whichever consumer gets it can tell how long it was under way.
 */
import { HttpCaller } from './http.ts'
import { BatchingSocket, type Result } from './socket.ts'

export interface QueueTask {
  readonly kind: 'http' | 'ws'
  readonly url: string
  readonly producers: number
  readonly consumers: number
  /** Of all generators together, and how many of them are before these. */
  readonly consumersOfAll: number
  readonly consumersBefore: number
  /** Messages per call. */
  readonly batch: number
  /** Of the data of a message. */
  readonly bytes: number
  readonly queues: readonly string[]
  readonly seconds: number
  /** Calls per second of all producers together, at fixed times whatever the answers take; 0: as fast as they are answered. */
  readonly rate: number
  /** Stops after so many enqueued messages; 0: by time alone. Consumers without producers stop when nothing is left. */
  readonly count: number
}

export interface QueueOutcome {
  readonly enqueued: number
  readonly acknowledged: number
  readonly redelivered: number
  /** Ms per call, from when it should have begun. */
  readonly enqueueMs: number[]
  /** Ms from the beginning of the enqueue call to the consumer. */
  readonly deliveryMs: number[]
  readonly cpuSeconds: number
  /** From the first call to the last answer. */
  readonly elapsedMs: number
}

type Call = (queue: string, action: string, body: object) => Promise<Result>

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const STAMP_LENGTH = 20
const DEQUEUE_WAIT_MS = 500

const task = JSON.parse(process.argv[2] ?? '{}') as QueueTask
const outcome = { enqueued: 0, acknowledged: 0, redelivered: 0, enqueueMs: [] as number[], deliveryMs: [] as number[] }
const padding = Array.from({ length: task.bytes }, () => ALPHABET[Math.floor(Math.random() * ALPHABET.length)]).join('')
const wallMs = (): number => performance.timeOrigin + performance.now()
const began = performance.now()
const end = began + task.seconds * 1_000
let asked = 0

function message(stamp: number): { data: string } {
  const head = stamp.toFixed(3).padEnd(STAMP_LENGTH)
  return { data: head + padding.slice(STAMP_LENGTH) }
}

async function produce(call: Call, which: number): Promise<void> {
  const gapMs = task.rate === 0 ? 0 : (task.producers * 1_000) / task.rate
  for (let round = 0; ; round++) {
    const due = task.rate === 0 ? performance.now() : began + (round + which / task.producers) * gapMs
    if (due >= end || (task.count > 0 && asked >= task.count)) return
    const early = due - performance.now()
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
    asked += task.batch
    const queue = task.queues[(which + round) % task.queues.length] ?? ''
    const stamp = performance.timeOrigin + due
    const body = task.batch === 1 ? message(stamp) : { messages: Array.from({ length: task.batch }, () => message(stamp)) }
    await call(queue, 'enqueue', body)
    outcome.enqueued += task.batch
    outcome.enqueueMs.push(performance.now() - due)
  }
}

interface Delivery {
  readonly id: string
  readonly token: number
  readonly attempt: number
  readonly data: string
}

/** A consumer's own queues: some of many, or one that it shares. */
function queuesOf(which: number): readonly string[] {
  const { queues, consumersOfAll: all } = task
  return queues.length < all ? queues.slice(which % queues.length).slice(0, 1) : queues.filter((_, i) => i % all === which)
}

async function consume(call: Call, which: number): Promise<void> {
  const queues = queuesOf(task.consumersBefore + which)
  for (let round = 0, empty = 0; ; round++) {
    const last = task.producers === 0 || performance.now() >= end
    const wish = { max: task.batch, waitMs: last ? 0 : DEQUEUE_WAIT_MS }
    const { messages } = (await call(queues[round % queues.length] ?? '', 'dequeue', wish)) as unknown as { messages: Delivery[] }
    const now = wallMs()
    if (messages.length === 0) {
      if (last && ++empty >= queues.length) return
      continue
    }
    empty = 0
    for (const { attempt, data } of messages) {
      if (attempt > 1) outcome.redelivered++
      outcome.deliveryMs.push(now - Number(data.slice(0, STAMP_LENGTH)))
    }
    await call(queues[round % queues.length] ?? '', 'ack', { items: messages.map(({ id, token }) => ({ id, token })) })
    outcome.acknowledged += messages.length
  }
}

/** Over HTTP a caller has a connection of its own; over WebSocket all share one. */
async function callers(count: number): Promise<{ call: Call; close: () => void }[]> {
  if (task.kind === 'http') {
    return Array.from({ length: count }, () => {
      const http = new HttpCaller(task.url)
      return { call: (queue, action, body) => http.call(`/v1/queues/${queue}/${action}`, JSON.stringify(body)), close: () => http.close() }
    })
  }
  const socket = await BatchingSocket.open(task.url)
  const call: Call = (queue, action, body) => socket.call(`queue.${action}`, { queue, ...body })
  return Array.from({ length: count }, () => ({ call, close: () => socket.close() }))
}

const all = await callers(task.producers + task.consumers)
await Promise.all(
  all.map(({ call, close }, at) =>
    (at < task.producers ? produce(call, at) : consume(call, at - task.producers)).then(task.kind === 'http' ? close : undefined),
  ),
)
const { user, system } = process.cpuUsage()
const result: QueueOutcome = { ...outcome, cpuSeconds: (user + system) / 1e6, elapsedMs: performance.now() - began }
// Only once it is written: a large message would be cut off.
process.send?.(result, () => process.disconnect())
