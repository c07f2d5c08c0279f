/**
 * Shows what the caches do: a cache as a whole, and one line. What is about all partitions or all nodes is gathered here: counts of
 * what every node did, sizes of what every partition holds, who has which line.
 *
 * All nodes are asked at once. One that is taken for down is not waited for, and the answer names whoever said nothing.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import { type Plain, actorId } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { type Millis, type NodeId, type Term, partitionGroup } from '../../base/ids.ts'
import type { Directory as Nodes } from '../../raft/group-host.ts'
import type { Proposer } from '../../raft/proposer.ts'
import { CACHE_CALL, CACHE_PATH, valueOf } from '../calls.ts'
import type { LastInvalidation } from '../coherence/home.ts'
import type { LineId } from '../coherence/protocol.ts'
import { cachePart, configLine, lineOf, linePrefix, parseLine } from '../line-id.ts'
import type { CacheShareStatus } from '../machine/queries.ts'
import type {
  CacheCallOptions,
  CacheConfig,
  CacheName,
  CacheStatus,
  EntryName,
  InvalidationCause,
  LineState,
  LineView,
  PingPongLine,
} from '../types.ts'
import type { Coherence } from './coherence.ts'
import { type Bounced, PING_PONG_WINDOW_MS, worstFirst } from './ping-pong.ts'
import type { CacheCounts } from './tally.ts'
import type { Writes } from './writes.ts'

/** Of a look at another node. */
const LOOK_MS: Millis = 500
/** At one that is taken for down: it may be up again, and nobody knows it yet. */
const LOOK_AT_DOWN_MS: Millis = 50
const LOOK_AGAIN_MS: Millis = 100
/** Of lines that bounce. */
const WORST_MAX = 10

/** What a node says of one line. `owned`: the version, where it writes the line alone, 0 where that is nothing. `home`: where it is the home. */
interface Look {
  readonly state: LineState
  readonly owned: number | null
  readonly home: HomeLook | null
}

interface HomeLook {
  readonly term: Term
  readonly version: number
  readonly busy: boolean
  readonly waitsFor: readonly NodeId[]
  readonly last: LastSeen | null
}

interface LastSeen {
  readonly cause: InvalidationCause
  readonly wall: Millis
  readonly ackMs: Millis
  readonly acks: LastInvalidation['acks']
}

type HomeSeen = readonly [NodeId, HomeLook]

/** What a node did for a cache, the lines of it that it may read, those that it owns, and those that bounce whose home it is. */
type NodeCounts = Partial<CacheCounts> & {
  readonly lines: number
  readonly M: number
  readonly E: number
  readonly bouncing: number
  readonly worst: readonly Bounced[]
}
type Counted = Exclude<keyof NodeCounts, 'worst'>

interface Gathered<T> {
  readonly said: readonly (readonly [NodeId, T])[]
  readonly unanswered: readonly NodeId[]
}

export interface InspectorDeps {
  readonly system: ActorSystem
  readonly directory: Nodes
  readonly isUp: (node: NodeId) => boolean
  readonly proposer: Proposer
  readonly writes: Writes
  readonly coherence: Coherence
}

export class Inspector {
  readonly #deps: InspectorDeps
  /** When invalidations began, by the wall as it was when they were looked at first: looked at again, it would be another time. */
  readonly #walls = new WeakMap<LastInvalidation, Millis>()

  constructor(deps: InspectorDeps) {
    this.#deps = deps
  }

  // Of the whole cluster.

  async status(name: CacheName, config: CacheConfig, options: CacheCallOptions): Promise<CacheStatus> {
    const partitions = Array.from({ length: this.#deps.writes.partitions }, (_, partition) => this.#share(partition, name, options))
    const [shares, { said, unanswered }] = await Promise.all([
      Promise.all(partitions),
      this.#everywhere<NodeCounts>('counts', { namespace: name.namespace, cache: name.cache }, options.timeoutMs),
    ])
    const sum = (member: Counted): number => said.reduce((total, [, one]) => total + (one[member] ?? 0), 0)
    const total = (member: keyof CacheShareStatus): number => shares.reduce((all, share) => all + share[member], 0)
    const [hits, misses] = [sum('hits'), sum('misses')]
    const worst = said.flatMap(([, one]) => one.worst).sort(worstFirst)
    return {
      cache: name.cache,
      entries: total('entries'),
      bytes: total('bytes'),
      memoryBytes: total('memoryBytes'),
      hits,
      misses,
      hitRatio: hits + misses === 0 ? 0 : hits / (hits + misses),
      evictions: total('evictions'),
      lines: { M: sum('M'), E: sum('E'), S: sum('lines'), I: 0 },
      coherence: { getS: sum('getS'), getM: sum('getM'), inv: sum('inv'), invAck: sum('invAck'), recall: sum('recall') },
      falseInvalidations: sum('falseInvalidations'),
      pingPong: { windowMs: PING_PONG_WINDOW_MS, lines: sum('bouncing'), worst: worst.slice(0, WORST_MAX).map(shown) },
      unanswered,
      config,
    }
  }

  async line(name: EntryName, { timeoutMs }: CacheCallOptions): Promise<LineView> {
    const line = lineOf(name)
    const { said, unanswered } = await this.#looks(line, timeoutMs)
    const [home, { version, busy, waitsFor, last }] = newestHome(said) as HomeSeen
    return {
      key: name.key,
      // The log has what the owner flushed last.
      version: said.find(([, { owned }]) => owned !== null)?.[1].owned ?? version,
      home,
      partition: this.#deps.writes.partitionOf(line),
      busy,
      waitsFor,
      nodes: Object.fromEntries(said.map(([node, { state }]) => [node, state])),
      unanswered,
      lastInvalidation: last && {
        cause: last.cause,
        at: new Date(last.wall).toISOString(),
        ackMs: Math.round(last.ackMs),
        acksMs: Object.fromEntries(last.acks.map(([node, afterMs]) => [node, Math.round(afterMs)])),
      },
    }
  }

  // Of this node, for others.

  counts({ namespace, cache }: CacheName): NodeCounts {
    const { coherence } = this.#deps
    const prefix = linePrefix('entry', namespace, cache)
    const part = cachePart(prefix)
    const config = configLine(namespace, cache)
    const bouncing = coherence.bouncing((line) => line !== config && cachePart(line) === part)
    return {
      ...coherence.tally.find({ namespace, cache }),
      lines: coherence.kept.ofCache(prefix),
      ...coherence.ownedStates(prefix),
      bouncing: bouncing.length,
      worst: bouncing.slice(0, WORST_MAX),
    }
  }

  look(line: string): Look {
    const { coherence, writes } = this.#deps
    const home = coherence.homes.get(writes.partitionOf(line))
    const [state, owned] = [coherence.stateOf(line), coherence.ownedVersion(line)]
    if (home === undefined || !home.directory.isOpen) return { state, owned, home: null }
    const { busy, waits, last } = home.directory.view(line)
    return {
      state,
      owned,
      home: {
        term: home.term,
        version: home.versionOf(line),
        busy,
        waitsFor: waits,
        last: last && { cause: last.cause, wall: this.#wallOf(last), ackMs: last.ackMs, acks: last.acks },
      },
    }
  }

  #wallOf(last: LastInvalidation): Millis {
    const { clock } = this.#deps.system
    const wall = this.#walls.get(last) ?? Math.round(clock.wall() - (clock.now() - last.startedAt))
    this.#walls.set(last, wall)
    return wall
  }

  // Gathering.

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

  /** Until a home is among them: it may be changing, or silent, or late with its answer. */
  async #looks(line: LineId, timeoutMs: Millis): Promise<Gathered<Look>> {
    const { clock } = this.#deps.system
    for (const until = clock.now() + timeoutMs; ;) {
      const looks = await this.#everywhere<Look>('look', line, timeoutMs)
      if (newestHome(looks.said) !== null) return looks
      if (clock.now() + LOOK_AGAIN_MS >= until) throw new TricordError('NO_QUORUM', 'the home of the key is not known now')
      await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve))
    }
  }

  /** What each node says that answers; this one is asked like the others. */
  async #everywhere<T>(operation: string, argument: Plain, timeoutMs: Millis): Promise<Gathered<T>> {
    const { system, directory, isUp } = this.#deps
    const nodes = [...new Set([system.node, ...directory.nodes])].sort()
    const unanswered: NodeId[] = []
    const asked = nodes.map(async (node): Promise<readonly (readonly [NodeId, T])[]> => {
      const waitMs = node === system.node || isUp(node) ? LOOK_MS : LOOK_AT_DOWN_MS
      try {
        const to = actorId(node, CACHE_PATH)
        const { payload } = await system.ask(to, CACHE_CALL, [operation, argument], Math.min(waitMs, timeoutMs))
        return [[node, valueOf(payload) as T]]
      } catch (error) {
        if (!(error instanceof TricordError)) throw error
        unanswered.push(node)
        return []
      }
    })
    const said = (await Promise.all(asked)).flat()
    return { said, unanswered: unanswered.sort() }
  }
}

/** One that was deposed may not know it yet. */
function newestHome(looks: readonly (readonly [NodeId, Look])[]): HomeSeen | null {
  let newest: HomeSeen | null = null
  for (const [node, { home }] of looks) if (home !== null && home.term > (newest?.[1].term ?? 0)) newest = [node, home]
  return newest
}

function shown({ line, invalidations, nodes }: Bounced): PingPongLine {
  const { kind, name = '' } = parseLine(line) ?? {}
  const what = kind === 'tag' ? { tag: name } : kind === 'level' ? { prefix: name } : { key: name }
  return { ...what, invalidations, nodes }
}
