/**
 * The load, in a process of its own: so many callers, each acquiring and releasing its own lock, one after the other. Told
 * what to do by its arguments, tells its latencies (ms per operation) to its parent.
 */
import { HttpCaller } from './http.ts'
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
