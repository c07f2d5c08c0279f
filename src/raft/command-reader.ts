/**
 * Reads the fields of a command off bytes and holds them against their limits. It never throws: the first field that is
 * wrong is remembered as the refusal, everything after it reads as 0 or empty, and the caller asks once, at the end.
 */
import { type Refused, invalid, refuse } from '../base/refusal.ts'
import { ByteReader } from './bytes.ts'

export class CommandReader {
  readonly input: ByteReader
  readonly #what: string
  #refusal: Refused | null = null

  /** `what` it should be: said where it is none at all. */
  constructor(bytes: Uint8Array, what: string) {
    this.input = new ByteReader(bytes)
    this.#what = what
  }

  /** The first thing that was wrong, or that the bytes end too early or too late; null: all is well. */
  end(): Refused | null {
    if (this.#refusal === null && (!this.input.ok || this.input.left > 0)) this.#refusal = this.#notOne()
    return this.#refusal
  }

  get failed(): boolean {
    return this.#refusal !== null || !this.input.ok
  }

  refuse(refusal: Refused): void {
    this.#refusal ??= this.input.ok ? refusal : this.#notOne()
  }

  u8(): number {
    return this.input.u8()
  }

  flag(path: string): boolean {
    const value = this.input.u8()
    if (value > 1) this.refuse(invalid(path, 'true or false'))
    return value === 1
  }

  count(path: string, min: number, max: number): number {
    const value = this.input.varint()
    if (value >= min && value <= max) return value
    this.refuse(invalid(path, `an integer from ${min} to ${max}`))
    return 0
  }

  /** How many of something follow; 0 where that is wrong, so that a loop over them ends at once. */
  length(path: string, min: number, max: number): number {
    const value = this.input.varint()
    if (value >= min && value <= max) return value
    this.refuse(invalid(path, `${min} to ${max} of them`))
    return 0
  }

  text(path: string, lengthMin: number, lengthMax: number): string {
    const text = this.input.text()
    if (text.length >= lengthMin && (text.length <= lengthMax || isShort(text, lengthMax))) return text
    this.refuse(invalid(path, lengthMin === 0 ? `at most ${lengthMax} characters` : `${lengthMin} to ${lengthMax} characters`))
    return ''
  }

  /** A view, not a copy. */
  bytes(path: string, bytesMax: number): Uint8Array {
    const bytes = this.input.bytes()
    if (bytes.length > bytesMax) this.refuse(refuse('TOO_LARGE', `${path}: at most ${bytesMax} bytes`, { path, bytesMax }))
    return bytes
  }

  #notOne(): Refused {
    return invalid('', `not a ${this.#what}`)
  }
}

/** Characters are code points: one beyond the basic plane is two units of the string. */
function isShort(text: string, lengthMax: number): boolean {
  return text.length <= lengthMax * 2 && [...text].length <= lengthMax
}
