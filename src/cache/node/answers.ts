/**
 * Answers the calls of gateways and of other nodes. What is about all partitions or all nodes is gathered here: counts of
 * what every node did, sizes of what every partition holds, who has which line.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import { type Plain, actorId } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { type Millis, type NodeId, type Term, partitionGroup } from '../../base/ids.ts'
import type { GroupHost, Directory as Nodes } from '../../raft/group-host.ts'
import type { Proposer } from '../../raft/proposer.ts'
import { CACHE_CALL, CACHE_PATH, type CacheCall, encodeRead, valueOf } from '../calls.ts'
import type { LineId } from '../coherence/protocol.ts'
import { entryLine, linePrefix } from '../line-id.ts'
import type { CacheShareStatus } from '../machine/queries.ts'
import type {
  CacheCallOptions,
  CacheConfig,
  CacheName,
  Caches,
  CacheStatus,
  ChangeReason,
  EntryName,
  InvalidateWhat,
  LineState,
  LineView,
  LoadOutcome,
  NewValue,
} from '../types.ts'
import type { Coherence } from './coherence.ts'
import { Invalidations } from './invalidations.ts'
import { Lendings } from './lendings.ts'
import type { HowToLoad, Operations } from './operations.ts'
import type { CacheCounts } from './tally.ts'
import { type WatchArgs, WatchRelay } from './watch-relay.ts'
import type { Writes } from './writes.ts'

/** Of a look at another node: one that does not answer shows nothing. */
const LOOK_MS: Millis = 1_000
const LOOK_AGAIN_MS: Millis = 100

/** What a node says of one line. `home`: where it is the home. */
interface Look {
  readonly state: LineState
  readonly home: HomeLook | null
}

interface HomeLook {
  readonly term: Term
  readonly version: number
  readonly busy: boolean
  readonly last: { readonly cause: ChangeReason; readonly wall: Millis; readonly ackMs: Millis } | null
}

type HomeSeen = readonly [NodeId, HomeLook]

export interface AnswersDeps {
  readonly system: ActorSystem
  readonly host: GroupHost
  readonly directory: Nodes
  readonly proposer: Proposer
  readonly writes: Writes
  readonly coherence: Coherence
  readonly operations: Operations
}

/** What a node did for a cache, the lines of it that it may read, and those that it owns. */
type NodeCounts = Partial<CacheCounts> & { readonly lines: number; readonly M: number; readonly E: number }

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
    const { operations } = deps
    const relay = new WatchRelay({ ...deps, partitions: deps.writes.partitions })
    const handlers: Omit<Caches, 'getMany' | 'putMany' | 'get' | 'load'> = {
      put: (name, value, condition, loadToken, options) => operations.put(name, value, condition, loadToken, given(options)),
      delete: (name, condition, options) => operations.delete(name, condition, given(options)),
      increment: (name, by, options) => operations.increment(name, by, given(options)),
      invalidate: (name, what, options) => this.#invalidate(name, what, given(options)),
      configure: (name, config, options) => this.#configure(name, config, given(options)),
      status: (name, options) => this.#status(name, options),
      line: (name, options) => this.#line(name, options),
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
      counts: (name: CacheName) => this.#counts(name),
      look: (line: string) => this.#look(line),
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
    if (String(before.levels) !== String(now.levels)) await this.#invalidations.invalidate(name, { all: true }, now, options)
    return { created, config: now }
  }

  async #status(name: CacheName, options: CacheCallOptions): Promise<CacheStatus> {
    const { operations, writes } = this.#deps
    const partitions = Array.from({ length: writes.partitions }, (_, partition) => this.#share(partition, name, options))
    const [[config], shares, counts] = await Promise.all([
      operations.config(name, options.timeoutMs),
      Promise.all(partitions),
      this.#everywhere<NodeCounts>('counts', { namespace: name.namespace, cache: name.cache }),
    ])
    const sum = (member: keyof NodeCounts): number => counts.reduce((total, [, one]) => total + (one[member] ?? 0), 0)
    const total = (member: keyof CacheShareStatus): number => shares.reduce((all, share) => all + share[member], 0)
    const [hits, misses] = [sum('hits'), sum('misses')]
    return {
      cache: name.cache,
      entries: total('entries'),
      bytes: total('bytes'),
      hits,
      misses,
      hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
      evictions: total('evictions'),
      lines: { M: sum('M'), E: sum('E'), S: sum('lines'), I: 0 },
      coherence: { getS: sum('getS'), getM: sum('getM'), inv: sum('inv'), invAck: sum('invAck'), recall: sum('recall') },
      config,
    }
  }

  async #share(
    partition: number,
    { namespace, cache }: CacheName,
    { timeoutMs, traceparent }: CacheCallOptions,
  ): Promise<CacheShareStatus> {
    const request = { type: 'cache_status', namespace, cache }
    const options = { timeoutMs, consistency: 'linearizable', ...(traceparent && { traceparent }) } as const
    const { reply } = await this.#deps.proposer.query(partitionGroup(partition), request, options)
    return reply as unknown as CacheShareStatus
  }

  async #line({ namespace, cache, key }: EntryName, { timeoutMs }: CacheCallOptions): Promise<LineView> {
    const line = entryLine(namespace, cache, key)
    const partition = this.#deps.writes.partitionOf(line)
    const looks = await this.#looks(line, timeoutMs)
    const [home, { version, busy, last }] = newestHome(looks) as HomeSeen
    const lastInvalidation = last && { cause: last.cause, at: new Date(last.wall).toISOString(), ackMs: last.ackMs }
    return {
      key,
      version,
      home,
      partition,
      busy,
      nodes: Object.fromEntries(looks.map(([node, { state }]) => [node, state])),
      lastInvalidation,
    }
  }

  /** Until a home is among them: it may be changing, or silent, or late with its answer. */
  async #looks(line: LineId, timeoutMs: Millis): Promise<readonly (readonly [NodeId, Look])[]> {
    const { clock } = this.#deps.system
    for (const until = clock.now() + timeoutMs; ;) {
      const looks = await this.#everywhere<Look>('look', line, Math.min(LOOK_MS, timeoutMs))
      if (newestHome(looks) !== null) return looks
      if (clock.now() + LOOK_AGAIN_MS >= until) throw new TricordError('NO_QUORUM', 'the home of the key is not known now')
      await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve))
    }
  }

  #counts({ namespace, cache }: CacheName): NodeCounts {
    const { coherence } = this.#deps
    const prefix = linePrefix('entry', namespace, cache)
    return { ...coherence.tally.find({ namespace, cache }), lines: coherence.kept.ofCache(prefix), ...coherence.ownedStates(prefix) }
  }

  #look(line: string): Look {
    const { coherence, writes, system } = this.#deps
    const partition = writes.partitionOf(line)
    const home = coherence.homes.get(partition)
    const state = coherence.stateOf(line)
    if (home === undefined || !home.directory.isOpen) return { state, home: null }
    const { busy, last } = home.directory.view(line)
    const wall = (at: Millis): Millis => system.clock.wall() - (system.clock.now() - at)
    return {
      state,
      home: {
        term: home.term,
        version: home.versionOf(line),
        busy,
        last: last && { cause: last.cause, wall: Math.round(wall(last.startedAt)), ackMs: Math.round(last.ackMs * 1_000) / 1_000 },
      },
    }
  }

  /** What each node that answers says; this one is asked like the others. */
  async #everywhere<T>(operation: string, argument: Plain, timeoutMs: Millis = LOOK_MS): Promise<readonly (readonly [NodeId, T])[]> {
    const { system, directory } = this.#deps
    const nodes = [...new Set([system.node, ...directory.nodes])].sort()
    const asked = nodes.map(async (node): Promise<readonly (readonly [NodeId, T])[]> => {
      try {
        const { payload } = await system.ask(actorId(node, CACHE_PATH), CACHE_CALL, [operation, argument], timeoutMs)
        return [[node, valueOf(payload) as T]]
      } catch (error) {
        if (error instanceof TricordError) return []
        throw error
      }
    })
    return (await Promise.all(asked)).flat()
  }
}

/** Options as they come over the wire: what is not there is null. Two shapes, not one for each choice of members. */
function given({ timeoutMs, idempotencyKey, traceparent = '' }: CacheCallOptions): CacheCallOptions {
  return idempotencyKey ? { timeoutMs, traceparent, idempotencyKey } : { timeoutMs, traceparent }
}

/** One that was deposed may not know it yet. */
function newestHome(looks: readonly (readonly [NodeId, Look])[]): HomeSeen | null {
  let newest: HomeSeen | null = null
  for (const [node, { home }] of looks) if (home !== null && home.term > (newest?.[1].term ?? 0)) newest = [node, home]
  return newest
}
