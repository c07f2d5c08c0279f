/**
 * The answers of a client as records: 64 sequences to a page, since most answers live for one round trip and a record
 * each would cost more than the commands did. A page is written when an answer in it is new; what `low` has passed in it
 * is left out at the load. Large answers get a record of their own, so that no record outgrows a frame.
 *
 *   page    client f64 · page f64          (sequence - page * 64 u8 · flags u8 · reply)*
 *   large   client f64 · sequence f64      flags u8 · reply
 */
import { ByteReader, ByteWriter } from '../bytes.ts'
import { plainBytes, readPlain, writePlain } from '../plain.ts'
import type { Answer, Client } from './requests.ts'

const PAGE = 64
const INLINE_BYTES_MAX = 1_024
const REFUSED = 1

/** Written and taken within one call. */
const SCRATCH = new ByteWriter(4_096)

type Write = (name: number, value: Uint8Array | null) => void

export class AnswerPages {
  readonly #fresh = new Set<number>()
  readonly #written = new Set<number>()
  readonly #large = new Set<number>()
  #gonePages: number[] = []
  #goneLarge: number[] = []
  #last = -1

  /** Nothing here, and nothing of it in the store. */
  get empty(): boolean {
    return this.#fresh.size + this.#written.size + this.#large.size + this.#gonePages.length + this.#goneLarge.length === 0
  }

  /** An answer of this sequence is new. */
  add(sequence: number): void {
    const page = Math.floor(sequence / PAGE)
    if (page === this.#last) return
    this.#last = page
    this.#fresh.add(page)
  }

  /** `low` has risen: what is wholly below it goes. */
  raise(low: number): void {
    if (this.#written.size === 0 && this.#large.size === 0) return
    const first = Math.floor(low / PAGE)
    for (const page of this.#written) {
      if (page >= first) continue
      this.#written.delete(page)
      this.#gonePages.push(page)
    }
    for (const sequence of this.#large) {
      if (sequence >= low) continue
      this.#large.delete(sequence)
      this.#goneLarge.push(sequence)
    }
  }

  drain(client: Client | undefined, page: Write, large: Write): void {
    for (const gone of this.#gonePages) page(gone, null)
    for (const gone of this.#goneLarge) large(gone, null)
    this.#gonePages = []
    this.#goneLarge = []
    this.#last = -1
    for (const number of this.#fresh) this.#drainPage(client, number, page, large)
    this.#fresh.clear()
  }

  #drainPage(client: Client | undefined, number: number, page: Write, large: Write): void {
    const out = SCRATCH
    for (let slot = 0; slot < PAGE; slot++) {
      const sequence = number * PAGE + slot
      const answer = client?.answers.get(sequence)
      if (answer === undefined) continue
      if (plainBytes(answer.reply) > INLINE_BYTES_MAX) {
        if (this.#large.has(sequence)) continue
        this.#large.add(sequence)
        const whole = new ByteWriter(INLINE_BYTES_MAX * 2)
        writeAnswer(whole, answer)
        large(sequence, whole.take())
        continue
      }
      out.u8(slot)
      writeAnswer(out, answer)
    }
    if (out.length > 0) {
      this.#written.add(number)
      page(number, out.take())
    } else if (this.#written.delete(number)) page(number, null)
  }

  loadPage(client: Client, number: number, input: ByteReader): void {
    this.#written.add(number)
    while (input.left > 0) client.answers.set(number * PAGE + input.u8(), readAnswer(input))
  }

  loadLarge(client: Client, sequence: number, input: ByteReader): void {
    this.#large.add(sequence)
    client.answers.set(sequence, readAnswer(input))
  }
}

function writeAnswer(out: ByteWriter, answer: Answer): void {
  out.u8(answer.refused ? REFUSED : 0)
  writePlain(out, answer.reply)
}

function readAnswer(input: ByteReader): Answer {
  const refused = input.u8() === REFUSED
  return { refused, reply: readPlain(input) }
}
