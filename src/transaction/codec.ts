/**
 * A transaction of queues and caches on its way through the log, and its reply. The queues' part is a `tx` of theirs and each put is
 * a `cache_put`, as their own codecs write them.
 *
 *   command   0x81 (u8)  n, then n times: 0 (an op of the queues, the next of its tx) | 1, cache_put  ·  the queues' tx, or nothing
 *   reply     [0x80, versions, reply of the queues, (version, created) of each put]     refusals: as the queues say them
 */
import type { Plain } from '../actors/envelope.ts'
import { type Refused, invalid } from '../base/refusal.ts'
import type { PutCommand } from '../cache/machine/commands.ts'
import { decodeCommand as decodeCacheCommand } from '../cache/machine/decode.ts'
import { decodeCommand as decodeQueueCommand } from '../queue/codec.ts'
import { QUEUE_LIMITS } from '../queue/types.ts'
import { ByteReader, ByteWriter } from '../raft/bytes.ts'

const VERSION = 0x81
const QUEUE_OP = 0
const PUT = 1
const REPLY = 0x80

/** Of each op in its order: null for the next one of `queues`, else its put. */
export interface Parts {
  readonly ops: readonly (Uint8Array | null)[]
  /** Null where all ops are puts. */
  readonly queues: Uint8Array | null
}

export interface Decoded {
  readonly type: 'mixed'
  /** Null for an op of the queues. */
  readonly ops: readonly (Put | null)[]
  readonly queues: Uint8Array | null
}

export interface Put {
  readonly command: PutCommand
  /** As the machine of the caches takes it. */
  readonly bytes: Uint8Array
}

export function isMixed(command: Uint8Array): boolean {
  return command[0] === VERSION
}

export function encodeMixed({ ops, queues }: Parts): Uint8Array {
  const out = new ByteWriter(ops.reduce((sum, put) => sum + (put?.length ?? 0) + 8, (queues?.length ?? 0) + 16))
  out.u8(VERSION)
  out.varint(ops.length)
  for (const put of ops) {
    out.u8(put === null ? QUEUE_OP : PUT)
    if (put !== null) out.bytes(put)
  }
  out.bytes(queues ?? new Uint8Array(0))
  return out.take()
}

/** Never throws. All that is in it is decoded, but for what the queues decode themselves. */
export function decodeMixed(bytes: Uint8Array): Decoded | Refused {
  const input = new ByteReader(bytes)
  const version = input.u8()
  const length = input.varint()
  if (!input.ok || version !== VERSION || length < 1 || length > QUEUE_LIMITS.itemsMax) return malformed()
  const ops: (Put | null)[] = []
  for (let at = 0; at < length && input.ok; at++) {
    const kind = input.u8()
    const put = kind === PUT ? readPut(input.bytes(), at) : null
    if (kind > PUT) return malformed()
    if (put !== null && 'code' in put) return put
    ops.push(put)
  }
  const queues = input.bytes()
  if (!input.ok || input.left > 0) return malformed()
  const left = ops.filter((op) => op === null).length
  if (left === 0) return queues.length === 0 ? { type: 'mixed', ops, queues: null } : malformed()
  const command = decodeQueueCommand(queues)
  if (command.type === 'refused') return command
  return command.type === 'tx' && command.ops.length === left ? { type: 'mixed', ops, queues } : malformed()
}

/** Whatever the state: so what refuses it is known before anything is done. */
function readPut(bytes: Uint8Array, op: number): Put | Refused {
  const command = decodeCacheCommand(bytes)
  if (command.type === 'refused') return { ...command, details: { ...command.details, op } }
  const isPlain =
    command.type === 'cache_put' && command.condition === null && command.loadToken === null && command.known === null && command.own === 0
  return isPlain ? { command, bytes } : malformed()
}

function malformed(): Refused {
  return invalid('', 'not a transaction of this version')
}

// ---- the reply ----

export interface WrittenPut {
  readonly version: number
  readonly created: boolean
}

export interface MixedReply {
  /** As the machine of the queues has it, bare or attached. */
  readonly queues: Plain
  readonly puts: readonly WrittenPut[]
}

/** The second member is the gate, where the replies of caches have theirs. */
export function encodeReply({ queues, puts }: MixedReply): Plain {
  return [REPLY, puts.map(({ version }) => version), queues, puts.flatMap(({ version, created }) => [version, created])]
}

/** Null: it is the reply to something else, or a refusal. */
export function decodeReply(reply: Plain): MixedReply | null {
  if (!Array.isArray(reply) || reply[0] !== REPLY) return null
  const [, , queues, flat] = reply as unknown as readonly [number, Plain, Plain, readonly (number | boolean)[]]
  const puts: WrittenPut[] = []
  for (let at = 0; at < flat.length; at += 2) puts.push({ version: flat[at] as number, created: flat[at + 1] as boolean })
  return { queues, puts }
}
