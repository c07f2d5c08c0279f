/**
 * The queues of a partition as a replicated state machine: the table of contents of this folder.
 *
 *   advance ──▶ expiry                 commands ──▶ codec ──▶ enqueue | dequeue | settle | upkeep | transaction
 *                  └────────▶ pump ◀──────────────────────────────────────┘
 *                        serves who waits with what became visible
 *
 *   table ── queue ── lane ── runs: what is ready costs no object         notes: what there is to say about one message
 *   drain: records (the state)  and cold records (the bodies)             attach: bodies, as an answer leaves
 *
 * Invariants after every call are asserted by `check`.
 */
import type { Plain } from '../actors/envelope.ts'
import type { Millis } from '../base/ids.ts'
import type { Refused } from '../base/refusal.ts'
import type { ApplyContext, StateMachine } from '../raft/machine.ts'
import { attach } from './attach.ts'
import { BodyCache } from './body-cache.ts'
import { checkTable } from './check.ts'
import { decodeCommand } from './codec.ts'
import { abandon, dequeue, giveUp, pump } from './dequeue.ts'
import { enqueue } from './enqueue.ts'
import { expire } from './expiry.ts'
import { Loader } from './loader.ts'
import { answer } from './queries.ts'
import { drainRecords } from './records.ts'
import { refused } from './replies.ts'
import { ack, extend, nack } from './settle.ts'
import { type QueueMachineStats, statsOf } from './stats.ts'
import { QueueTable } from './table.ts'
import { transact } from './transaction.ts'
import type { LoggedCommand } from './types.ts'
import { deleteQueue, purge, putQueue, redrive } from './upkeep.ts'

const METRICS_MAX = 100

export interface QueueMachineOptions {
  /** Of the node, shared by its machines. Without one, what was drained is read from the store. */
  readonly bodyCache?: BodyCache
  /** Queues that `stats` tells of one by one. */
  readonly queueMetricsMax?: number
  /** Whose queues they are, 0 where there is only one; the same on every replica, for ever: ids of messages tell it. */
  readonly partition?: number
}

export interface QueueMachine extends StateMachine {
  attach: NonNullable<StateMachine['attach']>
  /** `time`: cluster time now. */
  stats(time: Millis): QueueMachineStats
  /** Where callers wait: lives of gateways. */
  gateways(): readonly string[]
}

export function createQueueMachine(options: QueueMachineOptions = {}): QueueMachine {
  const bodyCache = options.bodyCache ?? new BodyCache(0)
  const queueMetricsMax = options.queueMetricsMax ?? METRICS_MAX
  const partition = options.partition ?? 0
  let table = new QueueTable(bodyCache, partition)
  let loader = new Loader(table)
  // For `check` alone: when `advance` ran last, and whether something may be due before it runs again.
  let lastTime = 0
  let paced = false

  return {
    apply(ctx, ticket, bytes) {
      const command = decodeCommand(bytes)
      const outcome = command.type === 'refused' ? command : execute(table, ctx, ticket, command)
      if (command.type === 'queue_put') paced = true
      pump(table, ctx)
      return isRefused(outcome) ? refused(outcome) : outcome
    },
    cancel(ctx, ticket) {
      const waiter = table.waiters.get(ticket)
      if (waiter !== undefined) giveUp(table, ctx, waiter)
    },
    advance(ctx) {
      lastTime = ctx.time
      paced = !expire(table, ctx)
    },
    nextDeadline: () => table.nextDeadline(),
    query: (request, time) => answer(table, request, time),
    attach: (reply, context) => attach(table, reply, context),
    get dirty() {
      return table.changes.size + table.cold.size + (table.countersChanged ? 1 : 0)
    },
    get dirtyBytes() {
      return table.cold.bytes
    },
    drain: (write, writeCold) => drainRecords(table, write, writeCold),
    load: (key, value) => loader.load(key, value),
    prepare: () => loader.prepare(),
    loaded: () => loader.finish(),
    reset() {
      for (const queue of table.byNumber.values()) queue.bodies.clear()
      table = new QueueTable(bodyCache, partition)
      loader = new Loader(table)
    },
    check: () => checkTable(table, lastTime, paced),
    stats: (time) => statsOf(table, time, queueMetricsMax),
    gateways: () => [...table.gateways.keys()],
  }
}

function execute(table: QueueTable, ctx: ApplyContext, ticket: number, command: LoggedCommand): Plain | Refused | null {
  switch (command.type) {
    case 'queue_enqueue':
      return enqueue(table, ctx, command)
    case 'queue_dequeue':
      return dequeue(table, ctx, ticket, command)
    case 'queue_ack':
      return ack(table, ctx, command)
    case 'queue_nack':
      return nack(table, ctx, command)
    case 'queue_extend':
      return extend(table, ctx, command)
    case 'queue_put':
      return putQueue(table, command)
    case 'queue_redrive':
      return redrive(table, ctx, command)
    case 'queue_purge':
      return purge(table, ctx, command)
    case 'queue_delete':
      return deleteQueue(table, ctx, command)
    case 'queue_abandon':
      return abandon(table, ctx, command)
    case 'tx':
      return transact(table, ctx, command)
  }
}

/** Replies are tuples, refusals are objects. */
function isRefused(outcome: Plain | Refused | null): outcome is Refused {
  return outcome !== null && !Array.isArray(outcome)
}
