/** What the routes of caches read of a request: the cache, the key it is to be known by, and conditions that nobody looks at. */
import type { CacheName, EntryName } from '../cache/types.ts'
import { type CacheScope, cacheKey } from './cache-calls.ts'
import { cacheName, entryKey } from './cache-schemas.ts'
import { refuseCondition } from './etags.ts'
import { type Call, namespaceOf, param } from './request.ts'
import { validate } from './schemas.ts'

export const cacheOf = (c: Call): CacheName => ({ namespace: namespaceOf(c), cache: validate(cacheName, param(c, 'cache'), 'cache') })

export const entryOf = (c: Call): EntryName => ({
  namespace: namespaceOf(c),
  cache: validate(cacheName, param(c, 'cache'), 'cache'),
  key: validate(entryKey, param(c, 'key'), 'key'),
})

export const reading = (c: Call): CacheScope => ({ key: undefined, traceparent: c.get('traceparent') })

/** `meaning` is asked for only where the call has a key. */
export function writing(c: Call, name: CacheName | EntryName, verb: string, meaning: () => unknown): CacheScope {
  const key = cacheKey(name, c.req.header('idempotency-key'), verb, meaning, 'Idempotency-Key')
  return { key, traceparent: c.get('traceparent') }
}

/** Of calls that would take no notice of them. */
export function refuseConditions(c: Call): void {
  refuseCondition('If-Match', c.req.header('If-Match'), 'goes with PUT and DELETE of an entry')
  refuseCondition('If-None-Match', c.req.header('If-None-Match'), 'goes with PUT, GET and HEAD of an entry')
}
