/**
 * The node's part of a watch: its gateway asks it, and it asks the home, wherever that is now. A home that died never answers: once
 * this node hears of another leader the question is over, and the gateway asks again.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import { type Plain, actorId } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { FIRST_PARTITION, type Millis, NOBODY, type NodeId } from '../../base/ids.ts'
import type { GroupHost } from '../../raft/group-host.ts'
import { CACHE_CALL, CACHE_PATH, valueOf } from '../calls.ts'
import { WATCH_LIMITS, encodeAnswer } from '../watch/words.ts'
import type { Coherence } from './coherence.ts'

export type WatchArgs = readonly [asker: string, partition: number, since: number | null, interest: readonly string[], waitMs: Millis]

export interface WatchRelayDeps {
  readonly system: Pick<ActorSystem, 'node' | 'ask'>
  readonly host: Pick<GroupHost, 'onChange' | 'status'>
  readonly coherence: Pick<Coherence, 'leaderOf' | 'watch'>
  readonly partitions: number
}

export class WatchRelay {
  readonly #deps: WatchRelayDeps
  /** Questions under way, by partition. */
  readonly #asked = new Map<number, Set<(leader: NodeId) => void>>()

  constructor(deps: WatchRelayDeps) {
    this.#deps = deps
    deps.host.onChange((group) => {
      const asked = this.#asked.get(group - FIRST_PARTITION)
      if (asked === undefined || (deps.host.status(group)?.leader ?? NOBODY) === NOBODY) return
      const leader = deps.coherence.leaderOf(group - FIRST_PARTITION)
      if (leader !== null) for (const hear of asked) hear(leader)
    })
  }

  /** At the home, wherever that is. */
  async ask(args: WatchArgs): Promise<Plain> {
    const { system, coherence } = this.#deps
    const [, partition, , , waitMs] = args
    this.#check(partition)
    const home = coherence.leaderOf(partition)
    if (home === null) throw new TricordError('NO_QUORUM', 'the home of the partition is not known now')
    if (home === system.node) return this.here(args)
    const answer = system.ask(actorId(home, CACHE_PATH), CACHE_CALL, ['watch_home', ...args], waitMs + 2 * WATCH_LIMITS.slackMs)
    const { payload } = await this.#unlessAnotherLeads(partition, home, answer)
    return valueOf(payload) as Plain
  }

  /** Where this is the home. */
  async here([asker, partition, since, interest, waitMs]: WatchArgs): Promise<Plain> {
    this.#check(partition)
    const question = { since, interest, waitMs: Math.min(waitMs, WATCH_LIMITS.waitMs) }
    return encodeAnswer(await this.#deps.coherence.watch(partition, asker, question))
  }

  #check(partition: number): void {
    if (partition >= this.#deps.partitions) throw new TricordError('INVALID_ARGUMENT', `there is no partition ${partition}`)
  }

  #unlessAnotherLeads<T>(partition: number, home: NodeId, answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const asked = this.#asked.get(partition) ?? new Set()
      this.#asked.set(partition, asked)
      const hear = (leader: NodeId): void => {
        if (leader !== home) reject(new TricordError('NO_QUORUM', 'the partition has another home'))
      }
      asked.add(hear)
      answer.then(resolve, reject).finally(() => asked.delete(hear))
    })
  }
}
