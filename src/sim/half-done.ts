/**
 * Invalidations of tags and levels of which nobody knows what became. Nodes may know already that entries are dead, while clients
 * with copies of their own hear it as each entry is swept, and no sweep may have come. So who asked asks again, in the end.
 */
import type { InvalidateWhat } from '../cache/types.ts'
import type { CacheContext } from './cache-workload.ts'
import { CACHE, keysOf } from './cache-workload.ts'

const RETRY_MS = 250

export class HalfDone {
  /** By the tag, or the prefix of the level. */
  readonly #all = new Map<string, InvalidateWhat>()

  add(tag: string, what: InvalidateWhat): void {
    this.#all.set(tag, what)
  }

  /** Each until it is answered. */
  repeat(context: CacheContext, done: () => void): void {
    const [first] = this.#all
    if (first === undefined) return done()
    const [tag, what] = first
    const { attempts, history, options, cluster } = context
    const opens = keysOf(options).map((key) => history.begin(key))
    const how = { timeoutMs: options.timeoutMs, key: '', cancelAfterMs: Infinity }
    attempts.run(
      ({ caches }, more) => caches.invalidate(CACHE, what, more),
      how,
      ({ type }) => {
        const known = type === 'reply'
        for (const open of opens) history.end(open, { kind: 'invalidate', tag, at: cluster.world.now, removed: null }, known)
        if (known) this.#all.delete(tag)
        cluster.world.at(known ? 0 : RETRY_MS, 'invalidated again', () => this.repeat(context, done))
      },
    )
  }
}
