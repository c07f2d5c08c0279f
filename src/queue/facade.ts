/**
 * The queues as the API sees them: a command becomes bytes, goes through the log of the group where its queue lives, and
 * comes back as a reply or a refusal. No promise on the way of a command.
 *
 *   name -> partition (the hash of its {tag}, or of the name; namespaces share it) -> group
 */
import type { Plain } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import type { Hash } from '../base/hash.ts'
import { partitionGroup } from '../base/ids.ts'
import { partitionOf } from '../cluster/ring.ts'
import { isViewOrTuple, readOr, refusalOf, unreadable } from '../raft/unreadable.ts'
import type { Proposer, QueryOptions, Submission, SubmitOptions, SubmitResult } from '../raft/proposer.ts'
import { encodeCommand } from './codec.ts'
import { decodeReply } from './replies.ts'
import type {
  Answered,
  CommandOptions,
  MessagePage,
  QueueCommand,
  QueuePage,
  QueueQuery,
  Queues,
  QueueStatus,
  TransactionCommand,
} from './types.ts'

/** What places queues; the same on every node, for ever. */
export interface Partitioning {
  readonly partitions: number
  readonly hash: Hash
}

const NOT_SENT: Submission = { cancel() {} }

/** `gateway`: its life, `<node>@<incarnation>`, with which the waits of its callers end. '' : they end by themselves. */
export function createQueues(proposer: Proposer, partitioning: Partitioning, gateway = ''): Queues {
  const place = (key: string) => partitionOf(key, partitioning.partitions, partitioning.hash)
  return {
    partitionOf: ({ queue }) => place(queue),
    submit(command, options, done) {
      const places = new Set(keysOf(command).map(place))
      const [partition] = places
      if (partition === undefined || places.size > 1) {
        queueMicrotask(() => done(partition === undefined ? noOps() : crossPartition(command)))
        return NOT_SENT
      }
      const settled = (result: SubmitResult) => done(outcomeOf(result, partition))
      const isTold = gateway !== '' && command.type === 'queue_dequeue' && command.waitMs > 0 && options.idempotencyKey === undefined
      // Under a key it can be asked for again, elsewhere.
      const bytes = encodeCommand(isTold ? { ...command, gateway } : command)
      return proposer.submit(partitionGroup(partition), bytes, submitOptions(command, options), settled)
    },
    async status(name, options) {
      const answer = await ask(proposer, place(name.queue), { type: 'queue_status', ...only(name) }, options)
      return answer as unknown as QueueStatus
    },
    async list(namespace, cursor, limit, options) {
      const question = { type: 'queue_list', namespace, cursor, limit } as const
      const all = Array.from({ length: partitioning.partitions }, (_, partition) => ask(proposer, partition, question, options))
      const pages = (await Promise.all(all)) as unknown as QueuePage[]
      const merged = readOr(() => mergePages(pages, limit))
      if (merged instanceof TricordError) throw merged
      return merged
    },
    async browse(name, { state, cursor, limit }, options) {
      const question = { type: 'queue_browse', ...only(name), state, cursor, limit } as const
      const page = (await ask(proposer, place(name.queue), question, options)) as unknown as MessagePage
      if (!Array.isArray(page.messages) || !page.messages.every(({ body }) => body instanceof Uint8Array)) throw unreadable('a page')
      return page
    },
  }
}

/** What a command is placed by. Fences live beside what they guard, so they place a transaction only where nothing else does. */
function keysOf(command: QueueCommand): string[] {
  if (command.type !== 'tx') return [command.queue]
  const queues = command.ops.flatMap((op) => (op.type === 'require_fence' ? [] : [op.queue]))
  return queues.length > 0 ? queues : command.ops.flatMap((op) => (op.type === 'require_fence' ? [op.fence.resource] : []))
}

function noOps(): TricordError {
  return new TricordError('INVALID_ARGUMENT', 'ops: at least one', { errors: [{ path: 'ops', message: 'at least one' }] })
}

function crossPartition(command: QueueCommand): TricordError {
  const queues = [...new Set(keysOf(command))]
  return new TricordError('CROSS_PARTITION', 'the queues of a transaction live in one partition: give their names the same {tag}', {
    queues,
  })
}

function outcomeOf(result: SubmitResult, partition: number): Answered | TricordError {
  if (!result.ok) return result.error
  const reply = readOr(() => decodeReply(result.reply, partition))
  if (reply instanceof TricordError) return reply
  return reply.type === 'refused' ? refusalOf(reply) : reply
}

async function ask(proposer: Proposer, partition: number, question: QueueQuery, options: QueryOptions): Promise<Plain> {
  const { reply } = await proposer.query(partitionGroup(partition), question as unknown as Plain, options)
  if (!isViewOrTuple(reply)) throw unreadable('neither a view nor a refusal')
  if (!Array.isArray(reply)) return reply
  // Views are objects; a tuple is a refusal.
  const refusal = readOr(() => decodeReply(reply, partition))
  if (refusal instanceof TricordError) throw refusal
  if (refusal.type === 'refused') throw refusalOf(refusal)
  return reply
}

function only({ namespace, queue }: { readonly namespace: string; readonly queue: string }) {
  return { namespace, queue }
}

/** A cursor is the name of the last queue that was shown: it means the same to every partition. */
function mergePages(pages: readonly QueuePage[], limit: number): QueuePage {
  const found = pages.flatMap(({ queues }) => queues).sort((a, b) => (a.queue < b.queue ? -1 : 1))
  const queues = found.slice(0, limit)
  const more = found.length > queues.length || pages.some(({ cursor }) => cursor !== null)
  return { queues, cursor: more ? (queues.at(-1)?.queue ?? null) : null }
}

function submitOptions(command: QueueCommand, options: CommandOptions): SubmitOptions {
  const { timeoutMs, idempotencyKey, traceparent = '' } = options
  const essential = !takesSpace(command)
  return idempotencyKey === undefined ? { timeoutMs, traceparent, essential } : { timeoutMs, key: idempotencyKey, traceparent, essential }
}

/** What empties a queue, or keeps a lease, is taken though the disk is low: the space comes back, and no work is lost. */
function takesSpace(command: QueueCommand): boolean {
  if (command.type === 'tx') return enqueues(command)
  return command.type === 'queue_enqueue' || command.type === 'queue_put' || command.type === 'queue_redrive'
}

function enqueues({ ops }: TransactionCommand): boolean {
  return ops.some((op) => op.type === 'queue_enqueue')
}
