/**
 * Transactions as the API sees them. One without puts is the queues' own. For each put the cache of this node is asked first what
 * the log has to say: the cache's configuration and the tags live on other partitions.
 *
 *   ops ─▶ one partition? ─▶ puts planned by the node's cache ─▶ the log of the partition ─▶ gate ─▶ answer
 *                              ▲                                    │ OWNER_BUSY: a node writes a key alone (`writeback`, once)
 *                              └──── the keys are given back ◀──────┘
 */
import type { Plain } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import { partitionGroup } from '../base/ids.ts'
import type { PlanPut } from '../cache/facade.ts'
import { lineOf, placeOf } from '../cache/line-id.ts'
import { partitionOf } from '../cluster/ring.ts'
import { encodeCommand } from '../queue/codec.ts'
import type { Partitioning } from '../queue/facade.ts'
import { decodeReply as decodeQueueReply } from '../queue/replies.ts'
import type { CommandOptions, QueueReply, Queues, TransactionOp, TransactionResult } from '../queue/types.ts'
import type { Proposer, Submission, SubmitOptions } from '../raft/proposer.ts'
import { readOr, refusalOf, unreadable } from '../raft/unreadable.ts'
import { type WrittenPut, decodeReply, encodeMixed } from './codec.ts'
import type { CachePutOp, Op, Transacted, Transactions } from './types.ts'

export interface TransactionsOptions {
  readonly queues: Queues
  readonly proposer: Proposer
  readonly partitioning: Partitioning
  readonly planPut: PlanPut
}

/** Keys that are given back may be owned again at once: so often a transaction is tried. */
const TRIES = 3

/** A transaction is done or refused as it is applied. */
const NOTHING_WAITS: Submission = { cancel() {} }

export function createTransactions({ queues, proposer, partitioning, planPut }: TransactionsOptions): Transactions {
  const placed = (ops: readonly Op[]): ReadonlySet<number> =>
    new Set(placesOf(ops).map((place) => partitionOf(place, partitioning.partitions, partitioning.hash)))
  return {
    submit(transaction, options, done) {
      const { ops } = transaction
      const puts = ops.filter(isPut)
      if (puts.length === 0) {
        const own = { type: 'tx', ops: ops.filter((op): op is TransactionOp => !isPut(op)) } as const
        return queues.submit(own, options, (reply) => done(reply instanceof TricordError ? reply : transactedIn(reply, ops)))
      }
      const partitions = placed(ops)
      const [partition] = partitions
      if (partition === undefined || partitions.size > 1) {
        queueMicrotask(() => done(crossPartition(ops)))
        return NOTHING_WAITS
      }
      const attempt = async (nth: number): Promise<void> => {
        const commands = await Promise.all(puts.map((put) => planPut(put, put.value, nth > 0, planOptions(options))))
        proposer.submit(partitionGroup(partition), encode(ops, commands), submitOptions(options, nth), (result) => {
          const outcome = result.ok ? outcomeOf(result.reply, partition, ops) : result.error
          const isOwned = outcome instanceof TricordError && outcome.code === 'OWNER_BUSY'
          if (isOwned && nth + 1 < TRIES) attempt(nth + 1).catch(refuse)
          else done(outcome)
        })
      }
      const refuse = (error: unknown): void => {
        if (!(error instanceof TricordError)) throw error
        done(error)
      }
      attempt(0).catch(refuse)
      return NOTHING_WAITS
    },
  }
}

function isPut(op: Op): op is CachePutOp {
  return op.type === 'cache_put'
}

/** Fences live beside what they guard: where there is a queue or a key, those place all. */
function placesOf(ops: readonly Op[]): readonly string[] {
  return ops.flatMap((op) => {
    if (op.type === 'require_fence') return []
    return [isPut(op) ? placeOf(lineOf(op)) : op.queue]
  })
}

function crossPartition(ops: readonly Op[]): TricordError {
  const message = 'the queues and the keys of a transaction live in one partition: give their names the same {tag}'
  const queues = new Set(ops.flatMap((op) => ('queue' in op ? [op.queue] : [])))
  return new TricordError('CROSS_PARTITION', message, { queues: [...queues], keys: [...new Set(ops.filter(isPut).map(({ key }) => key))] })
}

function encode(ops: readonly Op[], commands: readonly Uint8Array[]): Uint8Array {
  const left = [...commands]
  const own = ops.filter((op): op is TransactionOp => !isPut(op))
  const queues = own.length === 0 ? null : encodeCommand({ type: 'tx', ops: own })
  return encodeMixed({ ops: ops.map((op) => (isPut(op) ? (left.shift() as Uint8Array) : null)), queues })
}

function outcomeOf(reply: Plain, partition: number, ops: readonly Op[]): Transacted | TricordError {
  const mixed = readOr(() => decodeReply(reply))
  if (mixed instanceof TricordError) return mixed
  const said = readOr(() => decodeQueueReply(mixed === null ? reply : mixed.queues, partition))
  if (said instanceof TricordError) return said
  return said.type === 'refused' ? refusalOf(said) : transactedIn(said, ops, mixed?.puts)
}

/** The results in the order of the ops. */
function transactedIn(said: QueueReply, ops: readonly Op[], puts: readonly WrittenPut[] = []): Transacted | TricordError {
  if (said.type !== 'transacted') return unreadable('another answer to a transaction')
  const [queued, written] = [said.results.values(), puts.values()]
  const results: Transacted['results'][number][] = []
  for (const op of ops) {
    const { value } = isPut(op) ? written.next() : queued.next()
    if (value === undefined) return unreadable('an answer to fewer operations')
    results.push(isPut(op) ? { put: { key: op.key, ...(value as WrittenPut) } } : (value as TransactionResult))
  }
  return { type: 'transacted', results, receipt: said.receipt }
}

function planOptions({ timeoutMs, traceparent }: CommandOptions) {
  return { timeoutMs, ...(traceparent && { traceparent }) }
}

/** Each try has a key of its own: under that of the one before its refusal would be repeated. */
function submitOptions({ timeoutMs, idempotencyKey, traceparent = '' }: CommandOptions, nth: number): SubmitOptions {
  if (!idempotencyKey) return { timeoutMs, traceparent }
  const key = nth === 0 ? idempotencyKey : { ...idempotencyKey, key: `${idempotencyKey.key}#${nth}` }
  return { timeoutMs, traceparent, key }
}
