/**
 * A page of a list that grows at one end: varints, appended, and read from the front. A page is one record, so a change of
 * the list writes at most a kilobyte however long the list is.
 */
import { Stored } from './stored.ts'

/** A page is closed when less than an entry's room is left. */
const BYTES_MAX = 1024
const ENTRY_BYTES_MAX = 24
const BYTES_MIN = 32

export class Chunk extends Stored {
  readonly kind: number
  readonly queue: number
  /** The lane it belongs to, 0 where lanes do not matter. */
  readonly lane: number
  /** Rising along the list. */
  readonly number: number
  /** What the entries are relative to; their meaning is the list's. */
  readonly base: number
  readonly baseTime: number
  bytes = new Uint8Array(BYTES_MIN)
  length = 0

  constructor(kind: number, queue: number, lane: number, number: number, base: number, baseTime: number) {
    super()
    this.kind = kind
    this.queue = queue
    this.lane = lane
    this.number = number
    this.base = base
    this.baseTime = baseTime
  }

  get isFull(): boolean {
    return this.length + ENTRY_BYTES_MAX > BYTES_MAX
  }

  push(value: number): void {
    if (this.length + 8 > this.bytes.length) this.#widen()
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
  }

  /** The entries as they were stored. */
  fill(entries: Uint8Array): void {
    while (this.bytes.length < entries.length) this.#widen()
    this.bytes.set(entries)
    this.length = entries.length
  }

  #widen(): void {
    const bytes = new Uint8Array(Math.min(this.bytes.length * 2, BYTES_MAX))
    bytes.set(this.bytes)
    this.bytes = bytes
  }
}

/** Reads the varints of a page. */
export class ChunkReader {
  #chunk: Chunk
  at: number

  constructor(chunk: Chunk, at = 0) {
    this.#chunk = chunk
    this.at = at
  }

  get isAtEnd(): boolean {
    return this.at >= this.#chunk.length
  }

  next(): number {
    const { bytes } = this.#chunk
    let byte = bytes[this.at++] as number
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 0x80
    do {
      byte = bytes[this.at++] as number
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }
}
