/** A real nats-server on a free loopback port, for tests and benchmarks. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo } from 'node:net'

export interface NatsServer {
  readonly url: string
  /** Sends the signal; resolves when the process is gone (for KILL and TERM) or at once (STOP, CONT). */
  signal(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** Starts it again on the same port after it went. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Resolves once something accepts connections on the port, or rejects when the process ends first. */
async function accepting(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`)
    const socket = createConnection({ port, host: '127.0.0.1' })
    const ok = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false)
    socket.destroy()
    if (ok) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export async function startNatsServer(extra: readonly string[] = []): Promise<NatsServer> {
  const port = await freePort()
  let child: ChildProcess
  const start = async (): Promise<void> => {
    child = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), ...extra], { stdio: 'ignore' })
    await accepting(port, child)
  }
  await start()
  const signal: NatsServer['signal'] = async (name) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = name === 'SIGKILL' || name === 'SIGTERM' ? once(child, 'exit') : null
    child.kill(name)
    await gone
  }
  return { url: `nats://127.0.0.1:${port}`, signal, restart: start, stop: () => signal('SIGKILL') }
}
