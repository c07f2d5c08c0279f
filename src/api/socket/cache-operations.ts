/** `cache.*`: the calls of `/caches/{c}/entries/{key}`. Over MessagePack values may be bytes, both ways. */
import { TricordError } from '../../base/errors.ts'
import type { CacheCallOptions, Caches, Condition, EntryName, LentRead } from '../../cache/types.ts'
import { type CacheScope, ask, cacheKey, noEntry, putMeaning } from '../cache-calls.ts'
import { type PutBody, deleteBody, entryBody, incrementEntryBody, putBody } from '../cache-schemas.ts'
import { newValue, shownValue } from '../cache-values.ts'
import { invalid } from '../errors.ts'
import type { Members, SocketCall } from './call.ts'
import type { Caller } from './operations.ts'

/** Of a connection: values on their way out that the peer has not taken; far from where it is cut, also where JSON makes them longer. */
export const UNREAD_VALUES_BYTES_MAX = 8_388_608

export const cacheOperations = { 'cache.get': get, 'cache.put': put, 'cache.delete': remove, 'cache.incr': increment }

type Run<T> = (caches: Caches, options: CacheCallOptions) => Promise<T>

function answer<T>(call: SocketCall, { gateway }: Caller, what: string, scope: CacheScope, run: Run<T>, of: (found: T) => Members): void {
  ask(gateway, what, scope, run).then(
    (found) => call.attempt(() => call.answer(of(found))),
    (error: unknown) => call.fail(error),
  )
}

function entryOf(call: SocketCall, key: string): EntryName {
  const { namespace, cache } = call.cacheName()
  return { namespace, cache, key }
}

const reading = (call: SocketCall): CacheScope => ({ key: undefined, traceparent: call.span ? call.traceparent : '' })

function writing(call: SocketCall, name: EntryName, verb: string, meaning: () => unknown): CacheScope {
  const key = cacheKey(name, call.idempotencyKey(), verb, meaning, 'idempotencyKey')
  return { key, traceparent: call.span ? call.traceparent : '' }
}

function get(call: SocketCall, caller: Caller): void {
  const name = entryOf(call, call.cacheBody(entryBody).key)
  const { carriesBytes, takesValue } = caller
  const borrower = caller.cacheSubscriptions.borrower(name)
  const run: Run<LentRead> = async (caches, options) =>
    borrower === null ? { read: await caches.get(name, options), lent: () => null } : borrower.get(name, options)
  answer(call, caller, 'get', reading(call), run, ({ read, lent }) => {
    const { entry, line, hit } = read
    if (entry === null) throw noEntry(name, read)
    if (!takesValue(entry.value.length)) throw unread()
    const { data, encoding, contentType, version } = shownValue(entry, carriesBytes)
    const found = { data, encoding, contentType, version, line, cache: hit ? 'hit' : 'miss' }
    return borrower === null ? found : { ...found, ...lentMembers(borrower.options.sub, lent()) }
  })
}

/** Whether it may be kept, under which subscription's lease. */
function lentMembers(sub: string, lent: ReturnType<LentRead['lent']>): Members {
  if (lent === null) return { lent: false }
  const { leaseMs, ttlMs } = lent
  return { lent: true, sub, leaseMs, ...(ttlMs !== null && { ttlMs: Math.floor(ttlMs) }) }
}

/** Whoever asks for more than it reads would have it kept here. */
function unread(): TricordError {
  const bytesMax = UNREAD_VALUES_BYTES_MAX
  return new TricordError('OVERLOADED', `${bytesMax} bytes of values are on their way to this connection: read them first`, { bytesMax })
}

function put(call: SocketCall, caller: Caller): void {
  const body = call.cacheBody(putBody)
  const name = entryOf(call, body.key)
  const [value, condition, loadToken] = [newValue(body, ''), conditionIn(body), body.loadToken ?? null]
  const scope = writing(call, name, 'put', () => putMeaning(value, condition, loadToken))
  const run: Run<Awaited<ReturnType<Caches['put']>>> = (caches, options) => caches.put(name, value, condition, loadToken, options)
  answer(call, caller, 'put', scope, run, ({ version, created }) => ({ key: name.key, version, created }))
}

function conditionIn({ ifMatch, ifNoneMatch }: Pick<PutBody, 'ifMatch' | 'ifNoneMatch'>): Condition {
  if (ifMatch !== undefined && ifNoneMatch !== undefined) throw invalid([{ path: 'ifMatch', message: 'one of ifMatch and ifNoneMatch' }])
  if (ifNoneMatch !== undefined) return 'absent'
  return ifMatch === '*' ? 'present' : (ifMatch ?? null)
}

function remove(call: SocketCall, caller: Caller): void {
  const { key, ifMatch } = call.cacheBody(deleteBody)
  const name = entryOf(call, key)
  const condition = conditionIn({ ifMatch })
  const scope = writing(call, name, 'delete', () => ({ condition }))
  const run: Run<Awaited<ReturnType<Caches['delete']>>> = (caches, options) => caches.delete(name, condition, options)
  answer(call, caller, 'delete', scope, run, ({ existed, version }) => ({ existed, version }))
}

function increment(call: SocketCall, caller: Caller): void {
  const { key, by = 1 } = call.cacheBody(incrementEntryBody)
  const name = entryOf(call, key)
  const scope = writing(call, name, 'incr', () => ({ by }))
  const run: Run<Awaited<ReturnType<Caches['increment']>>> = (caches, options) => caches.increment(name, by, options)
  answer(call, caller, 'incr', scope, run, ({ value, version }) => ({ value, version }))
}
