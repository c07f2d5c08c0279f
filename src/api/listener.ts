/**
 * The app as a listener of Node's HTTP server. What Node and the adapter would refuse by themselves, without a word, is refused
 * like everything else: a problem object, under the two headers that every answer has.
 */
import { type Server, createServer } from 'node:http'
import { type HttpBindings, RequestError, getRequestListener } from '@hono/node-server'
import { TricordError } from '../base/errors.ts'
import type { Backend } from './backend.ts'
import { problemResponse } from './errors.ts'
import { newRequestId } from './request.ts'

export interface ListenerOptions {
  /** The thread is the gateway's alone: `Response` may be replaced there by one without streams, at half the cost. */
  readonly ownThread: boolean
  readonly onBug: (error: unknown) => void
}

export type Listener = (request: HttpBindings['incoming'], response: HttpBindings['outgoing']) => Promise<unknown>

export function listenerOf(fetch: Parameters<typeof getRequestListener>[0], backend: Backend, options: ListenerOptions): Listener {
  const errorHandler = (error: unknown): Response => {
    const isRefusal = error instanceof RequestError
    if (!isRefusal) options.onBug(error)
    const refusal = isRefusal
      ? new TricordError('INVALID_ARGUMENT', `this is no HTTP request: ${error.message}`)
      : new TricordError('UNKNOWN_OUTCOME', 'an internal error; the node’s log has it')
    const requestId = newRequestId(backend.random)
    return problemResponse(refusal, requestId, { 'tricord-request-id': requestId, 'tricord-node': backend.node }, isRefusal ? 400 : 500)
  }
  return getRequestListener(fetch, { overrideGlobalObjects: options.ownThread, errorHandler })
}

export function serverOf(listener: Listener): Server {
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    // HTTP/1.0 has no Host, and probes still speak it.
    if (request.httpVersion === '1.0') request.headers.host ??= 'localhost'
    void listener(request, response)
  })
  // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  return server
}
