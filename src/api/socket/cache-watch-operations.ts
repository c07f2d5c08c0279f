/** `cache.subscribe`, `cache.unsubscribe`, and `cache.beat`: what a subscription knows now, for who counts its lease from when it asked. */
import { subscribeCacheBody } from '../cache-schemas.ts'
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

function beat(call: SocketCall, { cacheSubscriptions }: Caller): void {
  const { sub } = call.body(unsubscribeBody, false)
  call.answer(cacheSubscriptions.get(sub).state())
}
