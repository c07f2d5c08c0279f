/**
 * The queue machine and the naive model side by side: the same commands to both, and everything that can be seen compared
 * after each step. Copies of the machine, made of its records in shuffled order, must go on alike and write the same bytes;
 * now and then one takes the place of the machine it was made from.
 */
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { parseMessageId } from '../../src/queue/ids.ts'
import type { Fence, MessageState, QueueCommand, QueueName, QueueReply, Settling, TransactionOp } from '../../src/queue/types.ts'
import { Bed, DURABLE_ON, PARTITION } from './bed.ts'
import type { NaiveMessage } from './naive-message.ts'
import { NaiveModel } from './naive-model.ts'
import { type DeliveryRef, NAMES, type Op, type Step, newMessages } from './steps.ts'
import { shuffle, sorted } from '../records.ts'

const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'dead']

export class Run {
  bed = new Bed()
  readonly model = new NaiveModel()
  copied: Bed | null = null
  readonly deliveries: (Settling & { readonly name: QueueName })[] = []
  readonly tickets = new Map<number, QueueName>()
  readonly seen: Map<string, number>
  /** Whether every message of every queue is compared after each step. */
  looks = true
  /** By queue number and token: what the machine delivered in this step. */
  #chosen = new Map<string, string>()
  #settled = 0
  #events = 0
  #steps = 0

  constructor(seen: Map<string, number>) {
    this.seen = seen
    this.model.choose = (queue, token, candidates) => {
      const id = this.#chosen.get(`${queue.number} ${token}`)
      return candidates.find((message) => message.id === id) ?? (candidates[0] as NaiveMessage)
    }
  }

  /** What the machine just delivered, for `choose`. */
  #watch(reply: QueueReply | null): void {
    const late = this.bed.settledLog.slice(this.#settled).map((settled) => settled.reply)
    for (const each of [reply, ...late]) {
      if (each?.type !== 'delivered') continue
      for (const { id, token } of each.messages) this.#chosen.set(`${parseMessageId(id)?.queue} ${token}`, id)
    }
  }

  take(next: Step): void {
    this.#steps += 1
    if (next.type === 'pass') {
      this.pass(next.ms)
    } else if (next.type === 'cancel') {
      const ticket = this.bed.ticket - next.back
      this.bed.cancel(ticket)
      this.copied?.cancel(ticket)
      this.#watch(null)
      this.model.advance(this.bed.time)
      this.model.cancel(ticket)
    } else if (next.type === 'copy') {
      this.#copy(next.seed, next.instead)
    } else {
      this.command(this.#commandOf(next))
    }
    this.compare()
  }

  /** Without the comparison of all that can be seen. */
  pass(ms: number): void {
    this.bed.pass(ms)
    this.copied?.pass(ms)
    // What is too much for one entry happens in those that follow.
    while (this.bed.machine.nextDeadline() <= this.bed.time) {
      this.bed.pass(0)
      this.copied?.pass(0)
    }
    this.#watch(null)
    this.model.advance(this.bed.time)
  }

  compareStores(): void {
    this.bed.drain()
    if (this.copied === null) return
    this.copied.drain()
    same(sorted(this.copied.store), sorted(this.bed.store), 'records')
    same(sorted(this.copied.cold), sorted(this.bed.cold), 'cold records')
  }

  #copy(seed: number, instead: boolean): void {
    this.compareStores()
    // The machine of the copy before is used again, as a replica's is that gets a snapshot.
    const copied = this.bed.copy((keys) => shuffle(keys, seed), this.copied?.machine)
    this.copied = copied
    if (!instead) return
    copied.settledLog = [...this.bed.settledLog]
    copied.events = [...this.bed.events]
    this.bed = copied
    this.copied = null
  }

  /** Without the comparison of all that can be seen. */
  command(command: QueueCommand): void {
    this.model.receipt = { partition: PARTITION, term: 1, index: this.bed.index + 1, durableOn: DURABLE_ON }
    const reply = this.bed.run(command)
    this.#watch(reply)
    same(plain(reply), plain(this.model.run(this.bed.ticket, command)), command.type)
    if (this.copied !== null) same(this.copied.run(command), reply, `${command.type} at the copy`)
    if (command.type === 'queue_dequeue') this.tickets.set(this.bed.ticket, command)
    this.#note(reply, command.type === 'tx' ? null : command, '')
  }

  #note(reply: QueueReply | null, name: QueueName | null, late: string): void {
    this.#see(late + (reply === null ? 'waits' : reply.type === 'refused' ? reply.code : reply.type))
    if (reply?.type === 'settled') for (const outcome of reply.outcomes) this.#see(`item ${outcome}`)
    if (reply?.type === 'enqueued') for (const { deduplicated } of reply.items) if (deduplicated) this.#see('deduplicated')
    if (reply?.type === 'moved' && reply.moved > 0) this.#see('redriven')
    if (reply?.type === 'purged' && reply.purged > 0) this.#see('purged some')
    if (reply?.type !== 'delivered') return
    this.#see(`${late}${reply.messages.length > 1 ? 'several' : reply.messages.length === 1 ? 'one' : 'none'}`)
    for (const { id, token, attempt, checkpoint } of reply.messages) {
      if (attempt > 1) this.#see('redelivered')
      if (checkpoint !== null) this.#see('checkpoint')
      this.deliveries.push({ id, token, name: name as QueueName })
    }
  }

  #see(kind: string): void {
    this.seen.set(kind, (this.seen.get(kind) ?? 0) + 1)
  }

  compare(): void {
    const late = this.bed.settledLog.slice(this.#settled)
    const expected = this.model.settledLog.slice(this.#settled)
    this.#settled = this.bed.settledLog.length
    const told = ({ ticket, reply }: { ticket: number; reply: QueueReply }) => [ticket, plain(reply)]
    same(late.map(told), expected.map(told), 'late answers')
    for (const { ticket, reply } of late) this.#note(reply, this.tickets.get(ticket) ?? null, 'late ')
    const events = this.bed.events.slice(this.#events)
    const byId = (list: readonly { id: string }[]) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1))
    same(byId(events), byId(this.model.events.slice(this.#events)), 'events')
    for (const _ of events) this.#see('lease lost')
    this.#events = this.bed.events.length
    if (this.copied !== null) {
      same(this.copied.settledLog.splice(0), late, 'late answers of the copy')
      same(this.copied.events.splice(0), events, 'events of the copy')
      same(this.copied.machine.nextDeadline(), this.bed.machine.nextDeadline(), 'the next deadline of the copy')
    }
    for (const name of NAMES) this.#compareQueue(name)
    for (const namespace of ['default', 'other']) {
      const names = this.model.queues.filter((queue) => queue.name.namespace === namespace).map((queue) => queue.name.queue)
      const listed = this.bed.list(namespace, (this.#steps % 2) + 1)
      same(typeof listed === 'string' ? listed : listed.map(({ queue }) => queue), names.sort(), `the list of ${namespace}`)
    }
  }

  #compareQueue(name: QueueName): void {
    const where = `${name.namespace}/${name.queue}`
    const queue = this.model.queue(name)
    const status = this.bed.status(name)
    if (queue === undefined || typeof status === 'string') {
      return same(status, queue === undefined ? 'NO_SUCH_QUEUE' : 'a status', `the status of ${where}`)
    }
    same(status, queue.status(this.bed.time), `the status of ${where}`)
    for (const state of this.looks ? STATES : []) {
      const shown = this.bed.browse(name, state, this.#steps % 3 === 0 ? 1 : 100)
      same(shown, queue.browse(state, this.bed.time), `the ${state} of ${where}`)
    }
    if (this.copied !== null) same(this.copied.status(name), status, `the status of ${where} at the copy`)
  }

  #settling({ isLive, back, off, elsewhere }: DeliveryRef): Settling & { readonly name: QueueName } {
    const live = this.model.queues.flatMap(({ name, messages }) =>
      messages.filter(({ state }) => state === 'leased').map(({ id, token }) => ({ id, token, name })),
    )
    const { id, token, name } = (isLive ? live[back % live.length] : undefined) ??
      this.deliveries.at(-1 - back) ?? { id: back % 2 ? 'm_1_1' : 'nonsense', token: 1, name: NAMES[0] }
    return { id, token: Math.max(1, token + off), name: elsewhere ? NAMES[back % NAMES.length]! : name }
  }

  /** Those of the queue of the first. */
  #items(refs: readonly DeliveryRef[], of?: QueueName): { readonly name: QueueName; readonly items: Settling[] } {
    const all = refs.map((ref) => this.#settling(ref))
    const name = of ?? (all[0] as { name: QueueName }).name
    const here = all.filter((each) => each.name.namespace === name.namespace && each.name.queue === name.queue)
    const items = (here.length > 0 ? here : all).map(({ id, token }) => ({ id, token }))
    const { namespace, queue } = name
    return { name: { namespace, queue }, items }
  }

  #commandOf(next: Exclude<Step, { type: 'pass' | 'cancel' | 'copy' }>): QueueCommand {
    switch (next.type) {
      case 'tx':
        return { type: 'tx', ops: next.ops.map((op, at) => this.#op(op, at)) }
      case 'ack': {
        const { name, items } = this.#items(next.deliveries)
        return { type: 'queue_ack', ...name, items, fence: next.fence as Fence | null }
      }
      case 'nack': {
        const { name, items } = this.#items(next.deliveries)
        const { delayMs, reason, countAttempt } = next
        return { type: 'queue_nack', ...name, items: items.map((item) => ({ ...item, delayMs, reason, countAttempt })) }
      }
      case 'extend': {
        const { name, items } = this.#items(next.deliveries)
        const { visibilityMs, checkpoint } = next
        return { type: 'queue_extend', ...name, items: items.map((item) => ({ ...item, visibilityMs, checkpoint })) }
      }
      case 'enqueue':
        return { type: 'queue_enqueue', ...next.name, messages: newMessages(next.messages, 2) }
      default: {
        const { type, name, ...rest } = next
        return { type: `queue_${type}`, ...name, ...rest } as QueueCommand
      }
    }
  }

  #op(op: Op, at: number): TransactionOp {
    if (op.type === 'fence') return { type: 'require_fence', fence: op.fence }
    if (op.type === 'enqueue') return { type: 'queue_enqueue', ...op.name, messages: newMessages(op.messages, at === 0 ? 2 : 0) }
    const { name, items } = this.#items(op.deliveries)
    return { type: 'queue_ack', ...name, items, fence: op.fence as Fence | null }
  }
}

/** As `toEqual`, which is slow, where the two differ only. */
function same(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual, what).toEqual(expected)
}

/** Of a refusal only what programs read. */
function plain(reply: QueueReply | null): unknown {
  if (reply?.type !== 'refused') return reply
  const { op, highest } = reply.details
  return { type: 'refused', code: reply.code, op, highest }
}
