/**
 * Reads the fields of a command off bytes and holds them against their limits. It never throws: the first field that is
 * wrong is remembered as the refusal, everything after it reads as 0 or empty, and the caller asks once, at the end.
 */
import { type Refused, invalid, refuse } from '../base/refusal.ts'
import { ByteReader } from '../raft/bytes.ts'
import { BODY_BYTES_MAX } from './message-body.ts'

/** What begins with U+FEFF is not JSON; a decoder else swallows it. */
const TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

export class CommandReader {
  readonly #in: ByteReader
  #refusal: Refused | null = null

  constructor(bytes: Uint8Array) {
    this.#in = new ByteReader(bytes)
  }

  /** The first thing that was wrong, or that the bytes end too early or too late; null: all is well. */
  end(): Refused | null {
    if (this.#refusal === null && (!this.#in.ok || this.#in.left > 0)) this.#refusal = invalid('', 'not a queue command')
    return this.#refusal
  }

  get failed(): boolean {
    return this.#refusal !== null || !this.#in.ok
  }

  refuse(refusal: Refused): void {
    this.#refusal ??= this.#in.ok ? refusal : invalid('', 'not a queue command')
  }

  u8(): number {
    return this.#in.u8()
  }

  flag(path: string): boolean {
    const value = this.#in.u8()
    if (value > 1) this.refuse(invalid(path, 'true or false'))
    return value === 1
  }

  count(path: string, min: number, max: number): number {
    const value = this.#in.varint()
    if (value >= min && value <= max) return value
    this.refuse(invalid(path, `an integer from ${min} to ${max}`))
    return 0
  }

  /** How many of something follow; 0 where that is wrong, so that a loop over them ends at once. */
  length(path: string, max: number): number {
    const value = this.#in.varint()
    if (value >= 1 && value <= max) return value
    this.refuse(invalid(path, `1 to ${max} of them`))
    return 0
  }

  text(path: string, lengthMin: number, lengthMax: number): string {
    const text = this.#in.text()
    if (text.length >= lengthMin && (text.length <= lengthMax || isShort(text, lengthMax))) return text
    this.refuse(invalid(path, lengthMin === 0 ? `at most ${lengthMax} characters` : `${lengthMin} to ${lengthMax} characters`))
    return ''
  }

  /** JSON text, at most so many bytes of it. */
  json(path: string, bytesMax: number): string {
    const length = this.#in.varint()
    const bytes = this.#in.raw(length)
    if (length > bytesMax) {
      this.refuse(refuse('TOO_LARGE', `${path}: at most ${bytesMax} bytes of JSON`, { path, bytesMax }))
      return ''
    }
    const text = TEXT.decode(bytes)
    if (!isJson(text)) this.refuse(invalid(path, 'not JSON'))
    return text
  }

  /** A view, not a copy. */
  body(path: string): Uint8Array {
    const body = this.#in.bytes()
    if (body.length > BODY_BYTES_MAX)
      this.refuse(refuse('TOO_LARGE', `${path}: at most ${BODY_BYTES_MAX} bytes`, { path, bytesMax: BODY_BYTES_MAX }))
    return body
  }

  get input(): ByteReader {
    return this.#in
  }
}

/** Characters are code points: one beyond the basic plane is two units of the string. */
function isShort(text: string, lengthMax: number): boolean {
  return text.length <= lengthMax * 2 && [...text].length <= lengthMax
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
