/**
 * The load, in a process of its own: so many callers, each acquiring and releasing its own lock, one after the other. Told
 * what to do by its arguments, tells its latencies (ms per operation) to its parent.
 */
import { Agent, request } from 'node:http'
import { Packr } from 'msgpackr'
import { WebSocket } from 'ws'

interface Task {
  readonly kind: 'http' | 'ws'
  readonly url: string
  readonly callers: number
  readonly seconds: number
  readonly prefix: string
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task
const latencies: number[] = []

async function overHttp(): Promise<void> {
  const { hostname, port } = new URL(task.url)
  const agent = new Agent({ keepAlive: true, maxSockets: task.callers })
  const call = (path: string, body: unknown): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body)
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
      const sent = request({ hostname, port, path, method: 'POST', agent, headers }, (response) => {
        let answer = ''
        response.on('data', (chunk: Buffer) => (answer += chunk.toString()))
        response.on('end', () =>
          response.statusCode === 200 ? resolve(JSON.parse(answer) as Record<string, unknown>) : reject(new Error(answer)),
        )
      })
      sent.on('error', reject)
      sent.end(text)
    })
  const end = performance.now() + task.seconds * 1_000
  const caller = async (id: number): Promise<void> => {
    const path = `/locks/${task.prefix}-${id}`
    while (performance.now() < end) {
      const began = performance.now()
      const { grantId } = await call(`${path}/acquire`, {})
      const taken = performance.now()
      await call(`${path}/release`, { grantId })
      latencies.push(taken - began, performance.now() - taken)
    }
  }
  await Promise.all(Array.from({ length: task.callers }, (_, id) => caller(id)))
}

/** All callers share one socket: what one turn has to say is one frame. */
async function overWebSocket(): Promise<void> {
  const packr = new Packr({ useRecords: false, mapsAsObjects: true })
  const socket = new WebSocket(`${task.url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.msgpack')
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const waiting = new Map<number, (result: Record<string, unknown>) => void>()
  let outgoing: unknown[] = []
  let next = 1
  const call = (op: string, members: object): Promise<Record<string, unknown>> =>
    new Promise((resolve) => {
      const id = next++
      waiting.set(id, resolve)
      if (outgoing.length === 0) setImmediate(() => socket.send(packr.pack(outgoing.splice(0))))
      outgoing.push({ id, op, ...members })
    })
  socket.on('message', (bytes: Buffer) => {
    const answer = packr.unpack(bytes) as Answer | Answer[]
    for (const { id, ok, result, error } of Array.isArray(answer) ? answer : [answer]) {
      if (!ok) throw new Error(JSON.stringify(error))
      waiting.get(id)?.(result)
      waiting.delete(id)
    }
  })
  const end = performance.now() + task.seconds * 1_000
  const caller = async (at: number): Promise<void> => {
    const name = `${task.prefix}-${at}`
    while (performance.now() < end) {
      const began = performance.now()
      const { grantId } = await call('lock.acquire', { name, owner: name })
      const taken = performance.now()
      await call('lock.release', { name, grantId })
      latencies.push(taken - began, performance.now() - taken)
    }
  }
  await Promise.all(Array.from({ length: task.callers }, (_, id) => caller(id)))
  socket.close()
}
interface Answer {
  readonly id: number
  readonly ok: boolean
  readonly result: Record<string, unknown>
  readonly error?: unknown
}

await (task.kind === 'http' ? overHttp() : overWebSocket())
const { user, system } = process.cpuUsage()
process.send?.({ latencies, cpuSeconds: (user + system) / 1e6 })
process.disconnect?.()
