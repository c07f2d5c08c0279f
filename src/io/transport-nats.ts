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
 *  4. `publish` throws where a server that it came to later takes less than the first one did: the limit is the present
 *     server's, and a frame made for a larger one is dropped and counted.
 *  5. Two refused log-ins in a row would close the connection for good: it goes on trying, and says so (`onWarning`).
 */
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { type PeerCertificate, checkServerIdentity } from 'node:tls'
import {
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
  TimeoutError,
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import type { Incarnation, NodeId } from '../base/ids.ts'
import type { Transport, TransportHandlers } from './transport.ts'

/** What a NATS server takes by default. Larger envelopes go in pieces (`actors/pieces.ts`). */
const PAYLOAD_BYTES_MAX = 1_048_576
/** Room for the protocol line of a message. */
const PROTOCOL_SLACK_BYTES = 1024
const OUTGOING_BYTES_MAX = 64 * 1024 * 1024
/** Of one server, whenever it is dialed: while a node runs, the next one is not to wait long for it. */
const DIAL_MS = 1_000
/** At start a server that does not answer in time (it is slow, or this machine is busy) is dialed so often; one that refuses, once. */
const FIRST_TRIES = 5
/** Of a node's id and a cluster's name: one token of a subject each. */
const SUBJECT_WORD = /^[A-Za-z0-9_-]+$/
const NKEY_SEED = /^S[A-Z2-7]{57}$/

export interface NatsOptions {
  readonly servers: readonly string[]
  readonly user: string
  readonly password: string
  readonly token: string
  /** A .creds file (JWT and nkey), or the seed of an nkey alone. */
  readonly credentialsFile: string
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string }
  /** What the server refuses while the node runs (permissions, log-ins) and what the connection goes through. */
  readonly onWarning?: (message: string) => void
}

export interface NatsStats {
  /** Also counts each time the server cut a node off that read too slowly: the client is told no more than that. */
  readonly disconnects: number
  /** Frames dropped because the connection was down, its buffer full, or the server's limit smaller than the frame. */
  readonly dropped: number
  /** Refusals of the server: permissions, log-ins, protocol. */
  readonly errors: number
}

export interface NatsTransport extends Transport {
  readonly stats: NatsStats
}

/** NATS did not answer, or refused; the caller may try again later (main exits with 75). */
export class NatsUnavailableError extends Error {
  override readonly name = 'NatsUnavailableError'
}

/** Settings that can never work, whatever the server does (main exits with 2). */
export class NatsOptionsError extends Error {
  override readonly name = 'NatsOptionsError'
}

export async function connectNats(cluster: string, node: NodeId, incarnation: Incarnation, options: NatsOptions): Promise<NatsTransport> {
  for (const word of [cluster, node]) if (!SUBJECT_WORD.test(word)) throw new Error(`not a word of a NATS subject: ${word}`)
  const settings = await connectionOptions(node, options)
  let connection: NatsConnection
  try {
    connection = await connectFirst(settings)
    if (options.servers.length > 1) connection = await withAllServers(connection, settings)
  } catch (error) {
    throw new NatsUnavailableError(
      `no NATS server at ${options.servers.join(', ')}: ${String(error instanceof Error ? error.message : error)}`,
      { cause: error },
    )
  }
  return new Nats(cluster, node, incarnation, connection, options.onWarning ?? (() => undefined))
}

/** Again, not longer: how long one dial may take is the same for all to come. */
async function connectFirst(settings: ConnectionOptions, triesLeft = FIRST_TRIES - 1): Promise<NatsConnection> {
  try {
    return await connect(settings)
  } catch (error) {
    if (!(error instanceof TimeoutError) || triesLeft === 0) throw error
    return connectFirst(settings, triesLeft - 1)
  }
}

/**
 * A first connection forgets the servers that it could not reach, for good. One that waits for its first connection keeps
 * them; that somebody answers, and takes these credentials, is known by then.
 */
async function withAllServers(first: NatsConnection, settings: ConnectionOptions): Promise<NatsConnection> {
  await first.close()
  return connect({ ...settings, waitOnFirstConnect: true })
}

async function connectionOptions(node: NodeId, options: NatsOptions): Promise<ConnectionOptions> {
  const { tls } = options
  for (const server of options.servers) {
    if (hostOf(server) === '') throw new NatsOptionsError(`nats.servers: ${server || 'an empty text'} is no address of a server`)
  }
  for (const file of [options.credentialsFile, tls.caFile, tls.certFile, tls.keyFile]) await checkReadable(file)
  const authenticator: Authenticator[] = []
  if (options.credentialsFile) authenticator.push(await fileAuthenticator(options.credentialsFile))
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
    timeout: DIAL_MS,
    reconnectTimeWait: 50,
    reconnectJitter: 20,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    pingInterval: 1_000,
    maxPingOut: 2,
    ...(authenticator.length > 0 && { authenticator }),
    ...(Object.keys(files).length > 0 && { tls: { ...files, ...identityByAddress(options.servers) } }),
  }
}

async function checkReadable(file: string): Promise<void> {
  if (file === '') return
  await access(file, constants.R_OK).catch((error: Error) => {
    throw new NatsOptionsError(`a file of the nats settings cannot be read: ${error.message}`)
  })
}

/** The client leaves the name of a server that is given by its address out: its certificate has to be for one of the addresses. */
function identityByAddress(servers: readonly string[]): object {
  const addresses = servers.map(hostOf).filter((host) => isIP(host) !== 0)
  if (addresses.length === 0) return {}
  return {
    checkServerIdentity(name: string, certificate: PeerCertificate): Error | undefined {
      const error = checkServerIdentity(name, certificate)
      if (!error || name !== 'localhost') return error
      return addresses.some((address) => !checkServerIdentity(address, certificate)) ? undefined : error
    },
  }
}

/** '' where it is no address. */
function hostOf(server: string): string {
  if (isIP(server) !== 0) return server
  const url = server.includes('://') ? server : `nats://${server}`
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : ''
}

async function fileAuthenticator(path: string): Promise<Authenticator> {
  const content = await readFile(path)
  const seed = content.toString('latin1').trim()
  return NKEY_SEED.test(seed) ? nkeyAuthenticator(new TextEncoder().encode(seed)) : credsAuthenticator(content)
}

class Nats implements NatsTransport {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly #connection: NatsConnection
  readonly #onWarning: (message: string) => void
  readonly #prefix: string
  /** The subject of each peer's latest life. */
  readonly #subjects = new Map<NodeId, { readonly incarnation: Incarnation; readonly subject: string }>()
  #connected = true
  #closed = false
  #disconnects = 0
  #dropped = 0
  #errors = 0
  #lastError = ''
  /** Bytes published since the last confirmed flush: what may still be in the client's buffer. */
  #unflushed = 0
  #flushing = false

  constructor(cluster: string, node: NodeId, incarnation: Incarnation, connection: NatsConnection, onWarning: (message: string) => void) {
    this.node = node
    this.incarnation = incarnation
    this.#connection = connection
    this.#onWarning = onWarning
    this.#prefix = `tricord.${cluster}`
  }

  /** While there is no server, what most of them take: nothing is sent then anyway. */
  get frameBytesMax(): number {
    return Math.min(PAYLOAD_BYTES_MAX, this.#connection.info?.max_payload ?? PAYLOAD_BYTES_MAX) - PROTOCOL_SLACK_BYTES
  }

  get connected(): boolean {
    return this.#connected && !this.#closed && !this.#connection.isClosed()
  }

  get stats(): NatsStats {
    return { disconnects: this.#disconnects, dropped: this.#dropped, errors: this.#errors }
  }

  send(to: NodeId, incarnation: Incarnation, frame: Uint8Array): void {
    let known = this.#subjects.get(to)
    if (known?.incarnation !== incarnation) {
      if (!SUBJECT_WORD.test(to)) return void this.#dropped++
      known = { incarnation, subject: `${this.#prefix}.node.${to}.${incarnation}` }
      this.#subjects.set(to, known)
    }
    this.#publish(known.subject, frame)
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
    if (!this.connected || frame.length > this.frameBytesMax || this.#unflushed + frame.length > OUTGOING_BYTES_MAX) {
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
      if (status.type === 'error') this.#warn(status.error.message)
      else if (status.type === 'ldm') this.#onWarning(`NATS ${status.server} is about to stop`)
      else if (status.type === 'disconnect' || status.type === 'staleConnection' || status.type === 'close') this.#set(false, handlers)
      else if (status.type === 'reconnect') this.#set(true, handlers)
    }
  }

  /** Refusals come in storms (one per publish); each is counted, and the same one is told once until another comes. */
  #warn(message: string): void {
    this.#errors++
    if (message === this.#lastError) return
    this.#lastError = message
    this.#onWarning(`NATS refuses: ${message}`)
  }

  #set(connected: boolean, handlers: TransportHandlers): void {
    if (this.#connected === connected) return
    this.#connected = connected
    this.#unflushed = 0
    if (!connected) this.#disconnects++
    this.#lastError = ''
    this.#onWarning(connected ? `NATS is back: ${this.#connection.getServer()}` : 'NATS is lost; nothing is sent or heard until it is back')
    handlers.onConnection(connected)
  }
}
