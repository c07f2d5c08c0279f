/**
 * Applies committed entries to the machine of one group, each command exactly once.
 *
 *   entry ─> time ─> requests.advance ─> machine.advance ─> for each command: requests.admit ─┬─ known: the old answer (machine.known)
 *                                                                                              └─ new: machine.apply
 * Deterministic but for `sink`: who hears the answers (the leader's host; nobody elsewhere) changes nothing here.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { LogIndex, Millis, Term } from '../../base/ids.ts'
import { type Command, type Parcel, decodeEntry } from '../batch.ts'
import { ENTRY_COMMANDS, type Entry } from '../core/types.ts'
import type { ApplyContext, StateMachine } from '../machine.ts'
import { type Answer, type Client, RequestTable } from './requests.ts'
import { DONE, REFUSED, SETTLED, WAITING } from './wire.ts'

/** Who hears of what applying brings about. */
export interface ApplySink {
  answer(client: number, sequence: number, status: number, reply: Plain): void
  event(event: Plain, index: LogIndex, time: Millis): void
}

export class Applier implements ApplyContext {
  readonly machine: StateMachine
  readonly requests: RequestTable
  index: LogIndex
  term: Term
  time: Millis
  commands = 0
  #sink: ApplySink | null = null
  /** The ticket whose `apply` is running, and what it settled itself with. */
  #running = 0
  #settledItself: { readonly reply: Plain } | null = null

  constructor(machine: StateMachine, requests: RequestTable, at: { readonly index: LogIndex; readonly term: Term; readonly time: Millis }) {
    this.machine = machine
    this.requests = requests
    this.index = at.index
    this.term = at.term
    this.time = at.time
  }

  apply(entry: Entry, sink: ApplySink | null): void {
    this.index = entry.index
    this.term = entry.term
    if (entry.type !== ENTRY_COMMANDS) return
    this.#sink = sink
    const { time, parcels } = decodeEntry(entry.data)
    this.time = Math.max(this.time, time)
    this.requests.advance(this.time)
    this.machine.advance(this)
    for (const parcel of parcels) this.#applyParcel(parcel)
    this.#sink = null
  }

  #applyParcel(parcel: Parcel): void {
    const client = this.requests.touch(parcel.client, parcel.low, parcel.acks, this.time)
    for (const command of parcel.commands) this.#applyCommand(client, command)
  }

  #applyCommand(client: Client, command: Command): void {
    const admission = this.requests.admit(client, command, this.time)
    if (admission.kind !== 'apply' && command.cancels === 0) this.machine.known?.(command.body)
    switch (admission.kind) {
      case 'apply':
        this.commands++
        return this.#run(client, command, admission.ticket)
      case 'answered':
        return this.#answer(client.id, command.sequence, admission.answer, admission.settled)
      case 'waiting':
        return this.#sink?.answer(client.id, command.sequence, WAITING, null)
      case 'stale':
        return
    }
  }

  #run(client: Client, command: Command, ticket: number): void {
    const reply = command.cancels === 0 ? this.#runMachine(ticket, command.body) : this.#cancel(client, command.cancels)
    const answer = reply === null ? null : { refused: false, reply: reply.reply }
    this.requests.complete(client, command, ticket, answer, this.time)
    if (answer === null) this.#sink?.answer(client.id, command.sequence, WAITING, null)
    else this.#answer(client.id, command.sequence, answer, false)
  }

  #runMachine(ticket: number, body: Uint8Array): { readonly reply: Plain } | null {
    this.#running = ticket
    this.#settledItself = null
    const reply = this.machine.apply(this, ticket, body)
    this.#running = 0
    return reply === null ? this.#settledItself : { reply }
  }

  #cancel(client: Client, sequence: number): { readonly reply: Plain } {
    const waited = client.deferred.get(sequence)
    const ticket = this.requests.cancel(client, sequence)
    if (ticket !== 0) this.machine.cancel(this, ticket)
    else if (waited?.answer) this.#answer(client.id, sequence, waited.answer, true)
    return { reply: true }
  }

  #answer(client: number, sequence: number, answer: Answer, settled: boolean): void {
    this.#sink?.answer(
      client,
      sequence,
      answer.refused ? REFUSED : settled ? SETTLED : DONE,
      answer.refused ? [answer.reply, settled] : answer.reply,
    )
  }

  settle(ticket: number, reply: Plain): void {
    if (ticket === this.#running) {
      this.#settledItself = { reply }
      return
    }
    const answer = { refused: false, reply }
    for (const { client, sequence } of this.requests.settle(ticket, answer, this.time)) this.#answer(client, sequence, answer, true)
  }

  emit(event: Plain): void {
    this.#sink?.event(event, this.index, this.time)
  }
}
