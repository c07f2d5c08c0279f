/**
 * The gateway on a real socket: listens, counts connections, and on closing drains: no new work, running requests get
 * their answers, then what is left is cut.
 */
import { type IncomingMessage, type Server as HttpServer, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { ActorSystemStats } from '../actors/actor.ts'
import { createApp } from './app.ts'
import type { Backend } from './backend.ts'
import type { Gateway, GatewaySettings, StartSpan } from './gateway.ts'
import { type Listener, type ListenerOptions, listenerOf, serverOf } from './listener.ts'
import { GatewayMetrics } from './metrics.ts'
import { ProducerTraces } from './producer-traces.ts'
import { ignoreUpgrade, isWebSocket } from './socket/other-upgrade.ts'
import { refuseGarbled } from './socket/refusal.ts'
import { PastSubscriptions } from './socket/past-subscriptions.ts'
import { Sockets } from './socket/sockets.ts'

export interface ServerOptions extends ListenerOptions {
  readonly host: string
  readonly port: number
  /** A second listener for /metrics alone; 0: none. */
  readonly metricsPort: number
  readonly connectionsMax: number
  readonly drainTimeoutMs: number
  readonly settings: GatewaySettings
  readonly startSpan: StartSpan | null
  /** Of the actor system that is the gateway's own; null where it shares the node's. */
  readonly systemStats: (() => ActorSystemStats) | null
}

export interface Server {
  readonly url: string
  close(): Promise<void>
}

/** How often connections are looked for that have their last answer, or ask for none, while the gateway stops. */
const SWEEP_MS = 20

/** A port that is taken, or an address that is not this machine's: main exits with 2. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

export async function startServer(backend: Backend, options: ServerOptions): Promise<Server> {
  const metrics = new GatewayMetrics(backend.node, options.systemStats)
  const gateway: Gateway = {
    backend,
    settings: options.settings,
    metrics,
    startSpan: options.startSpan,
    producers: new ProducerTraces(),
    pastSubscriptions: new PastSubscriptions(backend.clock, backend.random),
  }
  const app = createApp(gateway, options)
  const listener = listenerOf(app.fetch, backend, options)
  const server = serverOf(listener)
  server.maxConnections = options.connectionsMax
  server.keepAliveTimeout = 75_000
  const sockets = new Sockets(gateway, { frameBytesMax: options.settings.bodyBytesMax, onBug: options.onBug })
  server.on('upgrade', (request, socket, head) => {
    if (isWebSocket(request)) sockets.upgrade(request, socket, head)
    else ignoreUpgrade(server, request, socket, head)
  })
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseGarbled(socket, error, backend))
  await listen(server, options.port, options.host)
  const metricsServer =
    options.metricsPort === 0 ? null : createServer((request, response) => void onlyMetrics(listener, request, response))
  await (metricsServer && listen(metricsServer, options.metricsPort, options.host))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${options.host}:${port}`,
    async close() {
      const drained = new Promise<void>((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), options.drainTimeoutMs)
        // Node keeps the connection of a request that was running open after its answer, for the next one. To it who has never
        // said anything is about to ask.
        const sweep = setInterval(() => {
          server.closeIdleConnections()
          for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
        }, SWEEP_MS)
        server.close(() => {
          clearTimeout(cut)
          clearInterval(sweep)
          resolve()
        })
        server.closeIdleConnections()
      })
      metricsServer?.close()
      metricsServer?.closeAllConnections()
      await Promise.all([sockets.close(options.drainTimeoutMs), drained])
    },
  }
}

async function listen(server: HttpServer, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new ListenError(`cannot listen on ${host}:${port}: ${error.message}`)))
    server.listen(port, host, resolve)
  })
}

function onlyMetrics(listener: Listener, request: IncomingMessage, response: ServerResponse): void {
  if (request.url?.split('?')[0] === '/metrics') void listener(request, response)
  else response.writeHead(404, { 'content-type': 'text/plain' }).end('here is /metrics, and nothing else\n')
}
