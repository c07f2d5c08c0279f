/**
 * `/caches/{c}/entries/{key}`: put, get, delete, incr, load. Values are raw bytes, both ways.
 *
 * What is given back was somebody's: a browser is neither to guess what it is nor to run it, and asks again before it uses its own copy.
 */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import { CACHE_LIMITS, type CacheRead, type EntryName, type NewValue } from '../../cache/types.ts'
import { ask, handOn, noEntry, putMeaning } from '../cache-calls.ts'
import { entryOf, reading, refuseConditions, writing } from '../cache-request.ts'
import { incrementBody, loadBody, putQuery, putType } from '../cache-schemas.ts'
import { BYTES_TYPE, once } from '../cache-values.ts'
import { problemResponse } from '../errors.ts'
import { conditionOf, etagOf, knownVersions, refuseCondition } from '../etags.ts'
import type { Gateway } from '../gateway.ts'
import { Wait, answerWithinMs, noAnswerYet, within } from '../long-calls.ts'
import { type Call, type Env, answerHeaders, isGone, queryOf, readBytes, readJson } from '../request.ts'
import { emptyQuery, validate } from '../schemas.ts'

export function cacheEntryRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  const at = `${prefix}/caches/:cache/entries/:key`
  app.put(at, (c) => put(c, gateway))
  // HEAD too: the same without the body.
  app.get(at, (c) => get(c, gateway))
  app.delete(at, (c) => remove(c, gateway))
  app.post(`${at}/incr`, (c) => increment(c, gateway))
  app.post(`${at}/load`, (c) => load(c, gateway))
}

async function put(c: Call, gateway: Gateway): Promise<Response> {
  const name = entryOf(c)
  const { loadToken = null, ttlMs = null, slidingMs = 0, tags = [] } = validate(putQuery, queryOf(c))
  const condition = conditionOf(c.req.header('if-match'), c.req.header('if-none-match'))
  const contentType = typeOf(c)
  const bytes = await readBytes(c, Math.min(c.get('bodyBytesMax'), CACHE_LIMITS.valueBytesMax))
  const value: NewValue = { value: bytes, contentType, ttlMs, slidingMs, tags: once(tags) }
  const scope = writing(c, name, 'put', () => putMeaning(value, condition, loadToken))
  const { version, created } = await ask(gateway, 'put', scope, (caches, options) => caches.put(name, value, condition, loadToken, options))
  return c.json({ key: name.key, version }, created ? 201 : 200, { etag: etagOf(version) })
}

/** What is kept is what came: a coding would be lost on the way back. */
function typeOf(c: Call): string {
  const coding = c.req.header('content-encoding')?.trim().toLowerCase() ?? ''
  if (coding !== '' && coding !== 'identity') {
    throw new TricordError(
      'UNSUPPORTED_TYPE',
      `values are kept as they come, without a Content-Encoding (${coding.slice(0, 64)}): name it in Content-Type`,
    )
  }
  return validate(putType, c.req.header('content-type') || BYTES_TYPE, 'Content-Type')
}

async function get(c: Call, gateway: Gateway): Promise<Response> {
  const name = entryOf(c)
  validate(emptyQuery, queryOf(c))
  refuseCondition('If-Match', c.req.header('if-match'), 'goes with PUT and DELETE; a read takes If-None-Match')
  const isKnown = knownVersions(c.req.header('if-none-match'))
  const read = await ask(gateway, 'get', reading(c), (caches, options) => caches.get(name, options))
  return answered(c, gateway, name, read, { isKnown, isStale: false })
}

interface Reading {
  isKnown(version: number): boolean
  readonly isStale: boolean
}

function answered(c: Call, gateway: Gateway, name: EntryName, read: CacheRead, { isKnown, isStale }: Reading): Response {
  const { entry, line, hit } = read
  const cached = hit ? 'hit' : 'miss'
  if (entry === null) {
    const headers = { ...answerHeaders(c, gateway), 'cache-control': 'no-cache', 'tricord-line': line, 'tricord-cache': cached }
    return problemResponse(noEntry(name, read), c.get('requestId'), headers)
  }
  const { value, version, contentType } = entry
  if (isStale) c.header('tricord-stale', 'true')
  if (isKnown(version)) {
    return c.body(null, 304, { etag: etagOf(version), 'cache-control': 'no-cache', 'tricord-line': line, 'tricord-cache': cached })
  }
  return c.body(value as Uint8Array<ArrayBuffer>, 200, {
    'content-type': contentType,
    'content-length': String(value.length),
    etag: etagOf(version),
    'tricord-line': line,
    'tricord-cache': cached,
    'cache-control': 'no-cache',
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
  })
}

async function remove(c: Call, gateway: Gateway): Promise<Response> {
  const name = entryOf(c)
  validate(emptyQuery, queryOf(c))
  refuseCondition('If-None-Match', c.req.header('if-none-match'), 'does not go with DELETE: nothing is deleted where there is none')
  const condition = conditionOf(c.req.header('if-match'), undefined)
  const scope = writing(c, name, 'delete', () => ({ condition }))
  await ask(gateway, 'delete', scope, (caches, options) => caches.delete(name, condition, options))
  return c.body(null, 204)
}

async function increment(c: Call, gateway: Gateway): Promise<Response> {
  const name = entryOf(c)
  refuseConditions(c)
  const { by = 1 } = validate(incrementBody, await readJson(c))
  const scope = writing(c, name, 'incr', () => ({ by }))
  const { value, version } = await ask(gateway, 'incr', scope, (caches, options) => caches.increment(name, by, options))
  return c.json({ value, version }, 200, { etag: etagOf(version) })
}

async function load(c: Call, gateway: Gateway): Promise<Response> {
  const name = entryOf(c)
  refuseConditions(c)
  const { waitMs = 0, staleOk = false, tags = [] } = validate(loadBody, await readJson(c))
  const how = { waitMs, staleOk, tags: once(tags) }
  const scope = writing(c, name, 'load', () => how)
  // Who named the request can come back for it; else what the caller does not hear of is the next one's.
  const wait = waitMs > 0 && scope.key === undefined ? new Wait(c.req.raw.signal) : null
  const leaving = new AbortController()
  wait?.begin(() => leaving.abort())
  const loading = ask(gateway, 'load', scope, (caches, options) =>
    caches.load(name, how, wait === null ? options : { ...options, signal: leaving.signal }),
  ).then((found) => {
    const isUnheard = wait?.isGivenUp || (scope.key === undefined && isGone(c))
    if (found.type === 'load' && isUnheard) handOn(gateway, name, found.loadToken)
    return found
  })
  const outcome = await (waitMs === 0 ? loading : within(gateway.backend.clock, loading, answerWithinMs(waitMs))).finally(() => wait?.end())
  if (outcome === null) {
    wait?.giveUp()
    throw noAnswerYet()
  }
  if (outcome.type === 'load') return c.json({ loadToken: outcome.loadToken, leaseMs: outcome.leaseMs }, 202)
  return answered(c, gateway, name, outcome.read, { isKnown: () => false, isStale: outcome.stale })
}
