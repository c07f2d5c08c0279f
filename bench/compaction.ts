/**
 * Whether old messages pin the disk: one message stays leased (it is extended again and again), another stays ready behind
 * more urgent ones, while many megabytes flow through their queue and through others: consumed at once, then as backlogs, which
 * reach the store. Printed after each part of the flow: what the log and the store of the largest node take, and what a
 * dequeue at the head costs.
 *
 * `--mb N` in all, `--bytes N` of a message, `--json FILE`.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'
import { BatchingSocket } from './socket.ts'

const MIB = 2 ** 20
const PARTS = 8
const BATCH_BYTES = 128 * 1024
const WORKERS = 8
const OTHERS = 7
const EXTEND_MS = 5_000
const VISIBILITY_MS = 60_000
const SETTLE_MS = 5_000
const URGENT = 9

interface Delivery {
  readonly id: string
  readonly token: number
}

interface Row {
  readonly flowedMib: number
  readonly walMib: number
  readonly storeMib: number
  readonly dequeueMs: { readonly p50: number; readonly p99: number }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function bytesIn(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    // Files come and go meanwhile.
    if (entry.isFile()) bytes += statSync(join(entry.parentPath ?? entry.path, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

async function dequeue(socket: BatchingSocket, queue: string, max: number): Promise<readonly Delivery[]> {
  const answer = await socket.call('queue.dequeue', { queue, max, waitMs: 1_000, visibilityMs: VISIBILITY_MS })
  return answer['messages'] as readonly Delivery[]
}

class Flow {
  readonly #sockets: readonly BatchingSocket[]
  readonly #bytes: number
  dequeueMs: number[] = []

  constructor(sockets: readonly BatchingSocket[], bytes: number) {
    this.#sockets = sockets
    this.#bytes = bytes
  }

  /** So many bytes in and out again, half of them through `old`; as backlogs: first all in, then all out. */
  async run(bytes: number, asBacklogs: boolean): Promise<void> {
    const count = Math.max(1, Math.floor(BATCH_BYTES / this.#bytes))
    const rounds = Math.ceil(bytes / WORKERS / (count * this.#bytes))
    const each = (isIn: boolean, isOut: boolean): Promise<unknown> =>
      Promise.all(Array.from({ length: WORKERS }, (_, which) => this.#worker(which, rounds, count, isIn, isOut)))
    if (asBacklogs) for (const isIn of [true, false]) await each(isIn, !isIn)
    else await each(true, true)
  }

  async #worker(which: number, rounds: number, count: number, isIn: boolean, isOut: boolean): Promise<void> {
    const socket = this.#sockets[which % this.#sockets.length] as BatchingSocket
    for (let round = 0; round < rounds; round++) {
      const queue = round % 2 === 0 ? 'old' : `other-${(which + round) % OTHERS}`
      const message = () => ({ data: randomBytes(Math.ceil(this.#bytes * 0.75)).toString('base64'), priority: URGENT })
      if (isIn) await socket.call('queue.enqueue', { queue, messages: Array.from({ length: count }, message) })
      if (isOut) await this.#consume(socket, queue, count)
    }
  }

  async #consume(socket: BatchingSocket, queue: string, count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const began = performance.now()
      const messages = await dequeue(socket, queue, left)
      this.dequeueMs.push(performance.now() - began)
      left -= messages.length
      if (messages.length === 0) continue
      await socket.call('queue.ack', { queue, items: messages.map(({ id, token }) => ({ id, token })) })
    }
  }
}

async function measure(cluster: BenchCluster, flow: Flow, flowed: number): Promise<Row> {
  const times = flow.dequeueMs.sort((a, b) => a - b)
  flow.dequeueMs = []
  const most = (part: string): number => Math.max(...cluster.directories.map((directory) => bytesIn(join(directory, part)))) / MIB
  const at = (quantile: number): number => times[Math.floor(times.length * quantile)] ?? 0
  return { flowedMib: flowed / MIB, walMib: most('wal'), storeMib: most('state'), dequeueMs: { p50: at(0.5), p99: at(0.99) } }
}

const format = ({ flowedMib, walMib, storeMib, dequeueMs: { p50, p99 } }: Row): string =>
  [flowedMib, walMib, storeMib].map((mib) => mib.toFixed(0).padStart(10)).join('') + `     ${p50.toFixed(1)} / ${p99.toFixed(1)}`

export async function benchCompaction(options: ReadonlyMap<string, string>): Promise<void> {
  const mib = Number(options.get('mb') ?? 512)
  const machine = describeMachine()
  say(
    `${machine}\nthree nodes and nats-server as processes, 3 replicas, fsync on; ${mib} MiB, half of them through the queue of the old messages\n`,
  )
  const cluster = await startBenchCluster({ profiles: options.get('profiles') })
  const rows: Row[] = []
  try {
    const sockets = await Promise.all(cluster.urls.map((url) => BatchingSocket.open(url)))
    const socket = sockets[0] as BatchingSocket
    await socket.call('queue.enqueue', { queue: 'old', data: 'leased for ever' })
    const [leased] = await dequeue(socket, 'old', 1)
    if (!leased) throw new Error('there is nothing to lease')
    await socket.call('queue.enqueue', { queue: 'old', data: 'ready for ever' })
    const extend = (): Promise<unknown> => {
      const item = { id: leased.id, token: leased.token, visibilityMs: VISIBILITY_MS }
      return socket.call('queue.extend', { queue: 'old', items: [item] })
    }
    const timer = setInterval(() => void extend().catch((error: unknown) => say(String(error))), EXTEND_MS)
    const flow = new Flow(sockets, Number(options.get('bytes') ?? 4_096))
    say('flowed MiB   log MiB store MiB  dequeue p50 / p99 ms')
    for (let part = 1; part <= PARTS; part++) {
      await flow.run((mib * MIB) / PARTS, part > PARTS / 2)
      rows.push(await measure(cluster, flow, (mib * MIB * part) / PARTS))
      say(`${format(rows.at(-1) as Row)}${part > PARTS / 2 ? '   (as backlogs)' : ''}`)
    }
    await pause(SETTLE_MS)
    rows.push(await measure(cluster, flow, mib * MIB))
    say(`${format(rows.at(-1) as Row)}   (${SETTLE_MS / 1_000} s later)`)
    clearInterval(timer)
    await extend()
    const [ready] = await dequeue(socket, 'old', 1)
    say(`the leased one is still leased, the ready one ${ready ? 'is delivered' : 'IS GONE'}`)
    const file = options.get('json')
    if (file) writeFileSync(file, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
  } finally {
    await cluster.stop()
  }
}
