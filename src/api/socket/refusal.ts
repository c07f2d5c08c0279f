/**
 * Refusals to a socket that no request handler has: before a WebSocket's handshake, and where what came is not HTTP. The
 * same problem object, under the same headers, as everywhere.
 */
import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TricordError } from '../../base/errors.ts'
import type { Backend } from '../backend.ts'
import { RETRY_AFTER_SECONDS, toProblem } from '../errors.ts'
import { newRequestId } from '../request.ts'

/** Where `upgrade` is served. */
export const SOCKET_PATHS: readonly string[] = ['/v1/ws', '/ws']

export interface RawRefusal {
  readonly requestId: string
  readonly node: string
  /** Where HTTP itself has a closer one than the code's. */
  readonly status?: number
  /** More of them, a line each. */
  readonly headers?: readonly string[]
}

/** Answers and hangs up. */
export function refuseSocket(socket: Duplex, error: TricordError, { requestId, node, status, headers = [] }: RawRefusal): void {
  const problem = toProblem(error, requestId, status)
  const body = JSON.stringify(problem)
  const lines = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Refused'}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Tricord-Request-Id: ${requestId}`,
    `Tricord-Node: ${node}`,
    'Connection: close',
    ...headers,
  ]
  if (problem.status === 429 || problem.status === 503) lines.push(`Retry-After: ${RETRY_AFTER_SECONDS}`)
  // A peer that is gone already has no use for the refusal.
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** Statuses that HTTP has for what its parser does not take; anything else is 400. */
const GARBLED: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** What came is no request, or stopped in the middle of one: the listener of the HTTP server's `clientError`. */
export function refuseGarbled(socket: Duplex, error: NodeJS.ErrnoException, { node, random }: Backend): void {
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse | null }
  // Half an answer is out already: nothing that came after it would be understood.
  if (error.code === 'ECONNRESET' || !socket.writable || answer?.headersSent) return void socket.destroy()
  const refusal = new TricordError('INVALID_ARGUMENT', `this is no HTTP request: ${error.message}`)
  refuseSocket(socket, refusal, { requestId: newRequestId(random), node, status: GARBLED[error.code ?? ''] ?? 400 })
}
