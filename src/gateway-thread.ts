/** The node's side of `gateway-worker.ts`: makes the port, starts the thread, and is the `Server` that it runs. */
import { MessageChannel, Worker } from 'node:worker_threads'
import type { ActorSystem } from './actors/actor.ts'
import { ListenError, type Server } from './api/server.ts'
import type { Config } from './config.ts'
import type { GatewayWorkerMessage } from './gateway-worker.ts'
import { createPortTransport } from './io/transport-port.ts'

export interface GatewayThreadOptions {
  /** The number that the cluster was formed with. */
  readonly partitions: number
  /** The cluster's. */
  readonly secret: string
  readonly onBug: (error: unknown) => void
}

export async function startGatewayThread(
  system: ActorSystem,
  config: Config,
  { partitions, secret, onBug }: GatewayThreadOptions,
): Promise<Server> {
  const { node, incarnation } = system
  const { port1, port2 } = new MessageChannel()
  const transport = createPortTransport(node, incarnation, port1)
  system.attach(`${node}:gw`, transport)
  const worker = new Worker(new URL('./gateway-worker.js', import.meta.url), {
    workerData: { config, node, incarnation, partitions, secret, port: port2 },
    transferList: [port2],
  })
  let onClosed = (): void => undefined
  const closed = new Promise<void>((resolve) => (onClosed = resolve))
  worker.on('exit', onClosed)
  const url = await new Promise<string>((resolve, reject) => {
    worker.on('error', onBug)
    worker.on('message', (message: GatewayWorkerMessage) => {
      if (message.type === 'ready') resolve(message.url)
      else if (message.type === 'failed') reject(new ListenError(message.message))
      else if (message.type === 'bug') onBug(new Error(`in the gateway thread: ${message.stack}`))
      else onClosed()
    })
  })
  return {
    url,
    async close() {
      worker.postMessage('close')
      await closed
      await worker.terminate()
      await transport.close()
    },
  }
}
