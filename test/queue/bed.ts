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
import type { StateMachine } from '../../src/raft/machine.ts'
import { MachineBed } from '../machine-bed.ts'
import { type Store, hexOf, into, loadRecords } from '../records.ts'

export const DURABLE_ON = ['n1', 'n2']
export const PARTITION = 3

export class Bed extends MachineBed<StateMachine, LoggedCommand, QueueReply> {
  cold: Store = new Map()
  events: LeaseLost[] = []

  constructor() {
    super(createQueueMachine())
  }

  emit(event: Plain): void {
    this.events.push(event as unknown as LeaseLost)
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

  protected encode(command: LoggedCommand): Uint8Array {
    return encodeCommand(command)
  }

  protected leaves(reply: Plain): QueueReply {
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
    bed.store = new Map(this.store)
    bed.cold = new Map(this.cold)
    loadRecords(machine, bed.store, sort)
    return bed
  }
}
