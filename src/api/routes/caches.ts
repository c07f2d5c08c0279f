/** `/caches/{c}` and what is about several entries: configure, look, `:mget`, `:mput`, `:invalidate`, the lines of a key. */
import type { Hono } from 'hono'
import type { CacheConfig, CacheName } from '../../cache/types.ts'
import { ask, invalidateWhat, readMany, statusAnswer, valueMeaning } from '../cache-calls.ts'
import { cacheName, configBody, invalidateBody, mgetBody, mputBody } from '../cache-schemas.ts'
import { cacheOf, entryOf, reading, refuseConditions, writing } from '../cache-request.ts'
import { newEntries } from '../cache-values.ts'
import type { Gateway } from '../gateway.ts'
import { type Call, type Env, namespaceOf, param, queryOf, readJson } from '../request.ts'
import { emptyQuery, validate } from '../schemas.ts'
import { cacheEntryRoutes } from './cache-entries.ts'

/** Names may have colons themselves: the last one begins the verb. Some clients encode it. */
const CALLED = (verb: string): string => `:call{[^/]+(?::|%3[aA])${verb}}`
const MPUT = /^\/v1\/caches\/[^/]+(?::|%3a)mput$/i

/** A batch of values takes more than other calls. */
export const isBatchPath = (path: string): boolean => MPUT.test(path)

export function cacheRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  const at = `${prefix}/caches`
  app.post(`${at}/${CALLED('mget')}`, (c) => mget(c, gateway))
  app.post(`${at}/${CALLED('mput')}`, (c) => mput(c, gateway))
  app.post(`${at}/${CALLED('invalidate')}`, (c) => invalidate(c, gateway))
  app.put(`${at}/:cache`, (c) => configure(c, gateway))
  app.get(`${at}/:cache`, async (c) => {
    const name = cacheOf(c)
    validate(emptyQuery, queryOf(c))
    return c.json(statusAnswer(await ask(gateway, 'status', reading(c), (caches, options) => caches.status(name, options))))
  })
  app.get(`${at}/:cache/lines/:key`, async (c) => {
    const name = entryOf(c)
    validate(emptyQuery, queryOf(c))
    const view = await ask(gateway, 'line', reading(c), (caches, options) => caches.line(name, options))
    const { key, version, home, partition, busy, waitsFor, nodes, unanswered, lastInvalidation } = view
    return c.json({ key, version, home, partition, busy, waitsFor, nodes, unanswered, lastInvalidation })
  })
  cacheEntryRoutes(app, gateway, prefix)
}

function calledOf(c: Call): CacheName {
  const call = param(c, 'call')
  return { namespace: namespaceOf(c), cache: validate(cacheName, call.slice(0, call.lastIndexOf(':')), 'cache') }
}

async function mget(c: Call, gateway: Gateway): Promise<Response> {
  const name = calledOf(c)
  refuseConditions(c)
  const { keys } = validate(mgetBody, await readJson(c))
  return c.json(await readMany(gateway, name, keys, reading(c)))
}

async function mput(c: Call, gateway: Gateway): Promise<Response> {
  const name = calledOf(c)
  refuseConditions(c)
  const entries = newEntries(validate(mputBody, await readJson(c)).entries)
  const scope = writing(c, name, 'mput', () => entries.map(({ key, value }) => [key, valueMeaning(value)]))
  const results = await ask(gateway, 'mput', scope, (caches, options) => caches.putMany(name, entries, options))
  return c.json({ results })
}

async function invalidate(c: Call, gateway: Gateway): Promise<Response> {
  const name = calledOf(c)
  refuseConditions(c)
  const what = invalidateWhat(validate(invalidateBody, await readJson(c)))
  const scope = writing(c, name, 'invalidate', () => what)
  const { invalidated } = await ask(gateway, 'invalidate', scope, (caches, options) => caches.invalidate(name, what, options))
  return c.json({ invalidated })
}

async function configure(c: Call, gateway: Gateway): Promise<Response> {
  const name = cacheOf(c)
  refuseConditions(c)
  const body = validate(configBody, await readJson(c)) as Partial<CacheConfig>
  const scope = writing(c, name, 'configure', () => body)
  const { created, config } = await ask(gateway, 'configure', scope, (caches, options) => caches.configure(name, body, options))
  return c.json({ cache: name.cache, created, config }, created ? 201 : 200)
}
