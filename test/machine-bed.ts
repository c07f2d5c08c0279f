/** A machine on a test bed: time by hand, a store in memory, answers in the order they came. What every machine of a partition is put on. */
import type { Plain } from '../src/actors/envelope.ts'
import type { ApplyContext, StateMachine } from '../src/raft/machine.ts'
import type { Store } from './records.ts'

export interface Settled<Reply> {
  readonly ticket: number
  readonly reply: Reply
}

export abstract class MachineBed<M extends StateMachine, Command, Reply> implements ApplyContext {
  readonly term = 1
  index = 0
  time = 0
  ticket = 0
  machine: M
  store: Store = new Map()
  settledLog: Settled<Reply>[] = []

  constructor(machine: M) {
    this.machine = machine
  }

  abstract emit(event: Plain): void
  protected abstract encode(command: Command): Uint8Array
  /** A reply as whoever asked reads it. */
  protected abstract leaves(reply: Plain): Reply

  settle(ticket: number, reply: Plain): void {
    if (this.settledLog.some((settled) => settled.ticket === ticket)) throw new Error(`ticket ${ticket} is settled twice`)
    this.settledLog.push({ ticket, reply: this.leaves(reply) })
  }

  /** Applies a command as an entry of its own; null: it waits. */
  run(command: Command): Reply | null {
    this.index += 1
    this.machine.advance(this)
    return this.runMore(this.encode(command))
  }

  /** Applies a command as one more of the same entry. */
  runMore(command: Uint8Array): Reply | null {
    this.ticket += 1
    // As the host does it: the machine is lent the bytes of the entry, which are written over afterwards.
    const lent = Uint8Array.from(command)
    const reply = this.machine.apply(this, this.ticket, lent)
    lent.fill(0xff)
    this.machine.check()
    return reply === null ? null : this.leaves(reply)
  }

  /** Lets time pass, and does what is due. */
  pass(ms: number): void {
    this.index += 1
    this.time += ms
    this.machine.advance(this)
    this.machine.check()
  }

  cancel(ticket: number): void {
    this.index += 1
    this.machine.advance(this)
    this.machine.cancel(this, ticket)
    this.machine.check()
  }
}
