/**
 * The HTTP application: a function from a gateway to a Hono app, tested with `app.request()` and no socket.
 *
 * Every answer carries Tricord-Request-Id and Tricord-Node; every failure is a problem object. Headers are set before the
 * handler runs: setting them afterwards rebuilds the response, at half the throughput.
 */
import { Hono } from 'hono'
import { AssertionError } from '../base/assert.ts'
import { TricordError } from '../base/errors.ts'
import { invalid, problemResponse } from './errors.ts'
import type { Gateway } from './gateway.ts'
import { type Call, type Env, answerHeaders, newRequestId, tooLarge } from './request.ts'
import { cacheRoutes, isBatchPath } from './routes/caches.ts'
import { clusterRoutes, ringRoutes } from './routes/cluster.ts'
import { docsRoutes } from './routes/docs.ts'
import { healthRoutes } from './routes/health.ts'
import { lockRoutes } from './routes/locks.ts'
import { queueRoutes } from './routes/queues.ts'
import { requestRoutes } from './routes/requests.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { transactionRoutes } from './routes/transactions.ts'
import { SOCKET_PATHS } from './socket/refusal.ts'

export interface AppHooks {
  /** A failure that is nobody's refusal: a bug. The answer is a 500, the process decides what it means. */
  readonly onBug: (error: unknown) => void
}

export function createApp(gateway: Gateway, hooks: AppHooks): Hono<Env> {
  const app = new Hono<Env>()
  app.use('*', (c, next) => enter(c, gateway, next))
  for (const prefix of ['/v1', '']) {
    lockRoutes(app, gateway, prefix)
    healthRoutes(app, gateway, prefix)
    clusterRoutes(app, gateway, prefix)
  }
  sessionRoutes(app, gateway, '/v1')
  ringRoutes(app, gateway, '/v1')
  requestRoutes(app, gateway, '/v1')
  queueRoutes(app, gateway, '/v1')
  transactionRoutes(app, gateway, '/v1')
  cacheRoutes(app, gateway, '/v1')
  docsRoutes(app, gateway)
  for (const path of SOCKET_PATHS) app.get(path, (c) => upgradeRequired(c, gateway))
  app.notFound((c) => notFound(c, app, gateway))
  app.onError((error, c) => refuse(error, c, gateway, hooks))
  return app
}

async function enter(c: Call, gateway: Gateway, next: () => Promise<void>): Promise<Response | undefined> {
  const { backend, metrics, settings, startSpan } = gateway
  const requestId = newRequestId(backend.random)
  c.set('requestId', requestId)
  const bodyBytesMax = isBatchPath(c.req.path) ? settings.batchBytesMax : settings.bodyBytesMax
  c.set('bodyBytesMax', bodyBytesMax)
  c.header('Tricord-Request-Id', requestId)
  c.header('Tricord-Node', backend.node)
  const span =
    startSpan?.(c.req.method, c.req.header('traceparent') ?? null, { 'http.request.method': c.req.method, 'url.path': c.req.path }) ?? null
  c.set('span', span)
  c.set('traceparent', span?.traceparent ?? '')
  const began = backend.clock.now()
  const refusal = refusalOf(c, bodyBytesMax)
  const refused = refusal === null ? undefined : problemResponse(refusal, requestId, answerHeaders(c, gateway))
  if (refused === undefined) await next()
  const { status } = refused ?? c.res
  metrics.requests.inc({ method: c.req.method, status })
  metrics.requestSeconds.observe((backend.clock.now() - began) / 1_000)
  // The route is known only now; the name of a lock does not belong into the name of a span.
  span?.rename(`${c.req.method} ${c.req.routePath}`)
  span?.end({ 'http.response.status_code': status }, status >= 500 ? `HTTP ${status}` : undefined)
  return refused
}

const NOT_DECODABLE = 'malformed percent-encoding, or no UTF-8'

/** What no route is to see. */
function refusalOf(c: Call, bodyBytesMax: number): TricordError | null {
  const length = Number(c.req.header('content-length') ?? 0)
  if (length > bodyBytesMax) return tooLarge(`has ${length} bytes`, bodyBytesMax)
  const query = c.req.url.indexOf('?')
  if (!isDecodable(c.req.path)) return invalid([{ path: 'path', message: NOT_DECODABLE }])
  // Whoever reads it would take it for literal text.
  if (query > 0 && !isDecodable(c.req.url.slice(query))) return invalid([{ path: 'query', message: NOT_DECODABLE }])
  return null
}

function isDecodable(encoded: string): boolean {
  try {
    if (encoded.includes('%')) decodeURIComponent(encoded)
    return true
  } catch {
    return false
  }
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']

/** A path that exists with another method is 405 with `Allow`, which is all that OPTIONS asks for; the code stays one of the table. */
function notFound(c: Call, app: Hono<Env>, gateway: Gateway): Response {
  const found = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 1)
  const allowed = found.includes('GET') ? ['HEAD', ...found] : found
  const headers = answerHeaders(c, gateway)
  if (allowed.length === 0) {
    return problemResponse(
      new TricordError('NOT_FOUND', `no such path: ${c.req.method} ${c.req.path}; GET /docs lists them`),
      c.get('requestId'),
      headers,
    )
  }
  if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: { ...headers, allow: allowed.join(', ') } })
  const error = new TricordError('INVALID_ARGUMENT', `${c.req.path} takes ${allowed.join(', ')}, not ${c.req.method}`)
  return problemResponse(error, c.get('requestId'), { ...headers, allow: allowed.join(', ') }, 405)
}

/** A WebSocket's path, asked for without an upgrade. */
function upgradeRequired(c: Call, gateway: Gateway): Response {
  const error = new TricordError('INVALID_ARGUMENT', 'this is a WebSocket: ask for the upgrade, with one of its subprotocols')
  return problemResponse(error, c.get('requestId'), { ...answerHeaders(c, gateway), upgrade: 'websocket' }, 426)
}

function refuse(error: Error, c: Call, gateway: Gateway, hooks: AppHooks): Response {
  const headers = answerHeaders(c, gateway)
  if (error instanceof TricordError) return problemResponse(error, c.get('requestId'), headers)
  hooks.onBug(error)
  const what = error instanceof AssertionError ? 'a broken invariant' : 'an internal error'
  return problemResponse(new TricordError('UNKNOWN_OUTCOME', `${what}; the node’s log has it`), c.get('requestId'), headers, 500)
}
