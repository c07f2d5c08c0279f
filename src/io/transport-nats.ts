/**
 * Frames over NATS core: at most once, which is all that Raft asks for (JetStream would be a second durability beside it).
 *
 *   tricord.<cluster>.node.<id>.<incarnation>   the frames of one life of one node
 *   tricord.<cluster>.hello                     everybody
 *
 * What the client library does by itself and this file prevents or says:
 *  1. Frames published while disconnected would be kept in unbounded memory and thrown away at the next dial: nothing is
 *     published while the connection is not open.
 *  2. A server that stops answering would be noticed after minutes: pings go every second, two may be missing.
 *  3. A slow server or network would grow the outgoing buffer: beyond OUTGOING_BYTES_MAX frames are dropped and counted.
 */
import { readFile } from 'node:fs/promises'
import {
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
  connect,
  credsAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import type { Incarnation, NodeId } from '../base/ids.ts'
import type { Transport, TransportHandlers } from './transport.ts'

const FRAME_BYTES_MAX = 512 * 1024
/** Room for the protocol line of a message. */
const PROTOCOL_SLACK_BYTES = 1024
const OUTGOING_BYTES_MAX = 64 * 1024 * 1024

export interface NatsOptions {
  readonly servers: readonly string[]
  readonly user: string
  readonly password: string
  readonly token: string
  readonly credentialsFile: string
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string }
}

export interface NatsStats {
  readonly disconnects: number
  /** Frames dropped because the connection was down or its buffer full. */
  readonly dropped: number
  readonly slowConsumers: number
}

export interface NatsTransport extends Transport {
  readonly stats: NatsStats
}

/** NATS did not answer, or refused; the caller may try again later (main exits with 75). */
export class NatsUnavailableError extends Error {
  override readonly name = 'NatsUnavailableError'
}

export async function connectNats(cluster: string, node: NodeId, incarnation: Incarnation, options: NatsOptions): Promise<NatsTransport> {
  for (const word of [cluster, node]) if (!/^[A-Za-z0-9_-]+$/.test(word)) throw new Error(`not a word of a NATS subject: ${word}`)
  let connection: NatsConnection
  try {
    connection = await connect(await connectionOptions(node, options))
  } catch (error) {
    throw new NatsUnavailableError(
      `no NATS server at ${options.servers.join(', ')}: ${String(error instanceof Error ? error.message : error)}`,
      { cause: error },
    )
  }
  return new Nats(cluster, node, incarnation, connection)
}

async function connectionOptions(node: NodeId, options: NatsOptions): Promise<ConnectionOptions> {
  const { tls } = options
  const authenticator: Authenticator[] = []
  if (options.credentialsFile) authenticator.push(credsAuthenticator(await readFile(options.credentialsFile)))
  if (options.token) authenticator.push(tokenAuthenticator(options.token))
  if (options.user) authenticator.push(usernamePasswordAuthenticator(options.user, options.password))
  const files = {
    ...(tls.caFile && { caFile: tls.caFile }),
    ...(tls.certFile && { certFile: tls.certFile }),
    ...(tls.keyFile && { keyFile: tls.keyFile }),
  }
  return {
    servers: [...options.servers],
    name: `tricord ${node}`,
    noEcho: true,
    timeout: 2_000,
    reconnectTimeWait: 50,
    reconnectJitter: 20,
    maxReconnectAttempts: -1,
    pingInterval: 1_000,
    maxPingOut: 2,
    ...(authenticator.length > 0 && { authenticator }),
    ...(Object.keys(files).length > 0 && { tls: files }),
  }
}

class Nats implements NatsTransport {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly frameBytesMax: number
  readonly #connection: NatsConnection
  readonly #prefix: string
  #connected = true
  #closed = false
  #disconnects = 0
  #dropped = 0
  #slowConsumers = 0
  /** Bytes published since the last confirmed flush: what may still be in the client's buffer. */
  #unflushed = 0
  #flushing = false

  constructor(cluster: string, node: NodeId, incarnation: Incarnation, connection: NatsConnection) {
    this.node = node
    this.incarnation = incarnation
    this.#connection = connection
    this.#prefix = `tricord.${cluster}`
    const max = connection.info?.max_payload ?? 1_048_576
    this.frameBytesMax = Math.min(FRAME_BYTES_MAX, max - PROTOCOL_SLACK_BYTES)
  }

  get connected(): boolean {
    return this.#connected && !this.#closed
  }

  get stats(): NatsStats {
    return { disconnects: this.#disconnects, dropped: this.#dropped, slowConsumers: this.#slowConsumers }
  }

  send(to: NodeId, incarnation: Incarnation, frame: Uint8Array): void {
    this.#publish(`${this.#prefix}.node.${to}.${incarnation}`, frame)
  }

  broadcast(frame: Uint8Array): void {
    this.#publish(`${this.#prefix}.hello`, frame)
  }

  listen(handlers: TransportHandlers): void {
    const own = `${this.#prefix}.node.${this.node}.${this.incarnation}`
    for (const subject of [own, `${this.#prefix}.hello`]) {
      this.#connection.subscribe(subject, {
        callback: (error, message) => {
          if (!error && !this.#closed) handlers.onFrame(message.data)
        },
      })
    }
    void this.#watch(handlers)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    if (this.#connected) await this.#connection.flush().catch(() => undefined)
    this.#closed = true
    await this.#connection.close()
  }

  #publish(subject: string, frame: Uint8Array): void {
    if (!this.connected || this.#unflushed + frame.length > OUTGOING_BYTES_MAX) {
      this.#dropped++
      return
    }
    this.#unflushed += frame.length
    this.#connection.publish(subject, frame)
    if (this.#unflushed > OUTGOING_BYTES_MAX / 4) this.#confirm()
  }

  /** A round trip to the server: what was published before it has left. */
  #confirm(): void {
    if (this.#flushing) return
    this.#flushing = true
    const covered = this.#unflushed
    this.#connection.flush().then(
      () => {
        this.#flushing = false
        this.#unflushed = Math.max(0, this.#unflushed - covered)
      },
      () => {
        this.#flushing = false
      },
    )
  }

  async #watch(handlers: TransportHandlers): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (this.#closed) return
      if (status.type === 'slowConsumer') this.#slowConsumers++
      else if (status.type === 'disconnect' || status.type === 'staleConnection') this.#set(false, handlers)
      else if (status.type === 'reconnect') this.#set(true, handlers)
    }
  }

  #set(connected: boolean, handlers: TransportHandlers): void {
    if (this.#connected === connected) return
    this.#connected = connected
    this.#unflushed = 0
    if (!connected) this.#disconnects++
    handlers.onConnection(connected)
  }
}
