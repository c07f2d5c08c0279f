/**
 * The request table as records of the key-value store: what changed since the last drain, and the way back.
 *
 *   1 client f64                     low varint · touchedAt f64 · touch varint
 *   2 client f64 · sequence f64      flags u8 · ticket varint · reply      (an answer, or a wait)
 *   3 key utf-8                      flags u8 · fingerprint · ticket varint · expiresAt f64 · order varint · reply
 *
 * Most answers come and go between two drains, so that their bookkeeping must cost next to nothing: `fresh` only
 * remembers which were made, and what is still there at the drain is written.
 */
import { assert } from '../../base/assert.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { readPlain, writePlain } from '../plain.ts'
import type { Answer, Client, KeyEntry, RequestTable } from './requests.ts'

const CLIENT = 1
const REPLY = 2
const KEY = 3
const REFUSED = 1
const WAITS = 2
const DEFERRED = 4

type Write = (key: Uint8Array, value: Uint8Array | null) => void

export class RequestRecords {
  readonly #table: RequestTable
  readonly #clients = new Set<number>()
  readonly #goneClients = new Set<number>()
  /** (client, sequence) of answers made since the last drain, flat. */
  #fresh: number[] = []
  /** Answers that the store holds, by client: few, for most are gone before a drain. */
  readonly #writtenAnswers = new Map<number, Set<number>>()
  /** (client, sequence) to delete, flat. */
  #gone: number[] = []
  /** Client -> sequences of waits that changed. */
  readonly #deferred = new Map<number, Set<number>>()
  #deferredCount = 0
  readonly #keys = new Set<string>()

  constructor(table: RequestTable) {
    this.#table = table
  }

  /** How many records a drain would write, not counting answers that may well be gone by then. */
  get dirty(): number {
    return this.#clients.size + this.#deferredCount + this.#keys.size + this.#gone.length / 2
  }

  clientChanged(client: Client): void {
    this.#clients.add(client.id)
  }

  clientGone(id: number): void {
    this.#clients.delete(id)
    this.#goneClients.add(id)
  }

  answered(client: number, sequence: number): void {
    this.#fresh.push(client, sequence)
  }

  answerGone(client: number, sequence: number): void {
    if (this.#writtenAnswers.get(client)?.delete(sequence) === true) this.#gone.push(client, sequence)
  }

  deferredChanged(client: number, sequence: number): void {
    let changed = this.#deferred.get(client)
    if (changed === undefined) this.#deferred.set(client, (changed = new Set()))
    if (!changed.has(sequence)) this.#deferredCount++
    changed.add(sequence)
  }

  replyGone(client: number, sequence: number, written: boolean): void {
    if (this.#deferred.get(client)?.delete(sequence) === true) this.#deferredCount--
    if (written) this.#gone.push(client, sequence)
  }

  keyChanged(key: string): void {
    this.#keys.add(key)
  }

  keyGone(key: string): void {
    this.#keys.add(key)
  }

  drain(write: Write): void {
    this.#drainGone(write)
    this.#drainAnswers(write)
    for (const [id, sequences] of this.#deferred) this.#drainDeferred(id, sequences, write)
    this.#deferred.clear()
    this.#deferredCount = 0
    for (const id of this.#clients) {
      const client = this.#table.clients.get(id)
      if (client !== undefined) write(clientKey(id), clientValue(client))
    }
    this.#clients.clear()
    for (const key of this.#keys) this.#drainKey(key, write)
    this.#keys.clear()
  }

  #drainGone(write: Write): void {
    for (let i = 0; i < this.#gone.length; i += 2) write(replyKey(this.#gone[i]!, this.#gone[i + 1]!), null)
    this.#gone = []
    for (const id of this.#goneClients) {
      if (!this.#table.clients.has(id)) write(clientKey(id), null)
      if (!this.#table.clients.has(id)) this.#writtenAnswers.delete(id)
    }
    this.#goneClients.clear()
  }

  #drainAnswers(write: Write): void {
    const fresh = this.#fresh
    this.#fresh = []
    for (let i = 0; i < fresh.length; i += 2) {
      const [id, sequence] = [fresh[i]!, fresh[i + 1]!]
      const answer = this.#table.clients.get(id)?.answers.get(sequence)
      if (answer === undefined) continue
      let written = this.#writtenAnswers.get(id)
      if (written === undefined) this.#writtenAnswers.set(id, (written = new Set()))
      written.add(sequence)
      write(replyKey(id, sequence), replyValue(answer, 0, false))
    }
  }

  #drainDeferred(id: number, sequences: ReadonlySet<number>, write: Write): void {
    const client = this.#table.clients.get(id)
    if (client === undefined) return
    for (const sequence of sequences) {
      const deferred = client.deferred.get(sequence)
      if (deferred === undefined) continue
      deferred.written = true
      write(replyKey(id, sequence), replyValue(deferred.answer, deferred.ticket, true))
    }
  }

  #drainKey(key: string, write: Write): void {
    const entry = this.#table.waitingKeys.get(key) ?? this.#table.keys.get(key)
    write(keyKey(key), entry === undefined ? null : keyValue(entry))
  }

  /** Takes back one record, in any order; `loaded` ends it. */
  load(key: Uint8Array, value: Uint8Array): void {
    const [name, input] = [new ByteReader(key), new ByteReader(value)]
    const kind = name.u8()
    if (kind === CLIENT) this.#loadClient(name.f64(), input)
    else if (kind === REPLY) this.#loadReply(name.f64(), name.f64(), input)
    else this.#loadKey(new TextDecoder().decode(key.subarray(1)), input)
    assert(name.ok && input.ok && kind >= CLIENT && kind <= KEY, 'a record of the request table that does not parse')
  }

  #client(id: number): Client {
    let client = this.#table.clients.get(id)
    if (client === undefined) {
      client = { id, low: 0, touchedAt: 0, touch: 0, answers: new Map(), deferred: new Map(), waits: 0 }
      this.#table.clients.set(id, client)
    }
    return client
  }

  #loadClient(id: number, input: ByteReader): void {
    const client = this.#client(id)
    client.low = input.varint()
    client.touchedAt = input.f64()
    client.touch = input.varint()
  }

  #loadReply(id: number, sequence: number, input: ByteReader): void {
    const client = this.#client(id)
    const flags = input.u8()
    const ticket = input.varint()
    const answer: Answer | null = (flags & WAITS) !== 0 ? null : { refused: (flags & REFUSED) !== 0, reply: readPlain(input) }
    if ((flags & DEFERRED) === 0) {
      assert(answer !== null, 'a wait without a ticket')
      client.answers.set(sequence, answer)
      let written = this.#writtenAnswers.get(id)
      if (written === undefined) this.#writtenAnswers.set(id, (written = new Set()))
      written.add(sequence)
      return
    }
    client.deferred.set(sequence, { ticket, answer, written: true })
    if (answer !== null) return
    client.waits++
    this.#wait(ticket).attached.push({ client: id, sequence })
  }

  #wait(ticket: number): { attached: { client: number; sequence: number }[]; key: string | null } {
    let wait = this.#table.waits.get(ticket)
    if (wait === undefined) this.#table.waits.set(ticket, (wait = { attached: [], key: null }))
    return wait
  }

  #loadKey(key: string, input: ByteReader): void {
    const flags = input.u8()
    const fingerprint = input.text()
    const ticket = input.varint()
    const expiresAt = input.f64()
    const order = input.varint()
    const answer = (flags & WAITS) !== 0 ? null : { refused: (flags & REFUSED) !== 0, reply: readPlain(input) }
    const entry: KeyEntry = { fingerprint, ticket, answer, expiresAt, order }
    if (answer !== null) this.#table.keys.set(key, entry)
    else {
      this.#table.waitingKeys.set(key, entry)
      this.#wait(ticket).key = key
    }
  }

  /** Brings back the recorded orders. */
  loaded(): void {
    const clients = [...this.#table.clients.values()].sort((a, b) => a.touch - b.touch)
    this.#table.clients.clear()
    for (const client of clients) this.#table.clients.set(client.id, client)
    const keys = [...this.#table.keys].sort(([, a], [, b]) => a.order - b.order)
    this.#table.keys.clear()
    for (const [key, entry] of keys) this.#table.keys.set(key, entry)
  }
}

function clientKey(id: number): Uint8Array {
  const out = new ByteWriter(9)
  out.u8(CLIENT)
  out.f64(id)
  return out.take()
}

function replyKey(id: number, sequence: number): Uint8Array {
  const out = new ByteWriter(17)
  out.u8(REPLY)
  out.f64(id)
  out.f64(sequence)
  return out.take()
}

function keyKey(key: string): Uint8Array {
  const out = new ByteWriter(64)
  out.u8(KEY)
  out.raw(new TextEncoder().encode(key))
  return out.take()
}

function clientValue(client: Client): Uint8Array {
  const out = new ByteWriter(32)
  out.varint(client.low)
  out.f64(client.touchedAt)
  out.varint(client.touch)
  return out.take()
}

function answerFlags(answer: Answer | null): number {
  return answer === null ? WAITS : answer.refused ? REFUSED : 0
}

function replyValue(answer: Answer | null, ticket: number, deferred: boolean): Uint8Array {
  const out = new ByteWriter(64)
  out.u8(answerFlags(answer) | (deferred ? DEFERRED : 0))
  out.varint(ticket)
  if (answer !== null) writePlain(out, answer.reply)
  return out.take()
}

function keyValue(entry: KeyEntry): Uint8Array {
  const out = new ByteWriter(128)
  out.u8(answerFlags(entry.answer))
  out.text(entry.fingerprint)
  out.varint(entry.ticket)
  out.f64(entry.expiresAt)
  out.varint(entry.order)
  if (entry.answer !== null) writePlain(out, entry.answer.reply)
  return out.take()
}
