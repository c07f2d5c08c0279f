/**
 * The node's part of a watch: its gateway asks it, and it asks the home, wherever that is now. A home that died never answers: once
 * this node hears of another leader the question is over, and the gateway asks again. Where this node has no replica, and so does
 * not know who leads, it asks one of those who may, and the next one once that one does not answer: whoever asks then, for all.
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
  /** By partition: which of those who may lead is asked, where it is not known. */
  readonly #guesses = new Map<number, number>()

  constructor(deps: WatchRelayDeps) {
    this.#deps = deps
    deps.host.onChange((group) => {
      const asked = this.#asked.get(group - FIRST_PARTITION)
      if (asked === undefined || (deps.host.status(group)?.leader ?? NOBODY) === NOBODY) return
      const leader = deps.coherence.leaderOf(group - FIRST_PARTITION, 0)
      if (leader !== null) for (const hear of asked) hear(leader)
    })
  }

  /** At the home, wherever that is. */
  async ask(args: WatchArgs): Promise<Plain> {
    const [, partition] = args
    this.#check(partition)
    const guess = this.#guesses.get(partition) ?? 0
    const home = this.#deps.coherence.leaderOf(partition, guess)
    if (home === null) throw new TricordError('NO_QUORUM', 'the home of the partition is not known now')
    try {
      return await (home === this.#deps.system.node ? this.here(args) : this.#there(home, args))
    } catch (error) {
      if ((this.#guesses.get(partition) ?? 0) === guess) this.#guesses.set(partition, guess + 1)
      throw error
    }
  }

  async #there(home: NodeId, args: WatchArgs): Promise<Plain> {
    const [, partition, , , waitMs] = args
    const timeoutMs = waitMs + 2 * WATCH_LIMITS.slackMs
    const answer = this.#deps.system.ask(actorId(home, CACHE_PATH), CACHE_CALL, ['watch_home', ...args], timeoutMs)
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
