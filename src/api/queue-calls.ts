/**
 * The operations of queues as the gateway offers them: members and defaults of API.md in, API.md's answers out. HTTP and
 * WebSocket share them.
 */
import { type ErrorCode, TricordError } from '../base/errors.ts'
import {
  type AckCommand,
  type Answered,
  type CommandOptions,
  type DeliveredMessage,
  type DequeueCommand,
  type EnqueueCommand,
  type ExtendCommand,
  type ItemOutcome,
  type NackCommand,
  type PutQueueCommand,
  QUEUE_LIMITS,
  type QueueCommand,
  type QueueName,
  type Settling,
} from '../queue/types.ts'
import { jsonText } from './encoded-data.ts'
import { type Gateway, type GatewaySpan, type QueueGateway, expectReply } from './gateway.ts'
import { type Enqueuing, deliveredMessage, newMessage, newMessages, sampledTraceOf } from './queue-messages.ts'
import { type AckBody, type DequeueBody, type ExtendBody, type NackBody, type QueueBody, batchBody, messageBody } from './queue-schemas.ts'
import { validate } from './schemas.ts'

/** How a call is known to the log: the same for HTTP and WebSocket. */
export interface QueueScope extends QueueName {
  readonly key?: CommandOptions['idempotencyKey']
  readonly traceparent: string
}

export type Answer = Record<string, unknown>

export function queueOptions(gateway: QueueGateway, scope: Pick<QueueScope, 'key' | 'traceparent'>, waitMs = 0): CommandOptions {
  const timeoutMs = gateway.settings.commandTimeoutMs + waitMs
  return { timeoutMs, ...(scope.key && { idempotencyKey: scope.key }), ...(scope.traceparent && { traceparent: scope.traceparent }) }
}

export function putCommand({ namespace, queue }: QueueName, body: QueueBody): PutQueueCommand {
  return { type: 'queue_put', namespace, queue, config: body as PutQueueCommand['config'] }
}

/** One message, or `messages`: told apart by that member, so that each has errors of its own. */
export function enqueueCommand(name: QueueName, body: unknown, enqueuing: Enqueuing): EnqueueCommand & { readonly isBatch: boolean } {
  const { namespace, queue } = name
  const isBatch = typeof body === 'object' && body !== null && 'messages' in body
  const messages = isBatch
    ? newMessages(validate(batchBody, body).messages, 'messages.', enqueuing)
    : [newMessage(validate(messageBody, body), '', enqueuing)]
  return { type: 'queue_enqueue', namespace, queue, messages, isBatch }
}

export function dequeueCommand({ namespace, queue }: QueueName, body: DequeueBody, watcher: string): DequeueCommand {
  const { max = 1, waitMs = 0, visibilityMs = null, consumer = '' } = body
  return { type: 'queue_dequeue', namespace, queue, max, waitMs, visibilityMs, consumer, watcher }
}

export function ackCommand({ namespace, queue }: QueueName, { items, fence }: AckBody): AckCommand {
  return { type: 'queue_ack', namespace, queue, items, fence: fence ?? null }
}

export function nackCommand({ namespace, queue }: QueueName, body: NackBody): NackCommand {
  const items = body.items.map(({ id, token, delayMs = null, reason = '', countAttempt = true }) => ({
    id,
    token,
    delayMs,
    reason,
    countAttempt,
  }))
  return { type: 'queue_nack', namespace, queue, items }
}

export function extendCommand({ namespace, queue }: QueueName, body: ExtendBody): ExtendCommand {
  const items = body.items.map(({ id, token, visibilityMs, checkpoint }, at) => ({
    id,
    token,
    visibilityMs,
    checkpoint: checkpoint === undefined ? null : checkpointText(checkpoint, `items.${at}.checkpoint`),
  }))
  return { type: 'queue_extend', namespace, queue, items }
}

function checkpointText(checkpoint: unknown, path: string): string {
  const text = jsonText(checkpoint, path)
  const bytesMax = QUEUE_LIMITS.checkpointBytesMax
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax)
    throw new TricordError('TOO_LARGE', `${path} has ${bytes} bytes; at most ${bytesMax} are taken`, { bytes, bytesMax })
  return text
}

export function enqueuedAnswer(reply: Answered, isBatch: boolean): Answer {
  const { items, receipt } = expectReply(reply, 'enqueued')
  if (isBatch) return { results: items, receipt }
  const [item] = items
  if (!item) throw new Error('an enqueue without a message')
  return { id: item.id, deduplicated: item.deduplicated, receipt }
}

export function deliveredAnswer(reply: Answered): Answer {
  return { messages: expectReply(reply, 'delivered').messages.map(deliveredMessage) }
}

/** Of several items each says how it went; where there is only one, its failure is the call's. */
export function settledAnswer(command: { readonly items: readonly Settling[] }, reply: Answered): Answer {
  const { outcomes } = expectReply(reply, 'settled')
  const { items } = command
  const [only] = items
  if (items.length === 1 && only && outcomes[0])
    throw new TricordError(outcomes[0], SETTLING[outcomes[0]] ?? 'not settled', { id: only.id })
  return { results: items.map(({ id }, at) => itemAnswer(id, outcomes[at] ?? '')) }
}

const itemAnswer = (id: string, outcome: ItemOutcome): Answer => (outcome === '' ? { id, ok: true } : { id, ok: false, code: outcome })

const SETTLING: Partial<Record<ErrorCode, string>> = {
  STALE_TOKEN: 'the token is not that of the newest delivery of this message',
  LEASE_EXPIRED: 'the lease of this delivery has ended: the message will be delivered again',
  NO_SUCH_MESSAGE: 'there is no such message: it was settled, expired or purged',
}

/** Leased for a caller who is gone: given back at once, as if they had not been delivered. */
export function giveBack(
  gateway: QueueGateway,
  { namespace, queue }: QueueName,
  messages: readonly Pick<DeliveredMessage, 'id' | 'token'>[],
): void {
  if (messages.length === 0) return
  const items = messages.map(({ id, token }) => ({ id, token, delayMs: 0, reason: '', countAttempt: false }))
  const command: QueueCommand = { type: 'queue_nack', namespace, queue, items }
  gateway.backend.queues.submit(command, queueOptions(gateway, { traceparent: '' }), () => {})
}

/** The consumer's span links to those of the producers; without a span nothing is looked at. */
export function linkDelivered(gateway: Gateway, { namespace, queue }: QueueName, span: GatewaySpan | null, reply: Answered): void {
  if (!span) return
  for (const message of expectReply(reply, 'delivered').messages) {
    const traceparent = sampledTraceOf(message)
    if (traceparent === '') continue
    span.link(traceparent)
    gateway.producers.delivered(namespace, queue, message.id, traceparent)
  }
}

export function linkSettled(gateway: Gateway, { namespace, queue, items }: AckCommand, span: GatewaySpan | null): void {
  if (!span) return
  for (const { id } of items) span.link(gateway.producers.of(namespace, queue, id))
}
