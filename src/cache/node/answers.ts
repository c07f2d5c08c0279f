/**
 * Answers the calls of gateways and of other nodes.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import type { Plain } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { GroupHost, Directory as Nodes } from '../../raft/group-host.ts'
import { type CacheCall, encodeRead } from '../calls.ts'
import type { CacheCallOptions, CacheConfig, CacheName, Caches, EntryName, InvalidateWhat, LoadOutcome, NewValue } from '../types.ts'
import type { Coherence } from './coherence.ts'
import type { Inspector } from './inspector.ts'
import { Invalidations } from './invalidations.ts'
import { Lendings } from './lendings.ts'
import type { HowToLoad, Operations } from './operations.ts'
import { type WatchArgs, WatchRelay } from './watch-relay.ts'
import { type Writes, partOf } from './writes.ts'

export interface AnswersDeps {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: Nodes
  readonly writes: Writes
  readonly coherence: Coherence
  readonly operations: Operations
  readonly inspector: Inspector
}

type Args = never[]

export class Answers {
  readonly #deps: AnswersDeps
  readonly #invalidations: Invalidations
  /** Of callers that may leave before they are answered. */
  readonly #waits = new Map<string, AbortController>()
  readonly #handlers: Readonly<Record<string, (...args: Args) => unknown>>

  constructor(deps: AnswersDeps) {
    this.#deps = deps
    this.#invalidations = new Invalidations(deps.coherence, deps.writes)
    const { operations, inspector } = deps
    const relay = new WatchRelay({ ...deps, partitions: deps.writes.partitions })
    const handlers: Omit<Caches, 'getMany' | 'putMany' | 'get' | 'load'> = {
      put: (name, value, condition, loadToken, options) => operations.put(name, value, condition, loadToken, given(options)),
      delete: (name, condition, options) => operations.delete(name, condition, given(options)),
      increment: (name, by, options) => operations.increment(name, by, given(options)),
      invalidate: (name, what, options) => this.#invalidate(name, what, given(options)),
      configure: (name, config, options) => this.#configure(name, config, given(options)),
      status: async (name, options) => inspector.status(name, (await operations.config(name, options.timeoutMs))[0], options),
      line: (name, options) => inspector.line(name, options),
    }
    this.#handlers = {
      ...(handlers as unknown as Readonly<Record<string, (...args: Args) => unknown>>),
      ...new Lendings(deps.coherence, operations).handlers(),
      get: (namespace: string, cache: string, key: string, timeoutMs: Millis): Plain | Promise<Plain> => {
        const read = operations.get({ namespace, cache, key }, { timeoutMs })
        return read instanceof Promise ? read.then(encodeRead) : encodeRead(read)
      },
      load: (name: EntryName, how: HowToLoad, wait: string, options: CacheCallOptions) => this.#load(name, how, wait, given(options)),
      give_up: (wait: string): null => {
        this.#waits.get(wait)?.abort()
        return null
      },
      begin: (name: CacheName, options: CacheCallOptions) => deps.writes.begin(name, given(options)).then(() => null),
      plan_put: (name: EntryName, value: NewValue, isOwned: boolean, options: CacheCallOptions) =>
        operations.planPut(name, value, isOwned, options),
      counts: (name: CacheName) => inspector.counts(name),
      look: (line: string) => inspector.look(line),
      watch: (...args: WatchArgs) => relay.ask(args),
      watch_home: (...args: WatchArgs) => relay.here(args),
    }
  }

  async #load(name: EntryName, how: HowToLoad, wait: string, options: CacheCallOptions): Promise<LoadOutcome> {
    const { operations } = this.#deps
    if (wait === '') return operations.load(name, how, options)
    const leaving = new AbortController()
    this.#waits.set(wait, leaving)
    return operations.load(name, how, { ...options, signal: leaving.signal }).finally(() => this.#waits.delete(wait))
  }

  answer([operation, ...args]: CacheCall): unknown {
    const handler = this.#handlers[operation]
    if (handler === undefined) throw new TricordError('INVALID_ARGUMENT', `the cache has no call ${operation}`)
    return handler(...(args as unknown as Args))
  }

  async #invalidate(name: CacheName, what: InvalidateWhat, options: CacheCallOptions): Promise<{ invalidated: number }> {
    const [config] = await this.#deps.operations.config(name, options.timeoutMs)
    return { invalidated: await this.#invalidations.invalidate(name, what, config, options) }
  }

  async #configure(
    name: CacheName,
    config: Partial<CacheConfig>,
    options: CacheCallOptions,
  ): Promise<{ created: boolean; config: CacheConfig }> {
    const { operations, writes } = this.#deps
    const [before] = await operations.config(name, options.timeoutMs)
    const { created, config: now, version } = await writes.configure(name, config, options)
    await writes.limit(name, now, version, options)
    // What was put under other levels does not know the new ones: it must not outlive an invalidation that it cannot hear.
    if (String(before.levels) !== String(now.levels)) {
      await partOf(this.#invalidations.invalidate(name, { all: true }, now, options))
    }
    return { created, config: now }
  }
}

/** Options as they come over the wire: what is not there is null. Two shapes, not one for each choice of members. */
function given({ timeoutMs, idempotencyKey, traceparent = '' }: CacheCallOptions): CacheCallOptions {
  return idempotencyKey ? { timeoutMs, traceparent, idempotencyKey } : { timeoutMs, traceparent }
}
