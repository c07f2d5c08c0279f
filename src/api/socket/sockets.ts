/**
 * The WebSockets of a gateway: `upgrade` of `/v1/ws` and `/ws` in, connections out. What is refused is refused before the
 * handshake, with a problem object over the raw socket.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { TricordError } from '../../base/errors.ts'
import { invalid } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { DEFAULT_NAMESPACE, newRequestId } from '../request.ts'
import { namespaceName, validate } from '../schemas.ts'
import { readToken } from '../session-token.ts'
import { Connection } from './connection.ts'
import { type FrameCodec, PROTOCOLS, codecFor } from './frames.ts'
import { Link } from './link.ts'
import { SOCKET_PATHS, refuseSocket } from './refusal.ts'

/** RFC 6455, 7.4.1. */
const GOING_AWAY = 1001

export interface SocketsOptions {
  readonly frameBytesMax: number
  readonly onBug: (error: unknown) => void
}

interface Terms {
  readonly codec: FrameCodec
  readonly namespace: string
  readonly session: string | null
}

interface Socket {
  readonly link: Link
  readonly connection: Connection
}

export class Sockets {
  readonly #gateway: Gateway
  readonly #options: SocketsOptions
  readonly #handshake: WebSocketServer
  readonly #sockets = new Set<Socket>()
  #requestId = ''
  #closing: (() => void) | null = null

  constructor(gateway: Gateway, options: SocketsOptions) {
    this.#gateway = gateway
    this.#options = options
    this.#handshake = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytesMax,
      handleProtocols: (offered) => codecFor(offered)?.protocol ?? false,
    })
    this.#handshake.on('wsClientError', (error, socket, { method }) => this.#refuse(socket, error, method === 'GET' ? 400 : 405))
    this.#handshake.on('headers', (headers) => {
      headers.push(`Tricord-Request-Id: ${this.#requestId}`, `Tricord-Node: ${gateway.backend.node}`)
    })
  }

  /** The listener of the HTTP server's `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const requestId = newRequestId(this.#gateway.backend.random)
    try {
      if (this.#closing) throw new TricordError('STARTING', 'this node is stopping')
      const terms = termsOf(request)
      this.#requestId = requestId
      this.#handshake.handleUpgrade(request, socket, head, (peer) => this.#connect(peer, terms, requestId))
    } catch (error) {
      if (!(error instanceof TricordError)) throw error
      refuseSocket(socket, error, { requestId, node: this.#gateway.backend.node })
    }
  }

  /** What came asks for a WebSocket, but not as RFC 6455 has it. */
  #refuse(socket: Duplex, error: Error, status: 400 | 405): void {
    const refusal = new TricordError('INVALID_ARGUMENT', `not the handshake of a WebSocket: ${error.message}`)
    const headers = status === 405 ? ['Allow: GET'] : ['Sec-WebSocket-Version: 13']
    refuseSocket(socket, refusal, { requestId: this.#requestId, node: this.#gateway.backend.node, status, headers })
  }

  /** Says goodbye to every peer; who has not answered within `withinMs` is cut. */
  close(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cut = this.#gateway.backend.clock.after(withinMs, () => {
        for (const { link } of this.#sockets) link.terminate()
      })
      this.#closing = () => {
        cut.cancel()
        resolve()
      }
      for (const { link, connection } of this.#sockets) {
        connection.end()
        link.close(GOING_AWAY, 'this node is stopping')
      }
      if (this.#sockets.size === 0) this.#closing()
    })
  }

  #connect(peer: WebSocket, { codec, namespace, session }: Terms, requestId: string): void {
    const { backend, metrics } = this.#gateway
    const link = new Link(peer, backend.clock, codec.protocol === 'tricord.v1.msgpack', () => connection.writableChanged())
    const connection: Connection = new Connection(this.#gateway, codec, link, { requestId, namespace, session, onBug: this.#options.onBug })
    const socket: Socket = { link, connection }
    this.#sockets.add(socket)
    metrics.sockets.inc()
    peer.on('message', (data: Buffer, isBinary) => {
      link.heard()
      connection.receive(data, isBinary)
    })
    peer.on('pong', () => link.heard())
    // What a broken or oversized frame brings about: `ws` closes with the code for it, and `close` follows.
    peer.on('error', () => connection.end())
    peer.on('close', () => {
      connection.end()
      link.end()
      this.#sockets.delete(socket)
      metrics.sockets.dec()
      if (this.#sockets.size === 0) this.#closing?.()
    })
  }
}

/** Throws what refuses the handshake. */
function termsOf(request: IncomingMessage): Terms {
  const target = request.url ?? '/'
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  if (!SOCKET_PATHS.includes(path)) throw new TricordError('NOT_FOUND', `no WebSocket at ${path}; it is at /v1/ws`)
  const codec = codecFor((request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim()))
  if (!codec) throw invalid([{ path: 'Sec-WebSocket-Protocol', message: `must offer one of ${PROTOCOLS.join(', ')}` }])
  const namespace = validate(namespaceName, request.headers['tricord-namespace'] ?? DEFAULT_NAMESPACE, 'Tricord-Namespace')
  const header = request.headers['tricord-session']
  const session = typeof header === 'string' ? header : new URLSearchParams(at < 0 ? '' : target.slice(at)).get('session')
  if (session !== null) readToken(session)
  return { codec, namespace, session }
}
