/**
 * What an ENTRY_COMMANDS carries: the leader's stamp and the parcels of the clients.
 *
 *   entry  = version u8 · time f64 · (length varint · parcel)*
 *   parcel = client f64 · low varint · base varint · acks · commands
 *   command = sequence - base varint · flags u8 · [key · fingerprint] · [traceparent] · [cancels varint] · body
 *
 * A *parcel* is built once, where the commands come from (`host/proposer.ts`), and is not looked into until it is
 * applied: the leader only strings parcels together and stamps the time.
 *
 *   client  one boot of one proposer: a random number below 2^53
 *   low     every sequence below it is answered, or known by the client to wait: never to be applied again
 *   acks    sequences of *settled* waits whose answer has arrived (low says nothing of these)
 *
 * Pure. A parcel that does not parse is skipped as a whole, on every replica alike: no bytes may stop a cluster.
 */
import type { Millis } from '../base/ids.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import type { IdempotencyKey } from './proposer.ts'

const VERSION = 1
const KEYED = 1
const TRACED = 2
const CANCELS = 4
/** What the length before a parcel takes at most. */
export const PARCEL_LENGTH_BYTES = 8

/** Written and taken within one call. */
const out = new ByteWriter(4_096)

/** One that threw has left its beginning behind. */
function beginAnew(): void {
  if (out.length > 0) out.take()
}

export interface Command {
  /** Unique in the client and group; from 1 on. */
  readonly sequence: number
  readonly key: IdempotencyKey | null
  /** '' for a command whose trace is not sampled. */
  readonly traceparent: string
  /** Not 0: this command takes out the waiting command of that sequence, and has no body. */
  readonly cancels: number
  readonly body: Uint8Array
}

export interface Parcel {
  readonly client: number
  readonly low: number
  readonly acks: readonly number[]
  readonly commands: readonly Command[]
}

export function encodeParcel(parcel: Parcel): Uint8Array {
  let base = Number.MAX_SAFE_INTEGER
  for (const command of parcel.commands) base = Math.min(base, command.sequence)
  beginAnew()
  out.f64(parcel.client)
  out.varint(parcel.low)
  out.varint(parcel.commands.length === 0 ? 0 : base)
  out.varint(parcel.acks.length)
  for (const ack of parcel.acks) out.varint(ack)
  out.varint(parcel.commands.length)
  for (const command of parcel.commands) encodeCommand(command, base)
  return out.take()
}

function encodeCommand(command: Command, base: number): void {
  out.varint(command.sequence - base)
  out.u8((command.key === null ? 0 : KEYED) | (command.traceparent === '' ? 0 : TRACED) | (command.cancels === 0 ? 0 : CANCELS))
  if (command.key !== null) {
    out.text(command.key.key)
    out.text(command.key.fingerprint)
  }
  if (command.traceparent !== '') out.text(command.traceparent)
  if (command.cancels !== 0) out.varint(command.cancels)
  out.bytes(command.body)
}

/** The whole parcel, or null where the bytes are none. */
export function decodeParcel(bytes: Uint8Array): Parcel | null {
  const input = new ByteReader(bytes)
  const client = input.f64()
  const low = input.varint()
  const base = input.varint()
  const acks: number[] = []
  for (let left = input.varint(); left > 0 && input.ok; left--) acks.push(input.varint())
  const commands: Command[] = []
  for (let left = input.varint(); left > 0 && input.ok; left--) commands.push(decodeCommand(input, base))
  const whole = input.ok && input.left === 0 && Number.isSafeInteger(client) && client > 0
  return whole ? { client, low, acks, commands } : null
}

function decodeCommand(input: ByteReader, base: number): Command {
  const sequence = base + input.varint()
  const flags = input.u8()
  const key = (flags & KEYED) === 0 ? null : { key: input.text(), fingerprint: input.text() }
  const traceparent = (flags & TRACED) === 0 ? '' : input.text()
  const cancels = (flags & CANCELS) === 0 ? 0 : input.varint()
  return { sequence, key, traceparent, cancels, body: input.bytes() }
}

/** The bodies in a parcel, as views; nothing else of it is looked at, and of bytes that are none only what comes before the fault. */
export function eachBody(bytes: Uint8Array, take: (body: Uint8Array) => void): void {
  const input = new ByteReader(bytes)
  input.f64()
  input.varint()
  input.varint()
  for (let left = input.varint(); left > 0 && input.ok; left--) input.varint()
  for (let left = input.varint(); left > 0 && input.ok; left--) {
    input.varint()
    const flags = input.u8()
    if ((flags & KEYED) !== 0) {
      input.bytes()
      input.bytes()
    }
    if ((flags & TRACED) !== 0) input.bytes()
    if ((flags & CANCELS) !== 0) input.varint()
    const body = input.bytes()
    if (input.ok && (flags & CANCELS) === 0) take(body)
  }
}

/** One entry of the parcels, in this order. No parcels: a tick, which only moves the time. */
export function encodeEntry(time: Millis, parcels: readonly Uint8Array[]): Uint8Array {
  beginAnew()
  out.u8(VERSION)
  out.f64(time)
  for (const parcel of parcels) out.bytes(parcel)
  return out.take()
}

export interface EntryPayload {
  readonly time: Millis
  readonly parcels: readonly Parcel[]
}

/** Time 0 and no parcels for bytes that are no entry: applied as a no-op, everywhere alike. */
export function decodeEntry(data: Uint8Array): EntryPayload {
  const input = new ByteReader(data)
  const version = input.u8()
  const time = input.f64()
  if (version !== VERSION || !input.ok || !(time >= 0 && time < Number.MAX_SAFE_INTEGER)) return { time: 0, parcels: [] }
  const parcels: Parcel[] = []
  while (input.left > 0) {
    const bytes = input.bytes()
    const parcel = input.ok ? decodeParcel(bytes) : null
    if (parcel !== null) parcels.push(parcel)
  }
  return { time, parcels }
}
