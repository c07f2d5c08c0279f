/** A queue machine on a test bed: time by hand, stores in memory, answers and events in the order they came. */
import type { Plain } from '../../src/actors/envelope.ts'
import { encodeCommand } from '../../src/queue/codec.ts'
import { createQueueMachine } from '../../src/queue/machine.ts'
import { decodeReply } from '../../src/queue/replies.ts'
import type {
  BrowsedMessage,
  LeaseLost,
  LoggedCommand,
  MessagePage,
  MessageState,
  QueueName,
  QueuePage,
  QueueReply,
  QueueStatus,
} from '../../src/queue/types.ts'
import type { ApplyContext, StateMachine, WriteRecord } from '../../src/raft/machine.ts'

export interface Settled {
  readonly ticket: number
  readonly reply: QueueReply
}
type Store = Map<string, Uint8Array>

export const DURABLE_ON = ['n1', 'n2']
export const PARTITION = 3

export class Bed implements ApplyContext {
  readonly term = 1
  index = 0
  time = 0
  ticket = 0
  machine: StateMachine = createQueueMachine()
  store: Store = new Map()
  cold: Store = new Map()
  settledLog: Settled[] = []
  events: LeaseLost[] = []

  settle(ticket: number, reply: Plain): void {
    if (this.settledLog.some((settled) => settled.ticket === ticket)) throw new Error(`ticket ${ticket} is settled twice`)
    this.settledLog.push({ ticket, reply: this.#leaves(reply) })
  }

  emit(event: Plain): void {
    this.events.push(event as unknown as LeaseLost)
  }

  /** Applies a command as an entry of its own; null: it waits. */
  run(command: LoggedCommand): QueueReply | null {
    this.index += 1
    this.machine.advance(this)
    return this.runMore(encodeCommand(command))
  }

  /** Applies a command as one more of the same entry. */
  runMore(command: Uint8Array): QueueReply | null {
    this.ticket += 1
    // As the host does it: the machine is lent the bytes of the entry, which are written over afterwards.
    const lent = Uint8Array.from(command)
    const reply = this.machine.apply(this, this.ticket, lent)
    lent.fill(0xff)
    this.machine.check()
    return reply === null ? null : this.#leaves(reply)
  }

  /** Lets time pass, and expires what is due. */
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

  status({ namespace, queue }: QueueName): QueueStatus | string {
    return this.ask({ type: 'queue_status', namespace, queue }) as QueueStatus | string
  }

  /** Everything that browsing shows, page by page. */
  browse({ namespace, queue }: QueueName, state: MessageState, limit: number): BrowsedMessage[] | string {
    const shown: BrowsedMessage[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: MessagePage | string = this.ask({ type: 'queue_browse', namespace, queue, state, cursor, limit }) as MessagePage | string
      if (typeof page === 'string') return page
      shown.push(...page.messages)
      if (page.messages.length > limit) throw new Error('a page is longer than its limit')
      cursor = page.cursor
    }
    return shown
  }

  list(namespace: string, limit: number): QueueStatus[] | string {
    const shown: QueueStatus[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: QueuePage | string = this.ask({ type: 'queue_list', namespace, cursor, limit }) as QueuePage | string
      if (typeof page === 'string') return page
      shown.push(...page.queues)
      cursor = page.cursor
    }
    return shown
  }

  /** The view, or the code of the refusal. */
  ask(request: Plain): unknown {
    const reply = this.#attached(this.machine.query(request, this.time))
    if (!Array.isArray(reply)) return reply
    const refusal = decodeReply(reply, PARTITION)
    if (refusal.type !== 'refused') throw new Error('a tuple is a refusal')
    return refusal.code
  }

  #leaves(reply: Plain): QueueReply {
    return decodeReply(this.#attached(reply), PARTITION)
  }

  #attached(reply: Plain): Plain {
    const get = (keys: readonly Uint8Array[]) => keys.map((key) => this.cold.get(hexOf(key)))
    const attached = this.machine.attach?.(reply, { cold: { get }, durableOn: () => DURABLE_ON }) ?? reply
    if (attached instanceof Promise) throw new Error('all is at hand, and yet it is promised')
    return attached
  }

  drain(): void {
    this.machine.drain(into(this.store, 'record'), into(this.cold, 'cold record'))
    if (this.machine.dirty !== 0) throw new Error('something is left after a drain')
  }

  /** A second bed with the same state, out of the records in the order that `sort` gives them. `machine`: one to reset and use again. */
  copy(sort: (keys: string[]) => string[] = (keys) => keys, machine: StateMachine = createQueueMachine()): Bed {
    this.drain()
    const bed = new Bed()
    Object.assign(bed, { machine, index: this.index, time: this.time, ticket: this.ticket })
    machine.reset()
    for (const key of sort([...this.store.keys()])) {
      const value = this.store.get(key) as Uint8Array
      machine.load(Uint8Array.from(Buffer.from(key, 'hex')), Uint8Array.from(value))
      bed.store.set(key, value)
    }
    for (const [key, value] of this.cold) bed.cold.set(key, value)
    machine.loaded()
    machine.check()
    return bed
  }
}

/** Held to the rule of cold records, which the host relies upon for both kinds: no write over, no delete of nothing. */
function into(store: Store, what: string): WriteRecord {
  return (key, value) => {
    const hex = hexOf(key)
    if (value === null) {
      if (!store.delete(hex)) throw new Error(`a ${what} is deleted that was never written`)
      return
    }
    if (what === 'cold record' && store.has(hex)) throw new Error('a cold record is written over')
    store.set(hex, Uint8Array.from(value))
  }
}

function hexOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}
