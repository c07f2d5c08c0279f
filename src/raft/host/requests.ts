/**
 * The request table: what makes a command take effect once, however often it is sent. It is replicated state: part of
 * the group as much as the machine's records are, changed by applied entries alone.
 *
 *   (client, sequence) ──> answer                 until the client says, by `low`, that it has it
 *                     └──> ticket ──> answer      a wait: until the client acknowledges the answer by name
 *   idempotency key ─────> ticket or answer       10 minutes of cluster time after the answer, while there is room
 *
 * Invariants:
 *  1. A sequence below the client's `low` that is not a wait is never applied: it is a late duplicate.
 *  2. A ticket is rising, unique in the group, and drawn from the same counter as every other order in here; so order
 *     survives a restart, where records come back in the order of their keys.
 *  3. Nothing here depends on anything but the entries: bounds are constants, evictions go by recorded order.
 *  4. A client with a wait is not forgotten.
 */
import type { Plain } from '../../actors/envelope.ts'
import { assert } from '../../base/assert.ts'
import type { Millis } from '../../base/ids.ts'
import type { Command } from '../batch.ts'
import { plainBytes } from '../plain.ts'
import { RequestRecords } from './request-records.ts'

export const CLIENT_IDLE_MS = 600_000
export const KEY_LIFE_MS = 600_000
export const CLIENTS_MAX = 10_000
/** Of the keys of a group with their answers. Beyond it the oldest is forgotten before its time, and that is counted. */
export const KEYS_BYTES_MAX = 128 * 1024 * 1024
/** What a key costs besides its texts: three hundred thousand of a usual answer fit. */
const KEY_BYTES = 256
export const ATTACHED_MAX = 16
const EXPIRED_PER_ENTRY_MAX = 1_000

/** `refused`: the reply is [code, message], made by the table and not by the machine. */
export interface Answer {
  readonly refused: boolean
  readonly reply: Plain
}

/** A wait of one (client, sequence). Once answered it stays until acknowledged. */
export interface Deferred {
  ticket: number
  answer: Answer | null
  written: boolean
}

export interface Client {
  readonly id: number
  low: number
  touchedAt: Millis
  /** Order of last use. */
  touch: number
  readonly answers: Map<number, Answer>
  readonly deferred: Map<number, Deferred>
  /** How many of `deferred` still wait. */
  waits: number
}

export interface KeyEntry {
  readonly fingerprint: string
  /** 0 once answered. */
  ticket: number
  answer: Answer | null
  expiresAt: Millis
  /** Order of the answers. */
  order: number
}

export interface Wait {
  /** (client, sequence) pairs that hear the answer. */
  readonly attached: { readonly client: number; readonly sequence: number }[]
  key: string | null
}

export type Admission =
  | { readonly kind: 'apply'; readonly ticket: number }
  | { readonly kind: 'answered'; readonly answer: Answer; readonly settled: boolean }
  | { readonly kind: 'waiting' }
  /** Answered and acknowledged long ago: nobody listens. */
  | { readonly kind: 'stale' }

const WAITING: Admission = { kind: 'waiting' }
const STALE: Admission = { kind: 'stale' }

export class RequestTable {
  /** In order of last use. */
  readonly clients = new Map<number, Client>()
  readonly waits = new Map<number, Wait>()
  /** Keys whose command waits. */
  readonly waitingKeys = new Map<string, KeyEntry>()
  /** Keys with an answer, in order of the answers. */
  readonly keys = new Map<string, KeyEntry>()
  readonly records: RequestRecords = new RequestRecords(this)
  /** What the answered keys take, about; the same on every replica. */
  keyBytes = 0
  /** Keys forgotten for want of room since this replica was loaded: no part of the state. */
  keysEvicted = 0
  /** The counter behind tickets and every order; persisted by the host with the applied index. */
  ordinal = 0
  /** The last of `clients`. */
  #newest: Client | null = null
  /** Nothing is due before it; what comes meanwhile is due later. */
  #quietUntil: Millis = -Infinity

  /** A parcel of `id` is applied at `time`. */
  touch(id: number, low: number, acks: readonly number[], time: Millis): Client {
    let client = this.clients.get(id)
    if (client === undefined) {
      if (this.clients.size >= CLIENTS_MAX) this.#evictClient()
      client = { id, low: 0, touchedAt: 0, touch: 0, answers: new Map(), deferred: new Map(), waits: 0 }
    } else if (client !== this.#newest) this.clients.delete(id)
    if (client !== this.#newest) this.clients.set(id, client)
    this.#newest = client
    client.touchedAt = time
    client.touch = ++this.ordinal
    this.#raiseLow(client, low)
    for (const sequence of acks) this.#acknowledge(client, sequence)
    this.records.clientChanged(client)
    return client
  }

  /** The answer is not needed any more, but while `low` has not passed it, that it was given is: for a late duplicate. */
  #acknowledge(client: Client, sequence: number): void {
    const deferred = client.deferred.get(sequence)
    if (deferred === undefined || deferred.answer === null) return
    client.deferred.delete(sequence)
    this.records.waitGone(client.id, sequence, deferred.written)
    if (sequence < client.low) return
    client.answers.set(sequence, deferred.answer)
    this.records.answered(client.id, sequence)
  }

  #raiseLow(client: Client, low: number): void {
    if (low <= client.low) return
    if (low - client.low < client.answers.size) for (let s = client.low; s < low; s++) client.answers.delete(s)
    else for (const sequence of client.answers.keys()) if (sequence < low) client.answers.delete(sequence)
    client.low = low
    this.records.lowRaised(client.id, low)
  }

  /** What became of the command of a key: its answer, null while it waits, undefined where nothing is known of it. */
  stateOf(key: string, time: Millis): Answer | null | undefined {
    const entry = this.waitingKeys.get(key) ?? this.keys.get(key)
    return entry === undefined || (entry.answer !== null && entry.expiresAt <= time) ? undefined : entry.answer
  }

  /** What is to be done with a command of `client`. */
  admit(client: Client, command: Command, time: Millis): Admission {
    const known = this.lookup(client, command.sequence)
    if (known !== null) return known
    return (command.key === null ? null : this.#byKey(client, command, time)) ?? { kind: 'apply', ticket: ++this.ordinal }
  }

  /** What the table knows of a command without applying anything; null: nothing. */
  lookup(client: Client, sequence: number): Admission | null {
    const answer = client.answers.get(sequence)
    if (answer !== undefined) return { kind: 'answered', answer, settled: false }
    const deferred = client.deferred.get(sequence)
    if (deferred !== undefined) return deferred.answer === null ? WAITING : { kind: 'answered', answer: deferred.answer, settled: true }
    return sequence < client.low ? STALE : null
  }

  #byKey(client: Client, command: Command, time: Millis): Admission | null {
    const { key, fingerprint } = command.key!
    const entry = this.waitingKeys.get(key) ?? this.keys.get(key)
    if (entry === undefined || (entry.answer !== null && entry.expiresAt <= time)) return null
    if (entry.fingerprint !== fingerprint) return this.#answer(client, command.sequence, IDEMPOTENCY_KEY_REUSED)
    if (entry.answer !== null) return this.#answer(client, command.sequence, entry.answer)
    const wait = this.waits.get(entry.ticket)
    assert(wait !== undefined, 'a key that waits for no ticket')
    if (wait.attached.length >= ATTACHED_MAX) return this.#answer(client, command.sequence, TOO_MANY_ATTACHED)
    this.#attach(client, command.sequence, entry.ticket, wait)
    return WAITING
  }

  #answer(client: Client, sequence: number, answer: Answer): Admission {
    client.answers.set(sequence, answer)
    this.records.answered(client.id, sequence)
    return { kind: 'answered', answer, settled: false }
  }

  #attach(client: Client, sequence: number, ticket: number, wait: Wait): void {
    wait.attached.push({ client: client.id, sequence })
    client.deferred.set(sequence, { ticket, answer: null, written: false })
    client.waits++
    this.records.waitChanged(client.id, sequence)
  }

  /** The machine answered at once (reply), or made the command wait (null). */
  complete(client: Client, command: Command, ticket: number, answer: Answer | null, time: Millis): void {
    if (answer !== null) {
      client.answers.set(command.sequence, answer)
      this.records.answered(client.id, command.sequence)
      if (command.key !== null) {
        this.#keepKey(command.key.key, { fingerprint: command.key.fingerprint, ticket, answer, expiresAt: 0, order: 0 }, answer, time)
      }
      return
    }
    const wait: Wait = { attached: [], key: command.key === null ? null : command.key.key }
    this.waits.set(ticket, wait)
    this.#attach(client, command.sequence, ticket, wait)
    if (command.key === null) return
    this.#forgetKey(command.key.key)
    this.waitingKeys.set(command.key.key, { fingerprint: command.key.fingerprint, ticket, answer: null, expiresAt: 0, order: 0 })
    this.records.keyChanged(command.key.key)
  }

  #keepKey(key: string, entry: KeyEntry, answer: Answer, time: Millis): void {
    this.#forgetKey(key)
    entry.ticket = 0
    entry.answer = answer
    entry.expiresAt = time + KEY_LIFE_MS
    entry.order = ++this.ordinal
    this.keyBytes += keyBytesOf(key, entry)
    while (this.keyBytes > KEYS_BYTES_MAX && this.keys.size > 0) {
      this.#forgetKey(this.keys.keys().next().value!)
      this.keysEvicted++
    }
    this.keys.set(key, entry)
    this.records.keyChanged(key)
  }

  #forgetKey(key: string): void {
    const entry = this.waitingKeys.get(key) ?? this.keys.get(key)
    if (entry === undefined) return
    this.waitingKeys.delete(key)
    if (this.keys.delete(key)) this.keyBytes -= keyBytesOf(key, entry)
    this.records.keyChanged(key)
  }

  /** The machine settled a wait: who is to hear of it. */
  settle(ticket: number, answer: Answer, time: Millis): Wait['attached'] {
    const wait = this.waits.get(ticket)
    assert(wait !== undefined, `settled a ticket that does not wait: ${ticket}`)
    this.waits.delete(ticket)
    for (const { client, sequence } of wait.attached) this.#settleOne(client, sequence, answer)
    if (wait.key !== null) this.#keepKey(wait.key, this.waitingKeys.get(wait.key)!, answer, time)
    return wait.attached
  }

  #settleOne(id: number, sequence: number, answer: Answer): void {
    const client = this.clients.get(id)
    const deferred = client?.deferred.get(sequence)
    assert(client !== undefined && deferred !== undefined && deferred.answer === null, 'a wait of nobody')
    deferred.answer = answer
    client.waits--
    this.records.waitChanged(id, sequence)
  }

  /**
   * The caller of a waiting command is gone. Gives the ticket for the machine to take out, or 0 where nothing waits,
   * or others wait on the same idempotency key: then this one alone is answered, WAIT_TIMEOUT.
   */
  cancel(client: Client, sequence: number): number {
    const deferred = client.deferred.get(sequence)
    if (deferred === undefined || deferred.answer !== null) return 0
    const wait = this.waits.get(deferred.ticket)!
    if (wait.attached.length === 1) return deferred.ticket
    wait.attached.splice(
      wait.attached.findIndex((one) => one.client === client.id && one.sequence === sequence),
      1,
    )
    this.#settleOne(client.id, sequence, CANCELLED)
    return 0
  }

  /** Forgets what is due, oldest first, a bounded number per entry. */
  advance(time: Millis): void {
    if (time < this.#quietUntil) return
    let left = EXPIRED_PER_ENTRY_MAX
    for (const [key, entry] of this.keys) {
      if (entry.expiresAt > time || left-- === 0) break
      this.#forgetKey(key)
    }
    for (const client of this.clients.values()) {
      if (client.touchedAt + CLIENT_IDLE_MS > time || left-- <= 0) break
      if (client.waits > 0) this.touch(client.id, client.low, [], time)
      else this.#forgetClient(client)
    }
    this.#quietUntil = Math.min(this.nextExpiry(), time + Math.min(KEY_LIFE_MS, CLIENT_IDLE_MS))
  }

  /** When `advance` would have something to do; Infinity for never. */
  nextExpiry(): Millis {
    const key = this.keys.values().next().value
    const client = this.clients.values().next().value
    return Math.min(key?.expiresAt ?? Infinity, client === undefined ? Infinity : client.touchedAt + CLIENT_IDLE_MS)
  }

  #evictClient(): void {
    for (const client of this.clients.values()) if (client.waits === 0) return this.#forgetClient(client)
  }

  #forgetClient(client: Client): void {
    this.clients.delete(client.id)
    for (const [sequence, deferred] of client.deferred) this.records.waitGone(client.id, sequence, deferred.written)
    this.records.clientGone(client.id)
  }
}

/** Of a key with its answer. */
export function keyBytesOf(key: string, { fingerprint, answer }: KeyEntry): number {
  return KEY_BYTES + key.length + fingerprint.length + plainBytes(answer?.reply ?? null)
}

const IDEMPOTENCY_KEY_REUSED: Answer = {
  refused: true,
  reply: ['IDEMPOTENCY_KEY_REUSED', 'this idempotency key was used for another request'],
}
const TOO_MANY_ATTACHED: Answer = { refused: true, reply: ['OVERLOADED', 'too many requests wait under this idempotency key'] }
const CANCELLED: Answer = { refused: true, reply: ['WAIT_TIMEOUT', 'cancelled; another request with the same idempotency key still waits'] }
