/**
 * Messages between JSON and what the machine keeps: `data` as JSON text or raw bytes, headers, the producer's trace.
 *
 *   {data, encoding, headers, …} ──> NewMessage {body: bytes, group, …} ──> log … machine ──> DeliveredMessage ──> answer
 *
 * JSON data is kept as its value, not as the text that came: `{ "a": 1.0 }` is delivered as `{"a":1}`.
 */
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import { type MessageBody, decodeBody, encodeBody } from '../queue/message-body.ts'
import { type BrowsedMessage, type DeliveredMessage, type NewMessage, QUEUE_LIMITS } from '../queue/types.ts'
import { isSampled, parseTraceparent } from '../telemetry/tracing.ts'
import { base64Bytes, jsonBytes } from './encoded-data.ts'
import type { MessageInput } from './queue-schemas.ts'

/** The last moment that a date can name. */
const DATE_MAX: Millis = 8.64e15

/** What all messages of one call share. */
export interface Enqueuing {
  /** Wall clock of the gateway. */
  readonly at: Millis
  /** Of the call: kept with the message where it is well-formed, for the consumer to link to. */
  readonly traceparent: string
}

/** `path`: where the message stands in the request, '' or ending in a dot. Throws INVALID_ARGUMENT and TOO_LARGE. */
export function newMessage(input: MessageInput, path: string, { at, traceparent }: Enqueuing): NewMessage {
  const { encoding = 'json', headers } = input
  const data = encoding === 'json' ? jsonBytes(input.data, `${path}data`) : base64Bytes(input.data, `${path}data`)
  if (data.length > QUEUE_LIMITS.dataBytesMax) throw dataTooLarge(`${path}data`, data.length)
  const body: MessageBody = {
    encoding,
    data,
    headers: headers === undefined ? '' : headersText(headers),
    traceparent: traceparent !== '' && parseTraceparent(traceparent) ? traceparent : '',
    enqueuedAt: at,
  }
  return {
    body: encodeBody(body),
    group: input.group ?? '',
    dedupId: input.dedupId ?? '',
    delayMs: input.delayMs ?? 0,
    priority: input.priority ?? 0,
    ttlMs: input.ttlMs ?? 0,
  }
}

/** As many as one command takes, with its limit on all of them. */
export function newMessages(inputs: readonly MessageInput[], path: string, enqueuing: Enqueuing): NewMessage[] {
  const messages: NewMessage[] = []
  let left: number = QUEUE_LIMITS.batchBytesMax
  for (const [at, input] of inputs.entries()) {
    const message = newMessage(input, `${path}${at}.`, enqueuing)
    left -= message.body.length
    if (left < 0) throw batchTooLarge()
    messages.push(message)
  }
  return messages
}

function headersText(headers: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(headers)
  return text === '{}' ? '' : text
}

function dataTooLarge(path: string, bytes: number): TricordError {
  const bytesMax = QUEUE_LIMITS.dataBytesMax
  return new TricordError('TOO_LARGE', `${path} has ${bytes} bytes; at most ${bytesMax} are taken`, { bytes, bytesMax })
}

function batchTooLarge(): TricordError {
  const bytesMax = QUEUE_LIMITS.batchBytesMax
  return new TricordError('TOO_LARGE', `the messages together have more than ${bytesMax} bytes: send them in several calls`, { bytesMax })
}

/** API.md's message of a dequeue. */
export function deliveredMessage(message: DeliveredMessage): Record<string, unknown> {
  const { id, token, attempt, group, checkpoint } = message
  const body = bodyOf(message)
  const { data, encoding, headers, enqueuedAt } = shownBody(body)
  return {
    id,
    token,
    attempt,
    group: group === '' ? null : group,
    data,
    encoding,
    headers,
    enqueuedAt,
    checkpoint: checkpoint === null ? null : (parsed(checkpoint) ?? null),
    traceparent: body.traceparent === '' ? null : body.traceparent,
  }
}

/** A message that was looked at, not taken. */
export function browsedMessage(message: BrowsedMessage): Record<string, unknown> {
  const { id, state, attempt, group, priority, remainingMs, consumer, reason } = message
  const shown = shownBody(bodyOf(message))
  return { id, state, attempt, group: group === '' ? null : group, priority, remainingMs, consumer, reason, ...shown }
}

/** The producer's trace of a message, where it was sampled; else ''. */
export function sampledTraceOf(message: DeliveredMessage): string {
  const { traceparent } = bodyOf(message)
  return traceparent !== '' && isSampled(traceparent) ? traceparent : ''
}

/** What is in the log may be of another version, or of nobody: then its bytes are shown as they are, for its consumer to judge. */
function bodyOf({ body }: { readonly body: Uint8Array }): MessageBody {
  return decodeBody(body) ?? { encoding: 'base64', data: body, headers: '', traceparent: '', enqueuedAt: 0 }
}

/** undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

interface ShownBody {
  readonly data: unknown
  readonly encoding: MessageBody['encoding']
  readonly headers: unknown
  readonly enqueuedAt: string
}

function shownBody({ encoding, data, headers, enqueuedAt }: MessageBody): ShownBody {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  const value = encoding === 'json' ? parsed(text.toString()) : undefined
  return {
    data: value === undefined ? text.toString('base64') : value,
    encoding: value === undefined ? 'base64' : encoding,
    headers: headers === '' ? {} : (parsed(headers) ?? {}),
    enqueuedAt: new Date(Math.min(enqueuedAt, DATE_MAX)).toISOString(),
  }
}
