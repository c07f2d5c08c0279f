/**
 * The load, in a process of its own: so many callers, each acquiring and releasing its own lock, one after the other. Told
 * what to do by its arguments, tells its latencies (ms per operation) to its parent.
 */
import { type Socket, connect } from 'node:net'
import { BatchingSocket } from './socket.ts'

interface Task {
  readonly kind: 'http' | 'ws'
  readonly url: string
  readonly callers: number
  readonly seconds: number
  readonly prefix: string
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task
const latencies: number[] = []

/**
 * One keep-alive connection per caller, spoken to by hand: a client library costs more CPU per call than the server, and
 * load and cluster share this machine.
 */
class HttpCaller {
  readonly #socket: Socket
  readonly #host: string
  #received = ''
  #settle: { resolve: (answer: Record<string, unknown>) => void; reject: (error: Error) => void } | null = null

  constructor(url: string) {
    const { hostname, port, host } = new URL(url)
    this.#host = host
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#take(text))
    this.#socket.on('error', (error) => this.#settle?.reject(error))
  }

  call(path: string, body: string): Promise<Record<string, unknown>> {
    const head = `POST ${path} HTTP/1.1\r\nhost: ${this.#host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
    this.#socket.write(head + body)
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    this.#received += text
    const head = this.#received.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1])
    if (this.#received.length < head + 4 + length) return
    const answer = this.#received.slice(head + 4, head + 4 + length)
    const ok = this.#received.startsWith('HTTP/1.1 200')
    this.#received = ''
    if (ok) this.#settle?.resolve(JSON.parse(answer) as Record<string, unknown>)
    else this.#settle?.reject(new Error(answer))
  }
}

async function overHttp(): Promise<void> {
  const end = performance.now() + task.seconds * 1_000
  const caller = async (id: number): Promise<void> => {
    const path = `/locks/${task.prefix}-${id}`
    const http = new HttpCaller(task.url)
    while (performance.now() < end) {
      const began = performance.now()
      const { grantId } = await http.call(`${path}/acquire`, '{}')
      const taken = performance.now()
      await http.call(`${path}/release`, `{"grantId":"${String(grantId)}"}`)
      latencies.push(taken - began, performance.now() - taken)
    }
    http.close()
  }
  await Promise.all(Array.from({ length: task.callers }, (_, id) => caller(id)))
}

/** All callers share one socket. */
async function overWebSocket(): Promise<void> {
  const socket = await BatchingSocket.open(task.url)
  const end = performance.now() + task.seconds * 1_000
  const caller = async (at: number): Promise<void> => {
    const name = `${task.prefix}-${at}`
    while (performance.now() < end) {
      const began = performance.now()
      const { grantId } = await socket.call('lock.acquire', { name, owner: name })
      const taken = performance.now()
      await socket.call('lock.release', { name, grantId })
      latencies.push(taken - began, performance.now() - taken)
    }
  }
  await Promise.all(Array.from({ length: task.callers }, (_, id) => caller(id)))
  socket.close()
}
await (task.kind === 'http' ? overHttp() : overWebSocket())
const { user, system } = process.cpuUsage()
// Only once it is written: a large message would be cut off.
process.send?.({ latencies, cpuSeconds: (user + system) / 1e6 }, () => process.disconnect())
