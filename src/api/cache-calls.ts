/** The calls of caches as the gateway offers them: what HTTP and WebSocket share. */
import { hash } from 'node:crypto'
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import {
  CACHE_LIMITS,
  type CacheCallOptions,
  type CacheEntry,
  type CacheName,
  type CacheRead,
  type CacheStatus,
  type Caches,
  type Condition,
  type EntryName,
  type InvalidateWhat,
  type NewValue,
} from '../cache/types.ts'
import { startSpan } from '../telemetry/tracing.ts'
import type { InvalidateBody } from './cache-schemas.ts'
import { once, shownValue, tooMany } from './cache-values.ts'
import { invalid } from './errors.ts'
import type { Gateway } from './gateway.ts'
import { idempotencyKey } from './request.ts'

type Answer = Record<string, unknown>

const KEYS_AT_ONCE = 64

/** How a call is known to the log and to traces. */
export interface CacheScope {
  readonly key: CacheCallOptions['idempotencyKey'] | undefined
  readonly traceparent: string
}

/** One call, under a span of its own where the request has one. */
export function ask<T>(
  gateway: Gateway,
  what: string,
  { key, traceparent }: CacheScope,
  run: (caches: Caches, options: CacheCallOptions) => Promise<T>,
): Promise<T> {
  const { backend, settings } = gateway
  const timeoutMs = settings.commandTimeoutMs
  const span = startSpan(`ask cache_${what}`, traceparent, 'client', { 'tricord.node': backend.node })
  if (!span) return run(backend.caches, optionsOf(timeoutMs, key, traceparent))
  const outcome = (name: string): void => span.end({ 'tricord.outcome': name })
  return run(backend.caches, optionsOf(timeoutMs, key, span.traceparent)).then(
    (value) => {
      outcome('done')
      return value
    },
    (error: unknown) => {
      outcome(error instanceof TricordError ? error.code : 'error')
      throw error
    },
  )
}

function optionsOf(timeoutMs: Millis, idempotencyKey: CacheScope['key'], traceparent: string): CacheCallOptions {
  if (idempotencyKey === undefined) return traceparent === '' ? { timeoutMs } : { timeoutMs, traceparent }
  return traceparent === '' ? { timeoutMs, idempotencyKey } : { timeoutMs, idempotencyKey, traceparent }
}

/** Of no version there will be. */
const NEVER: Condition = Number.MAX_SAFE_INTEGER - 1
const NOTHING: NewValue = { value: new Uint8Array(0), contentType: '', ttlMs: null, slidingMs: 0, tags: [] }

/** Who was to load it is gone: a put with its token that cannot be taken ends its load, and the next in line gets one. Else its lease does. */
export function handOn({ backend, settings }: Gateway, name: EntryName, loadToken: string): void {
  backend.caches.put(name, NOTHING, NEVER, loadToken, { timeoutMs: settings.commandTimeoutMs }).catch(() => {})
}

/** Keys of an entry's calls are its own: they live where it lives. Those of calls about several are the cache's. */
export function cacheKey(
  name: CacheName | EntryName,
  key: string | undefined,
  verb: string,
  meaning: () => unknown,
  field: string,
): CacheScope['key'] {
  if (key === undefined) return undefined
  const path = `${name.namespace}/caches/${name.cache}${'key' in name ? `/entries/${name.key}` : ''}`
  return idempotencyKey(path, key, [verb, path, meaning(), ''], field)
}

/** What a value means to a key: its bytes by their hash. */
export const valueMeaning = ({ value, ...rest }: NewValue): Answer => ({ ...rest, value: hash('sha256', value, 'base64url') })

/** What a put means: the same over HTTP and over WebSocket. */
export const putMeaning = (value: NewValue, condition: Condition, loadToken: string | null): Answer => ({
  ...valueMeaning(value),
  condition,
  loadToken,
})

export function invalidateWhat({ keys, prefix, tags, all }: InvalidateBody): InvalidateWhat {
  const named = [keys && { keys }, prefix !== undefined && { prefix }, tags && { tags: once(tags) }, all && { all }].filter((one) => !!one)
  const [what] = named
  if (what === undefined || named.length > 1) throw invalid([{ path: 'body', message: 'one of keys, prefix, tags, all' }])
  return what
}

export function noEntry({ cache, key }: EntryName, { line, hit }: CacheRead): TricordError {
  return new TricordError('NOT_FOUND', `cache ${cache} has nothing under ${key}`, { line, cache: hit ? 'hit' : 'miss' })
}

/** Some at a time, so that values which nobody will be answered do not pile up here. Throws TOO_LARGE. */
export async function readMany(gateway: Gateway, name: CacheName, keys: readonly string[], scope: CacheScope): Promise<Answer> {
  const entries: Answer[] = []
  let left: number = CACHE_LIMITS.batchBytesMax
  for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
    const some = keys.slice(from, from + KEYS_AT_ONCE)
    const reads = await ask(gateway, 'mget', scope, (caches, options) => caches.getMany(name, some, options))
    for (const [at, key] of some.entries()) {
      const entry = reads[at]?.entry ?? null
      left -= entry?.value.length ?? 0
      if (left < 0) throw tooMany('the values')
      entries.push(entry === null ? { key, found: false } : foundAnswer(key, entry))
    }
  }
  return { entries }
}

function foundAnswer(key: string, entry: CacheEntry): Answer {
  const { data, encoding, contentType, version } = shownValue(entry, false)
  return { key, found: true, data, encoding, contentType, version }
}

/** Member by member: what a node says more than this is not of this version. */
export function statusAnswer(status: CacheStatus): Answer {
  const { cache, entries, bytes, memoryBytes, hits, misses, hitRatio, evictions, ...rest } = status
  const { lines, coherence, falseInvalidations, pingPong, unanswered, config } = rest
  const held = { cache, entries, bytes, memoryBytes, hits, misses, hitRatio, evictions }
  return { ...held, lines, coherence, falseInvalidations, pingPong, unanswered, config }
}
