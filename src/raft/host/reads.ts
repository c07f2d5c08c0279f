/**
 * Linearizable reads, and confirmations that this replica leads: all of a turn share one read-index round, and each is
 * answered once the machine has applied up to the round's index. Stale reads do not come here.
 *
 *   ask, confirm ──(flush: the time is taken)──> round ──(a majority)──> confirmed ──(applied)──> answered
 *
 * What a confirmation says of its time needs rounds, not leases: every answer that counts was sent after the round began.
 */
import type { Envelope } from '../../actors/envelope.ts'
import type { LogIndex, Millis, Term } from '../../base/ids.ts'
import type { Confirmation } from '../group-host.ts'
import type { Group } from './group.ts'
import type { QueryMessage } from './propose-codec.ts'
import type { HostShared } from './shared.ts'

/** Queries and confirmations waiting in one group; beyond it they are refused. */
const READS_MAX = 20_000

interface Query {
  readonly envelope: Envelope
  readonly message: QueryMessage
}

type Confirm = (confirmation: Confirmation | null) => void

interface Round {
  readonly queries: readonly Query[]
  readonly confirms: readonly Confirm[]
  /** Before the first message of the round left. */
  readonly askedAt: Millis
  /** In which this replica led then. */
  readonly term: Term
}

export class Reads {
  readonly #group: Group
  readonly #shared: HostShared
  #queries: Query[] = []
  #confirms: Confirm[] = []
  readonly #rounds = new Map<number, Round>()
  /** Confirmed, waiting for the machine to catch up. */
  #confirmed: { readonly index: LogIndex; readonly round: Round }[] = []
  #nextRound = 1
  #waiting = 0

  constructor(group: Group, shared: HostShared) {
    this.#group = group
    this.#shared = shared
  }

  ask(envelope: Envelope, message: QueryMessage): void {
    if (this.#waiting >= READS_MAX) return this.#shared.outgoing.ctx.fail(envelope, 'OVERLOADED', 'too many reads wait')
    this.#waiting++
    this.#queries.push({ envelope, message })
    this.#shared.dirty(this.#group)
  }

  /** Whether this replica leads, as a majority says that is asked from now on. */
  confirm(done: Confirm): void {
    if (this.#waiting >= READS_MAX) return done(null)
    this.#waiting++
    this.#confirms.push(done)
    this.#shared.dirty(this.#group)
  }

  /** Begins the round of what was asked in this turn. */
  flush(): void {
    if (this.#queries.length === 0 && this.#confirms.length === 0) return
    const { core } = this.#group
    const round = { queries: this.#queries, confirms: this.#confirms, askedAt: this.#shared.clock.now(), term: core.term }
    this.#queries = []
    this.#confirms = []
    const id = this.#nextRound++
    // Deposed since it was asked it would ask the next leader, and answer with a machine and a time that lag behind.
    if (core.role === 'leader' && core.readIndex(id)) this.#rounds.set(id, round)
    else this.#refuse(round)
  }

  confirmed(id: number, index: LogIndex): void {
    const round = this.#rounds.get(id)
    this.#rounds.delete(id)
    if (round === undefined) return
    if (index < 0) this.#refuse(round)
    else this.#confirmed.push({ index, round })
  }

  /** Answers what the machine has reached. */
  serve(): void {
    if (this.#confirmed.length === 0) return
    const ready = this.#confirmed.filter(({ index }) => index <= this.#group.applier.index)
    if (ready.length === 0) return
    this.#confirmed = this.#confirmed.filter(({ index }) => index > this.#group.applier.index)
    for (const { round } of ready) this.#answer(round)
  }

  #answer({ queries, confirms, askedAt, term }: Round): void {
    const { core } = this.#group
    this.#waiting -= queries.length + confirms.length
    for (const { envelope, message } of queries) this.#group.answerQuery(envelope, message)
    const confirmation = core.role === 'leader' && core.term === term ? { term, askedAt } : null
    for (const done of confirms) done(confirmation)
  }

  #refuse({ queries, confirms }: Pick<Round, 'queries' | 'confirms'>): void {
    this.#waiting -= queries.length + confirms.length
    for (const { envelope } of queries) this.#shared.outgoing.ctx.fail(envelope, 'NO_LEADER', 'the leader changed')
    for (const done of confirms) done(null)
  }

  /** Leads no more, or goes: nobody is left waiting. */
  clear(): void {
    const left = [...this.#rounds.values(), ...this.#confirmed.map(({ round }) => round)]
    const asked = { queries: this.#queries, confirms: this.#confirms }
    this.#queries = []
    this.#confirms = []
    this.#rounds.clear()
    this.#confirmed = []
    for (const round of [asked, ...left]) this.#refuse(round)
  }
}
