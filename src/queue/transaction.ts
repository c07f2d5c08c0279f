/**
 * Several ops as one: first all of them are held against the state as the ones before would leave it, then all are done. The
 * first that would be refused refuses all, and nothing has changed.
 */
import type { Plain } from '../actors/envelope.ts'
import type { Millis } from '../base/ids.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import type { ApplyContext } from '../raft/machine.ts'
import { noSuchQueue } from './dequeue.ts'
import { queueFor, takeIn } from './enqueue.ts'
import type { Note } from './note.ts'
import { didAck, didEnqueue, didFence, transacted } from './replies.ts'
import { type Draft, newDraft, planEnqueue } from './room.ts'
import { ackOne, findLeased, wasAcked } from './settle.ts'
import type { QueueTable } from './table.ts'
import type { AckCommand, EnqueueCommand, Fence, QueueName, TransactionCommand, TransactionOp } from './types.ts'

export function transact(table: QueueTable, ctx: ApplyContext, { ops }: TransactionCommand): Plain | Refused {
  const plan = new Plan(table, ctx.time)
  for (const [at, op] of ops.entries()) {
    const refusal = plan.add(op)
    if (refusal !== null) return { ...refusal, details: { ...refusal.details, op: at } }
  }
  return transacted(
    ctx.index,
    ctx.term,
    ops.map((op, at) => carryOut(table, ctx, op, plan.counts[at] as number)),
  )
}

function carryOut(table: QueueTable, ctx: ApplyContext, op: TransactionOp, count: number): Plain {
  if (op.type === 'require_fence') {
    table.fences.raise(op.fence)
    return didFence()
  }
  const queue = queueFor(table, op as EnqueueCommand)
  if (op.type === 'queue_enqueue') {
    const result = didEnqueue(queue.number)
    takeIn(queue, op, count, ctx.time, result)
    return result
  }
  if (op.fence !== null) table.fences.raise(op.fence)
  for (const item of op.items) ackOne(queue, item, ctx.time)
  return didAck(op.items.length)
}

/** The ops so far, as if they had been done. */
class Plan {
  /** Per op: how many messages it adds. */
  readonly counts: number[] = []
  readonly #table: QueueTable
  readonly #now: Millis
  readonly #drafts = new Map<string, Draft>()
  readonly #fences = new Map<string, number>()
  readonly #acked = new Set<Note>()

  constructor(table: QueueTable, now: Millis) {
    this.#table = table
    this.#now = now
  }

  add(op: TransactionOp): Refused | null {
    if (op.type === 'queue_enqueue') return this.#addEnqueue(op)
    this.counts.push(0)
    return op.type === 'queue_ack' ? this.#addAck(op) : this.#addFence(op.fence)
  }

  #addEnqueue(op: EnqueueCommand): Refused | null {
    const count = planEnqueue(this.#table, this.#table.find(op), op, this.#now, this.#draftOf(op))
    if (typeof count !== 'number') return count
    this.counts.push(count)
    return null
  }

  #addAck(op: AckCommand): Refused | null {
    const queue = this.#table.find(op)
    if (queue === null && !this.#drafts.has(keyOf(op))) return noSuchQueue(op)
    const refusal = op.fence === null ? null : this.#addFence(op.fence)
    if (refusal !== null) return refusal
    const draft = this.#draftOf(op)
    for (const item of op.items) {
      const note = queue === null ? 'NO_SUCH_MESSAGE' : findLeased(queue, item)
      if (typeof note === 'string') {
        if (note === 'NO_SUCH_MESSAGE' && queue !== null && wasAcked(queue, item)) continue
        return refuse(note, `${item.id} is not leased under ${item.token}`, { id: item.id })
      }
      if (this.#acked.has(note)) continue
      this.#acked.add(note)
      draft.added -= 1
      if (note.lane.isGroup) draft.freed.add(note.lane)
    }
    return null
  }

  #addFence(fence: Fence): Refused | null {
    const refusal = this.#table.fences.refuses(fence, this.#fences.get(fence.resource))
    if (refusal === null) this.#fences.set(fence.resource, fence.token)
    return refusal
  }

  #draftOf(name: QueueName): Draft {
    const key = keyOf(name)
    const draft = this.#drafts.get(key) ?? newDraft()
    this.#drafts.set(key, draft)
    return draft
  }
}

function keyOf({ namespace, queue }: QueueName): string {
  return `${namespace.length} ${namespace}${queue}`
}
