/**
 * The caches as a gateway sees them: every call goes to the cache of its own node, which has the lines. Calls about many keys
 * are many calls: they share frames, and one that is slow holds up no other.
 */
import type { ActorSystem } from '../actors/actor.ts'
import { type Plain, actorId } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import { CACHE_CALL, CACHE_PATH, decodeRead, valueOf } from './calls.ts'
import type { CacheCallOptions, Caches, EntryName, LoadOutcome, MputResult, NewValue } from './types.ts'

/** The node gives up first, and says why. */
export const SLACK_MS: Millis = 500

/**
 * What a put into a cache says to the log of its partition, as a command of that; for a transaction. Changes nothing. `isOwned`: the log
 * has said that a node writes the key alone: it gives it back first.
 */
export type PlanPut = (name: EntryName, value: NewValue, isOwned: boolean, options: CacheCallOptions) => Promise<Uint8Array>

export function createCaches(system: ActorSystem, node: NodeId): Caches & { readonly planPut: PlanPut } {
  const address = actorId(node, CACHE_PATH)
  // Several may ask one node.
  const gateway = system.random.below(2 ** 32)
  let waits = 0
  const call = async <T>({ timeoutMs, traceparent }: CacheCallOptions, waitMs: Millis, tuple: readonly unknown[]): Promise<T> => {
    const { payload } = await system.ask(address, CACHE_CALL, tuple as Plain[], timeoutMs + waitMs + SLACK_MS, traceparent)
    return valueOf(payload) as T
  }
  const ask = <T>(operation: string, options: CacheCallOptions, ...args: readonly unknown[]): Promise<T> =>
    call(options, 0, [operation, ...args, plainOptions(options)])
  const read = <T>(operation: string, options: CacheCallOptions, ...args: readonly unknown[]): Promise<T> =>
    certain(ask<T>(operation, options, ...args))
  const caches: Caches & { readonly planPut: PlanPut } = {
    get: async ({ namespace, cache, key }, options) =>
      decodeRead(await certain(call(options, 0, ['get', namespace, cache, key, options.timeoutMs]))),
    getMany: (name, keys, options) => Promise.all(keys.map((key) => caches.get({ ...name, key }, options))),
    put: (name, value, condition, loadToken, options) => ask('put', options, name, value, condition, loadToken),
    planPut: ({ namespace, cache, key }, value, isOwned, options) => read('plan_put', options, { namespace, cache, key }, value, isOwned),
    putMany: async (name, entries, options) => {
      const { clock } = system
      const until = clock.now() + options.timeoutMs
      // The keys of its entries lie where these lie: another call under this key might meet none of them.
      if (options.idempotencyKey !== undefined) await read<null>('begin', options, name)
      const timeoutMs = Math.max(1, until - clock.now())
      return Promise.all(
        entries.map(async ({ key, value }, nth): Promise<MputResult> => {
          try {
            const { version } = await caches.put({ ...name, key }, value, null, null, ofItem({ ...options, timeoutMs }, nth))
            return { key, version }
          } catch (error) {
            if (!(error instanceof TricordError)) throw error
            const { code, message, outcome } = error
            return { key, code, message, outcome }
          }
        }),
      )
    },
    delete: (name, condition, options) => ask('delete', options, name, condition),
    increment: (name, by, options) => ask('increment', options, name, by),
    invalidate: (name, what, options) => ask('invalidate', options, name, what),
    load: ({ namespace, cache, key }, how, options) => {
      const { signal } = options
      const wait = signal === undefined ? '' : `${gateway}/${++waits}`
      const loading = call<LoadOutcome>(options, how.waitMs, ['load', { namespace, cache, key }, how, wait, plainOptions(options)])
      if (signal === undefined) return loading
      // A wait that does not hear of it ends by itself.
      const giveUp = (): void => void call(options, 0, ['give_up', wait]).catch(() => {})
      if (signal.aborted) giveUp()
      else signal.addEventListener('abort', giveUp, { once: true })
      return loading.finally(() => signal.removeEventListener('abort', giveUp))
    },
    configure: (name, config, options) => ask('configure', options, name, config),
    status: (name, options) => read('status', options, name),
    line: (name, options) => read('line', options, name),
  }
  return caches
}

/** Reading changes nothing: that no answer came is no outcome to be unsure of. */
export async function certain<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (!(error instanceof TricordError) || error.code !== 'UNKNOWN_OUTCOME') throw error
    throw new TricordError('NO_QUORUM', 'the cache of this node did not answer in time')
  }
}

function plainOptions({ timeoutMs, idempotencyKey, traceparent }: CacheCallOptions): Plain {
  return { timeoutMs, idempotencyKey: idempotencyKey ?? null, traceparent: traceparent ?? '' }
}

/** Each entry of a batch is a write of its own, so it has a key of its own. */
function ofItem(options: CacheCallOptions, nth: number): CacheCallOptions {
  const { idempotencyKey } = options
  return idempotencyKey === undefined ? options : { ...options, idempotencyKey: { ...idempotencyKey, key: `${idempotencyKey.key}#${nth}` } }
}
