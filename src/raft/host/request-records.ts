/**
 * The request table as records of the key-value store: what changed since the last drain, and the way back.
 *
 *   1 client f64                     low varint · touchedAt f64 · touch varint
 *   2 client f64 · page f64          answers (answer-pages.ts)
 *   3 client f64 · sequence f64      a large answer
 *   4 client f64 · sequence f64      a wait:  flags u8 · ticket varint · reply
 *   5 key utf-8                      flags u8 · fingerprint · ticket varint · expiresAt f64 · order varint · reply
 */
import { assert } from '../../base/assert.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import { readPlain, writePlain } from '../plain.ts'
import { AnswerPages } from './answer-pages.ts'
import { type Answer, type Client, type Deferred, type KeyEntry, type RequestTable, type Wait, keyBytesOf } from './requests.ts'

const CLIENT = 1
const PAGE = 2
const LARGE = 3
const WAIT = 4
const KEY = 5
const REFUSED = 1
const WAITS = 2
/** As everywhere: U+FEFF at the beginning belongs to the text. */
const KEY_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

type Write = (key: Uint8Array, value: Uint8Array | null) => void

export class RequestRecords {
  readonly #table: RequestTable
  readonly #clients = new Set<number>()
  readonly #goneClients = new Set<number>()
  readonly #pages = new Map<number, AnswerPages>()
  /** Client -> sequences of waits that changed. */
  readonly #deferred = new Map<number, Set<number>>()
  #deferredCount = 0
  /** (client, sequence) of waits to delete, flat. */
  #goneWaits: number[] = []
  readonly #keys = new Set<string>()

  constructor(table: RequestTable) {
    this.#table = table
  }

  /** About how many records a drain would write; not counting answers, which are gone again soon. */
  get dirty(): number {
    return this.#clients.size + this.#deferredCount + this.#keys.size
  }

  clientChanged(client: Client): void {
    this.#clients.add(client.id)
  }

  clientGone(id: number): void {
    this.#clients.delete(id)
    this.#goneClients.add(id)
    this.#pages.get(id)?.raise(Infinity)
  }

  answered(client: number, sequence: number): void {
    this.#pagesOf(client).add(sequence)
  }

  lowRaised(client: number, low: number): void {
    this.#pages.get(client)?.raise(low)
  }

  #pagesOf(client: number): AnswerPages {
    let pages = this.#pages.get(client)
    if (pages === undefined) this.#pages.set(client, (pages = new AnswerPages()))
    return pages
  }

  waitChanged(client: number, sequence: number): void {
    let changed = this.#deferred.get(client)
    if (changed === undefined) this.#deferred.set(client, (changed = new Set()))
    if (!changed.has(sequence)) this.#deferredCount++
    changed.add(sequence)
  }

  waitGone(client: number, sequence: number, written: boolean): void {
    if (this.#deferred.get(client)?.delete(sequence) === true) this.#deferredCount--
    if (written) this.#goneWaits.push(client, sequence)
  }

  /** Made, changed or gone. */
  keyChanged(key: string): void {
    this.#keys.add(key)
  }

  drain(write: Write): void {
    this.#drainClients(write)
    for (const [id, pages] of this.#pages) {
      const named =
        (kind: number) =>
        (number: number, value: Uint8Array | null): void =>
          write(nameOf(kind, id, number), value)
      pages.drain(this.#table.clients.get(id), named(PAGE), named(LARGE))
      if (pages.empty) this.#pages.delete(id)
    }
    for (let i = 0; i < this.#goneWaits.length; i += 2) write(nameOf(WAIT, this.#goneWaits[i]!, this.#goneWaits[i + 1]), null)
    this.#goneWaits = []
    for (const [id, sequences] of this.#deferred) this.#drainWaits(id, sequences, write)
    this.#deferred.clear()
    this.#deferredCount = 0
    for (const key of this.#keys) this.#drainKey(key, write)
    this.#keys.clear()
  }

  #drainClients(write: Write): void {
    for (const id of this.#goneClients) if (!this.#table.clients.has(id)) write(nameOf(CLIENT, id), null)
    this.#goneClients.clear()
    for (const id of this.#clients) {
      const client = this.#table.clients.get(id)
      if (client !== undefined) write(nameOf(CLIENT, id), clientValue(client))
    }
    this.#clients.clear()
  }

  #drainWaits(id: number, sequences: ReadonlySet<number>, write: Write): void {
    const client = this.#table.clients.get(id)
    for (const sequence of sequences) {
      const deferred = client?.deferred.get(sequence)
      if (deferred === undefined) continue
      deferred.written = true
      write(nameOf(WAIT, id, sequence), waitValue(deferred))
    }
  }

  #drainKey(key: string, write: Write): void {
    const entry = this.#table.waitingKeys.get(key) ?? this.#table.keys.get(key)
    write(keyName(key), entry === undefined ? null : keyValue(entry))
  }

  /** Takes back one record, in any order; `loaded` ends it. */
  load(key: Uint8Array, value: Uint8Array): void {
    const [name, input] = [new ByteReader(key), new ByteReader(value)]
    const kind = name.u8()
    if (kind === KEY) this.#loadKey(KEY_TEXT.decode(key.subarray(1)), input)
    else if (kind === CLIENT) loadClient(this.#client(name.f64()), input)
    else {
      const client = this.#client(name.f64())
      const number = name.f64()
      if (kind === PAGE) this.#pagesOf(client.id).loadPage(client, number, input)
      else if (kind === LARGE) this.#pagesOf(client.id).loadLarge(client, number, input)
      else this.#loadWait(client, number, input)
    }
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

  #loadWait(client: Client, sequence: number, input: ByteReader): void {
    const flags = input.u8()
    const ticket = input.varint()
    const answer = readAnswer(flags, input)
    client.deferred.set(sequence, { ticket, answer, written: true })
    if (answer !== null) return
    client.waits++
    this.#wait(ticket).attached.push({ client: client.id, sequence })
  }

  #wait(ticket: number): Wait {
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
    const answer = readAnswer(flags, input)
    const entry: KeyEntry = { fingerprint, ticket, answer, expiresAt, order }
    if (answer !== null) this.#table.keys.set(key, entry)
    else {
      this.#table.waitingKeys.set(key, entry)
      this.#wait(ticket).key = key
    }
  }

  /** Brings back the recorded orders, and leaves out what `low` has passed. */
  loaded(): void {
    const clients = [...this.#table.clients.values()].sort((a, b) => a.touch - b.touch)
    this.#table.clients.clear()
    for (const client of clients) {
      this.#table.clients.set(client.id, client)
      for (const sequence of client.answers.keys()) if (sequence < client.low) client.answers.delete(sequence)
    }
    const keys = [...this.#table.keys].sort(([, a], [, b]) => a.order - b.order)
    this.#table.keys.clear()
    this.#table.keyBytes = 0
    for (const [key, entry] of keys) {
      this.#table.keys.set(key, entry)
      this.#table.keyBytes += keyBytesOf(key, entry)
    }
  }
}

function nameOf(kind: number, client: number, number?: number): Uint8Array {
  const out = new ByteWriter(17)
  out.u8(kind)
  out.f64(client)
  if (number !== undefined) out.f64(number)
  return out.take()
}

function keyName(key: string): Uint8Array {
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

function loadClient(client: Client, input: ByteReader): void {
  client.low = input.varint()
  client.touchedAt = input.f64()
  client.touch = input.varint()
}

function answerFlags(answer: Answer | null): number {
  return answer === null ? WAITS : answer.refused ? REFUSED : 0
}

function readAnswer(flags: number, input: ByteReader): Answer | null {
  return (flags & WAITS) !== 0 ? null : { refused: (flags & REFUSED) !== 0, reply: readPlain(input) }
}

function waitValue({ ticket, answer }: Deferred): Uint8Array {
  const out = new ByteWriter(64)
  out.u8(answerFlags(answer))
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
