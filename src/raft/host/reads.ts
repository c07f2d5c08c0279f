/**
 * Linearizable reads: all queries of a turn share one read-index round, and each is answered from the machine once it
 * has applied up to the round's index. Stale reads do not come here.
 */
import type { Envelope } from '../../actors/envelope.ts'
import type { LogIndex } from '../../base/ids.ts'
import type { Group } from './group.ts'
import type { QueryMessage } from './propose-codec.ts'
import type { HostShared } from './shared.ts'

/** Queries waiting in one group; beyond it they are refused. */
const QUERIES_MAX = 20_000

interface Query {
  readonly envelope: Envelope
  readonly message: QueryMessage
}

export class Reads {
  readonly #group: Group
  readonly #shared: HostShared
  #asked: Query[] = []
  readonly #rounds = new Map<number, readonly Query[]>()
  /** Confirmed, waiting for the machine to catch up. */
  #confirmed: { readonly index: LogIndex; readonly queries: readonly Query[] }[] = []
  #nextRound = 1
  #waiting = 0

  constructor(group: Group, shared: HostShared) {
    this.#group = group
    this.#shared = shared
  }

  ask(envelope: Envelope, message: QueryMessage): void {
    if (this.#waiting >= QUERIES_MAX) return this.#shared.outgoing.ctx.fail(envelope, 'OVERLOADED', 'too many reads wait')
    this.#waiting++
    this.#asked.push({ envelope, message })
    this.#shared.dirty(this.#group)
  }

  /** Begins the round of what was asked in this turn. */
  flush(): void {
    if (this.#asked.length === 0) return
    const queries = this.#asked
    this.#asked = []
    const round = this.#nextRound++
    if (this.#group.core.readIndex(round)) this.#rounds.set(round, queries)
    else this.#refuse(queries)
  }

  confirmed(round: number, index: LogIndex): void {
    const queries = this.#rounds.get(round)
    this.#rounds.delete(round)
    if (queries === undefined) return
    if (index < 0) this.#refuse(queries)
    else this.#confirmed.push({ index, queries })
  }

  /** Answers what the machine has reached. */
  serve(): void {
    if (this.#confirmed.length === 0) return
    const later = this.#confirmed.filter(({ index }) => index > this.#group.applier.index)
    for (const { index, queries } of this.#confirmed) {
      if (index > this.#group.applier.index) continue
      this.#waiting -= queries.length
      for (const { envelope, message } of queries) this.#group.answerQuery(envelope, message)
    }
    this.#confirmed = later
  }

  #refuse(queries: readonly Query[]): void {
    this.#waiting -= queries.length
    for (const { envelope } of queries) this.#shared.outgoing.ctx.fail(envelope, 'NO_LEADER', 'the leader changed')
  }

  /** Leads no more, or goes: nobody is left waiting. */
  clear(): void {
    this.#refuse(this.#asked)
    this.#asked = []
    for (const queries of this.#rounds.values()) this.#refuse(queries)
    this.#rounds.clear()
    for (const { queries } of this.#confirmed) this.#refuse(queries)
    this.#confirmed = []
  }
}
