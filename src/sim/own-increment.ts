/** A client that keeps copies adds to a number, by way of any node and under a key of its own: so it goes through the log. */
import type { Caches } from '../cache/types.ts'
import { CACHE, type CacheContext, levelsOf } from './cache-workload.ts'

export interface OwnIncrement {
  readonly key: string
  readonly by: number
  readonly idempotencyKey: string
}

/** `done`: with the version that it made; null where nobody knows, or it did not happen. */
export function increment(context: CacheContext, { key, by, idempotencyKey }: OwnIncrement, done: (version: number | null) => void): void {
  const { history, attempts, options, cluster } = context
  const open = history.begin(key)
  attempts.run(
    ({ caches }, more) => caches.increment({ ...CACHE, key }, by, more),
    { timeoutMs: options.timeoutMs, key: idempotencyKey, cancelAfterMs: Infinity },
    (answer) => {
      const told = { kind: 'increment', by, tags: levelsOf(key, options).join(' '), at: cluster.world.now } as const
      if (answer.type === 'unknown') history.end(open, { ...told, result: 'unknown' }, false)
      if (answer.type !== 'reply') return done(null)
      const { version, value } = answer.reply as Awaited<ReturnType<Caches['increment']>>
      history.end(open, { ...told, result: { version, value } }, true)
      done(version)
    },
  )
}
