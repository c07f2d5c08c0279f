/**
 * Writing and reading small binary formats: the payload of log entries, keys and records of the host.
 *
 * Numbers are LEB128 varints over the safe integers, 8-byte floats and 32-bit big-endian words. A reader
 * never throws: past the end, or on a number that is no safe integer, `ok` turns false and stays so, and
 * everything read from then on is 0 or empty. So a format is checked once, after it was read.
 */
const TEXT = new TextEncoder()
/** A text may begin with U+FEFF, which a decoder else swallows. */
const FROM_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })
const VARINT_BYTES_MAX = 8
const SHORT_TEXT_BYTES = 16
const EMPTY = new Uint8Array(0)

export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  #room(extra: number): void {
    const needed = this.#length + extra
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }

  u8(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  u32(value: number): void {
    this.#room(4)
    this.#view.setUint32(this.#length, value)
    this.#length += 4
  }

  f64(value: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#length, value)
    this.#length += 8
  }

  /** A safe integer >= 0 in one to eight bytes. */
  varint(value: number): void {
    this.#room(VARINT_BYTES_MAX)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Length first. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** By hand while it is ASCII, as most is: the encoder's array per string costs more than the copying. */
  text(text: string): void {
    const start = this.#length
    this.varint(text.length)
    this.#room(text.length)
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) {
        this.#length = start
        return this.bytes(TEXT.encode(text))
      }
      this.#bytes[this.#length++] = unit
    }
  }

  /** What was written, in memory of its own size; the writer begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length)
    this.#length = 0
    return taken
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array
  #view: DataView | null = null
  #at: number
  readonly #end: number
  #ok = true

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    // Never a Buffer, which is what frames are made of: its `slice` is a view.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#at = at
    this.#end = end
  }

  get ok(): boolean {
    return this.#ok
  }

  get left(): number {
    return this.#ok ? this.#end - this.#at : 0
  }

  /** The bytes are not what was expected here. */
  fail(): void {
    this.#ok = false
  }

  #take(length: number): boolean {
    if (!this.#ok || length > this.#end - this.#at) this.#ok = false
    return this.#ok
  }

  u8(): number {
    return this.#take(1) ? this.#bytes[this.#at++]! : 0
  }

  u32(): number {
    if (!this.#take(4)) return 0
    this.#at += 4
    return this.#viewed().getUint32(this.#at - 4)
  }

  f64(): number {
    if (!this.#take(8)) return 0
    this.#at += 8
    return this.#viewed().getFloat64(this.#at - 8)
  }

  /** Made where it is asked for: most formats are varints only. */
  #viewed(): DataView {
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
    return this.#view
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 0x80
    }
    this.#ok = false
    return 0
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    if (!this.#take(length)) return EMPTY
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  bytes(): Uint8Array {
    return this.raw(this.varint())
  }

  /** By hand while it is short and ASCII, as names and ids are: a view and the decoder's call cost more. */
  text(): string {
    const length = this.varint()
    if (!this.#take(length)) return ''
    const start = this.#at
    this.#at += length
    let text = ''
    for (let at = start; at < this.#at; at++) {
      const unit = this.#bytes[at]!
      if (unit >= 0x80 || length > SHORT_TEXT_BYTES) return FROM_TEXT.decode(this.#bytes.subarray(start, this.#at))
      text += String.fromCharCode(unit)
    }
    return text
  }
}
