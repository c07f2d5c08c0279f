/**
 * `cache.subscribe`, `cache.unsubscribe`, and `cache.beat`: what a subscription knows now, for who counts its lease from when it
 * asked, and acknowledges what it was told.
 */
import { cacheBeatBody, subscribeCacheBody } from '../cache-schemas.ts'
import { unsubscribeBody } from '../queue-schemas.ts'
import type { SocketCall } from './call.ts'
import type { Caller } from './operations.ts'

export const cacheWatchOperations = { 'cache.subscribe': subscribe, 'cache.unsubscribe': unsubscribe, 'cache.beat': beat }

function subscribe(call: SocketCall, { cacheSubscriptions }: Caller): void {
  const name = call.cacheName()
  const body = call.cacheBody(subscribeCacheBody)
  cacheSubscriptions.add(name, body, (result) => call.answer(result)).catch((error: unknown) => call.fail(error))
}

function unsubscribe(call: SocketCall, { cacheSubscriptions }: Caller): void {
  const { sub } = call.body(unsubscribeBody, false)
  cacheSubscriptions.remove(sub)
  call.answer({ unsubscribed: true })
}

function beat(call: SocketCall, { cacheSubscriptions, gateway }: Caller): void {
  const { sub, seq } = call.body(cacheBeatBody, false)
  const state = cacheSubscriptions.get(sub).beat(seq, gateway.settings.commandTimeoutMs)
  state.then((known) => call.answer(known)).catch((error: unknown) => call.fail(error))
}
