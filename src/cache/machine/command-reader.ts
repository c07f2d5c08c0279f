/**
 * Reads the fields of a command off bytes and holds them against their limits. It never throws: the first field that is
 * wrong is remembered as the refusal, everything after it reads as 0 or empty, and the caller asks once, at the end.
 */
import { type Refused, invalid, refuse } from '../../base/refusal.ts'
import { ByteReader } from '../../raft/bytes.ts'
import type { LineId } from '../coherence/protocol.ts'
import { type LineKind, parseLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'

export class CommandReader {
  readonly #in: ByteReader
  #refusal: Refused | null = null

  constructor(bytes: Uint8Array) {
    this.#in = new ByteReader(bytes)
  }

  /** The first thing that was wrong, or that the bytes end too early or too late; null: all is well. */
  end(): Refused | null {
    if (this.#refusal === null && (!this.#in.ok || this.#in.left > 0)) this.#refusal = invalid('', 'not a cache command')
    return this.#refusal
  }

  get failed(): boolean {
    return this.#refusal !== null || !this.#in.ok
  }

  get input(): ByteReader {
    return this.#in
  }

  refuse(refusal: Refused): void {
    this.#refusal ??= this.#in.ok ? refusal : invalid('', 'not a cache command')
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
  length(path: string, min: number, max: number): number {
    const value = this.#in.varint()
    if (value >= min && value <= max) return value
    this.refuse(invalid(path, `${min} to ${max} of them`))
    return 0
  }

  text(path: string, lengthMin: number, lengthMax: number): string {
    const text = this.#in.text()
    if (text.length >= lengthMin && (text.length <= lengthMax || isShort(text, lengthMax))) return text
    this.refuse(invalid(path, lengthMin === 0 ? `at most ${lengthMax} characters` : `${lengthMin} to ${lengthMax} characters`))
    return ''
  }

  /** At most so many bytes of UTF-8. */
  key(path: string, lengthMin: number): string {
    const key = this.#in.text()
    if (key.length >= lengthMin && utf8Length(key) <= CACHE_LIMITS.keyBytesMax) return key
    this.refuse(invalid(path, `${lengthMin} to ${CACHE_LIMITS.keyBytesMax} bytes`))
    return ''
  }

  line(path: string, kinds: readonly LineKind[]): LineId {
    const line = this.#in.text()
    const parsed = parseLine(line)
    if (parsed !== null && kinds.includes(parsed.kind) && isLine(parsed.namespace, parsed.cache, parsed.name)) return line
    this.refuse(invalid(path, `a line of the kind ${kinds.join(' or ')}`))
    return ''
  }

  /** A view, not a copy. */
  value(path: string): Uint8Array {
    const value = this.#in.bytes()
    const bytesMax = CACHE_LIMITS.valueBytesMax
    if (value.length > bytesMax) this.refuse(refuse('TOO_LARGE', `${path}: at most ${bytesMax} bytes`, { path, bytesMax }))
    return value
  }
}

/** Names of tags and levels are texts that were keys' prefixes or short: the bound of a key holds for all. */
function isLine(namespace: string, cache: string, name: string): boolean {
  return namespace !== '' && cache !== '' && utf8Length(name) <= CACHE_LIMITS.keyBytesMax
}

/** Characters are code points: one beyond the basic plane is two units of the string. */
function isShort(text: string, lengthMax: number): boolean {
  return text.length <= lengthMax * 2 && [...text].length <= lengthMax
}

/** How many bytes the text is as UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) continue
    bytes += unit < 0x800 ? 1 : 2
    // A pair is four bytes: the second half adds none of its own.
    if (unit >= 0xd800 && unit <= 0xdbff && at + 1 < text.length) {
      const next = text.charCodeAt(at + 1)
      if (next >= 0xdc00 && next <= 0xdfff) at++
    }
  }
  return bytes
}
