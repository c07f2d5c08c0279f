/**
 * Commands on their way through the log. Numbers are varints, texts and bodies have their length first.
 *
 *   version (u8)  kind (u8)  then, but for tx and abandon:  namespace  queue
 *   put       config (plain)
 *   enqueue   n, then n times: flags (u8: which of the next are there) group dedupId delayMs priority ttlMs, body
 *   dequeue   max waitMs visibilityMs (0: the queue's) consumer watcher
 *   ack       fence?  n, then n times: id token
 *   nack      n, then n times: id token delayMs+1 (0: back-off) countAttempt reason
 *   extend    n, then n times: id token visibilityMs checkpoint? (JSON)
 *   dequeue_at  as dequeue, gateway
 *   redrive   max reason            purge, delete   nothing
 *   abandon   gateway
 *   tx        n, then n times: kind, and as above; require_fence: resource token
 *
 * Decoding trusts nothing: whatever is not exactly this is a refusal, so no bytes in the log can harm the machine. It copies
 * nothing either: a body is a view of the bytes it came in.
 */
import { type Refused, invalid, refuse } from '../base/refusal.ts'
import { ByteWriter } from '../raft/bytes.ts'
import { QueueCommandReader } from './command-reader.ts'
import { readConfig, writeConfig } from './config-codec.ts'
import { QUEUE_LIMITS } from './types.ts'
import type {
  AbandonCommand,
  AckCommand,
  DequeueCommand,
  EnqueueCommand,
  ExtendCommand,
  Fence,
  LoggedCommand,
  NackCommand,
  NewMessage,
  QueueCommand,
  QueueName,
  Settling,
  TransactionCommand,
  TransactionOp,
} from './types.ts'

const VERSION = 1
const PUT = 1
const ENQUEUE = 2
const DEQUEUE = 3
const ACK = 4
const NACK = 5
const EXTEND = 6
const REDRIVE = 7
const PURGE = 8
const DELETE = 9
const TX = 10
const REQUIRE_FENCE = 11
const DEQUEUE_AT = 12
const ABANDON = 13

const HAS_GROUP = 1
const HAS_DEDUP_ID = 2
const HAS_DELAY = 4
const HAS_PRIORITY = 8
const HAS_TTL = 16
const FLAGS_ALL = 31

const ID_LENGTH_MAX = 64
const WATCHER_LENGTH_MAX = 256
const FENCE_RESOURCE_LENGTH_MAX = 256
const GATEWAY_LENGTH_MAX = 128
/** What a number that no varint can carry is sent as: beyond every limit. */
const OUT_OF_RANGE = Number.MAX_SAFE_INTEGER
const TOKEN_MAX = OUT_OF_RANGE - 1

const KINDS: Readonly<Record<LoggedCommand['type'] | 'require_fence', number>> = {
  queue_put: PUT,
  queue_enqueue: ENQUEUE,
  queue_dequeue: DEQUEUE,
  queue_ack: ACK,
  queue_nack: NACK,
  queue_extend: EXTEND,
  queue_redrive: REDRIVE,
  queue_purge: PURGE,
  queue_delete: DELETE,
  tx: TX,
  require_fence: REQUIRE_FENCE,
  queue_abandon: ABANDON,
}

const out = new ByteWriter(1024)

/** The bytes of a command. Values out of range are encoded as they are: decoding refuses them. */
export function encodeCommand(command: LoggedCommand): Uint8Array {
  // One that was no command, and threw, has left its beginning behind.
  if (out.length > 0) out.take()
  out.u8(VERSION)
  write(command)
  return out.take()
}

function write(c: LoggedCommand | TransactionOp): void {
  out.u8(c.type === 'queue_dequeue' && c.gateway !== undefined ? DEQUEUE_AT : KINDS[c.type])
  if (c.type === 'queue_abandon') return out.text(c.gateway)
  if (c.type === 'tx') return writeList(c.ops, write)
  if (c.type === 'require_fence') return writeFence(c.fence)
  out.text(c.namespace)
  out.text(c.queue)
  switch (c.type) {
    case 'queue_put':
      return writeConfig(out, c.config)
    case 'queue_enqueue':
      return writeList(c.messages, writeMessage)
    case 'queue_dequeue':
      number(c.max)
      number(c.waitMs)
      number(c.visibilityMs ?? 0)
      out.text(c.consumer)
      out.text(c.watcher)
      if (c.gateway !== undefined) out.text(c.gateway)
      return
    case 'queue_ack':
      out.u8(c.fence === null ? 0 : 1)
      if (c.fence !== null) writeFence(c.fence)
      return writeList(c.items, writeSettling)
    case 'queue_nack':
      return writeList(c.items, writeNack)
    case 'queue_extend':
      return writeList(c.items, writeExtension)
    case 'queue_redrive':
      number(c.max)
      return out.text(c.reason)
    case 'queue_purge':
    case 'queue_delete':
      return
  }
}

function number(value: number): void {
  out.varint(Number.isSafeInteger(value) && value >= 0 ? value : OUT_OF_RANGE)
}

function writeList<T>(items: readonly T[], each: (item: T) => void): void {
  out.varint(items.length)
  for (const item of items) each(item)
}

function writeMessage({ body, group, dedupId, delayMs, priority, ttlMs }: NewMessage): void {
  let flags = group === '' ? 0 : HAS_GROUP
  if (dedupId !== '') flags |= HAS_DEDUP_ID
  if (delayMs !== 0) flags |= HAS_DELAY
  if (priority !== 0) flags |= HAS_PRIORITY
  if (ttlMs !== 0) flags |= HAS_TTL
  out.u8(flags)
  if (flags !== 0) {
    if (group !== '') out.text(group)
    if (dedupId !== '') out.text(dedupId)
    if (delayMs !== 0) number(delayMs)
    if (priority !== 0) number(priority)
    if (ttlMs !== 0) number(ttlMs)
  }
  out.bytes(body)
}

function writeSettling({ id, token }: Settling): void {
  out.text(id)
  number(token)
}

function writeNack(item: NackCommand['items'][number]): void {
  writeSettling(item)
  number(item.delayMs === null ? 0 : item.delayMs < 0 ? OUT_OF_RANGE : item.delayMs + 1)
  out.u8(item.countAttempt ? 1 : 0)
  out.text(item.reason)
}

function writeExtension(item: ExtendCommand['items'][number]): void {
  writeSettling(item)
  number(item.visibilityMs)
  out.u8(item.checkpoint === null ? 0 : 1)
  if (item.checkpoint !== null) out.text(item.checkpoint)
}

function writeFence({ resource, token }: Fence): void {
  out.text(resource)
  number(token)
}

/** Reads a command, or says why it is none. Never throws. The bodies are views of `bytes`. */
export function decodeCommand(bytes: Uint8Array): LoggedCommand | Refused {
  const input = new QueueCommandReader(bytes)
  if (input.u8() !== VERSION) return invalid('', 'a queue command of an unknown version')
  const kind = input.u8()
  const command = kind === TX ? readTransaction(input) : kind === ABANDON ? readAbandon(input) : readCommand(input, kind)
  return input.end() ?? command
}

function readCommand(input: QueueCommandReader, kind: number): QueueCommand | Refused {
  const name = readName(input)
  switch (kind) {
    case PUT:
      return { type: 'queue_put', ...name, config: readConfig(input) }
    case ENQUEUE:
      return readEnqueue(input, name)
    case DEQUEUE:
      return readDequeue(input, name)
    case DEQUEUE_AT:
      return { ...readDequeue(input, name), gateway: readGateway(input) }
    case ACK:
      return readAck(input, name)
    case NACK:
      return { type: 'queue_nack', ...name, items: readItems(input, readNack) }
    case EXTEND:
      return { type: 'queue_extend', ...name, items: readItems(input, readExtension) }
    case REDRIVE:
      return {
        type: 'queue_redrive',
        ...name,
        max: input.count('max', 1, QUEUE_LIMITS.redriveMax),
        reason: input.text('reason', 0, QUEUE_LIMITS.reasonLengthMax),
      }
    case PURGE:
      return { type: 'queue_purge', ...name }
    case DELETE:
      return { type: 'queue_delete', ...name }
    default:
      return invalid('', 'a queue command of an unknown kind')
  }
}

function readName(input: QueueCommandReader): QueueName {
  const namespace = input.text('namespace', 1, QUEUE_LIMITS.nameLengthMax)
  return { namespace, queue: input.text('queue', 1, QUEUE_LIMITS.nameLengthMax) }
}

function readEnqueue(input: QueueCommandReader, { namespace, queue }: QueueName): EnqueueCommand {
  const messages: NewMessage[] = []
  let bytes = 0
  for (let left = input.length('messages', 1, QUEUE_LIMITS.batchMax); left > 0 && !input.failed; left--) {
    const message = readMessage(input)
    bytes += message.body.length
    messages.push(message)
  }
  if (bytes > QUEUE_LIMITS.batchBytesMax) input.refuse(batchTooLarge())
  return { type: 'queue_enqueue', namespace, queue, messages }
}

function readMessage(input: QueueCommandReader): NewMessage {
  const flags = input.u8()
  if (flags > FLAGS_ALL) input.refuse(invalid('messages', 'a message of an unknown kind'))
  const group = flags & HAS_GROUP ? input.text('group', 1, QUEUE_LIMITS.groupLengthMax) : ''
  const dedupId = flags & HAS_DEDUP_ID ? input.text('dedupId', 1, QUEUE_LIMITS.dedupIdLengthMax) : ''
  const delayMs = flags & HAS_DELAY ? input.count('delayMs', 0, QUEUE_LIMITS.delayMsMax) : 0
  const priority = flags & HAS_PRIORITY ? input.count('priority', 0, QUEUE_LIMITS.priorityMax) : 0
  const ttlMs = flags & HAS_TTL ? input.count('ttlMs', 0, QUEUE_LIMITS.ttlMsMax) : 0
  return { body: input.body('data'), group, dedupId, delayMs, priority, ttlMs }
}

function readDequeue(input: QueueCommandReader, { namespace, queue }: QueueName): DequeueCommand {
  const max = input.count('max', 1, QUEUE_LIMITS.dequeueMax)
  const waitMs = input.count('waitMs', 0, QUEUE_LIMITS.waitMsMax)
  const visibilityMs = input.count('visibilityMs', 0, QUEUE_LIMITS.visibilityMsMax)
  const consumer = input.text('consumer', 0, QUEUE_LIMITS.consumerLengthMax)
  const watcher = input.text('watcher', 0, WATCHER_LENGTH_MAX)
  return { type: 'queue_dequeue', namespace, queue, max, waitMs, visibilityMs: visibilityMs === 0 ? null : visibilityMs, consumer, watcher }
}

function readAbandon(input: QueueCommandReader): AbandonCommand {
  return { type: 'queue_abandon', gateway: readGateway(input) }
}

function readGateway(input: QueueCommandReader): string {
  return input.text('gateway', 1, GATEWAY_LENGTH_MAX)
}

function readAck(input: QueueCommandReader, { namespace, queue }: QueueName): AckCommand {
  const fence = input.flag('fence') ? readFence(input) : null
  return { type: 'queue_ack', namespace, queue, items: readItems(input, readSettling), fence }
}

function readItems<T>(input: QueueCommandReader, read: (input: QueueCommandReader) => T): T[] {
  const items: T[] = []
  for (let left = input.length('items', 1, QUEUE_LIMITS.itemsMax); left > 0 && !input.failed; left--) items.push(read(input))
  return items
}

function readSettling(input: QueueCommandReader): Settling {
  const id = input.text('id', 1, ID_LENGTH_MAX)
  return { id, token: input.count('token', 1, TOKEN_MAX) }
}

function readNack(input: QueueCommandReader): NackCommand['items'][number] {
  const { id, token } = readSettling(input)
  const delay = input.count('delayMs', 0, QUEUE_LIMITS.delayMsMax + 1)
  const countAttempt = input.flag('countAttempt')
  const reason = input.text('reason', 0, QUEUE_LIMITS.reasonLengthMax)
  return { id, token, delayMs: delay === 0 ? null : delay - 1, reason, countAttempt }
}

function readExtension(input: QueueCommandReader): ExtendCommand['items'][number] {
  const { id, token } = readSettling(input)
  const visibilityMs = input.count('visibilityMs', QUEUE_LIMITS.visibilityMsMin, QUEUE_LIMITS.visibilityMsMax)
  const checkpoint = input.flag('checkpoint') ? input.json('checkpoint', QUEUE_LIMITS.checkpointBytesMax) : null
  return { id, token, visibilityMs, checkpoint }
}

function readFence(input: QueueCommandReader): Fence {
  const resource = input.text('fence.resource', 1, FENCE_RESOURCE_LENGTH_MAX)
  return { resource, token: input.count('fence.token', 1, TOKEN_MAX) }
}

/** The limits of one enqueue and of one ack hold over all the ops together: it is one entry of the log. */
function readTransaction(input: QueueCommandReader): TransactionCommand {
  const ops: TransactionOp[] = []
  let [messages, items, bytes] = [0, 0, 0]
  for (let left = input.length('ops', 1, QUEUE_LIMITS.itemsMax); left > 0 && !input.failed; left--) {
    const op = readOp(input)
    if (op.type === 'queue_enqueue') for (const { body } of op.messages) bytes += body.length
    if (op.type === 'queue_enqueue') messages += op.messages.length
    if (op.type === 'queue_ack') items += op.items.length
    if (messages > QUEUE_LIMITS.batchMax) input.refuse(invalid('ops', `at most ${QUEUE_LIMITS.batchMax} messages`))
    if (items > QUEUE_LIMITS.itemsMax) input.refuse(invalid('ops', `at most ${QUEUE_LIMITS.itemsMax} items`))
    if (bytes > QUEUE_LIMITS.batchBytesMax) input.refuse(batchTooLarge())
    ops.push(op)
  }
  return { type: 'tx', ops }
}

function readOp(input: QueueCommandReader): TransactionOp {
  const kind = input.u8()
  if (kind === ENQUEUE) return readEnqueue(input, readName(input))
  if (kind === ACK) return readAck(input, readName(input))
  if (kind !== REQUIRE_FENCE) input.refuse(invalid('ops', 'an op of an unknown kind'))
  return { type: 'require_fence', fence: readFence(input) }
}

function batchTooLarge(): Refused {
  const bytesMax = QUEUE_LIMITS.batchBytesMax
  return refuse('TOO_LARGE', `messages: at most ${bytesMax} bytes together`, { path: 'messages', bytesMax })
}
