/**
 * Whether the texts of a MessagePack frame are UTF-8. Decoders put U+FFFD in the place of what is none, or take overlong forms for
 * what they mean, so that two keys of different bytes become one: it has to be asked of the bytes, before anything is made of them.
 *
 * A frame that was decoded is walked through once more, token by token: what a container holds simply follows it. Extensions may
 * hold texts of their own, which no one has looked at: of them only the one for `undefined` is taken.
 */
import { isUtf8 } from 'node:buffer'

/** From here on the native check is quicker than a loop. */
const SHORT_MAX = 32

export class FrameTexts {
  private readonly bytes: Uint8Array
  private at = 0
  private isSound = true

  /** Of a frame that could be decoded. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Into the array that comes next: its items come one by one then. */
  enter(): void {
    this.token()
  }

  /** Whether all the texts of the value that comes next are UTF-8; it is over then. */
  next(): boolean {
    this.isSound = true
    for (let left = 1; left > 0; left--) left += this.token()
    return this.isSound
  }

  /** Goes past a token; how many follow that are part of it. */
  private token(): number {
    const head = this.number(1)
    if (head < 0x80 || head >= 0xe0) return 0
    if (head < 0x90) return 2 * (head & 0x0f)
    if (head < 0xa0) return head & 0x0f
    if (head < 0xc0) return this.text(head & 0x1f)
    switch (head) {
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.skip(this.number(1 << (head - 0xc4)))
      case 0xca:
      case 0xcb:
        return this.skip(4 << (head - 0xca))
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.skip(1 << (head - 0xcc))
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.skip(1 << (head - 0xd0))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.number(1 << (head - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.number(2 << (head - 0xdc))
      case 0xde:
      case 0xdf:
        return 2 * this.number(2 << (head - 0xde))
    }
    return this.other(head)
  }

  /** null, true and false, and extensions. */
  private other(head: number): number {
    if (head < 0xc4) return 0
    if (head >= 0xd4) {
      if (head !== 0xd4 || this.bytes[this.at] !== 0) this.isSound = false
      return this.skip(1 + (1 << (head - 0xd4)))
    }
    this.isSound = false
    const length = this.number(1 << (head - 0xc7))
    return this.skip(1 + length)
  }

  private text(length: number): number {
    const { bytes, at } = this
    const end = at + length
    let from = at
    if (length <= SHORT_MAX) while (from < end && (bytes[from] as number) < 0x80) from++
    if (from < end && !isUtf8(bytes.subarray(from, end))) this.isSound = false
    return this.skip(length)
  }

  private skip(length: number): number {
    this.at += length
    return 0
  }

  /** Of so many bytes, without a sign. Beyond the end: 0, for it is known that there is none. */
  private number(width: number): number {
    let value = 0
    for (let left = width; left > 0; left--) value = value * 256 + (this.bytes[this.at++] ?? 0)
    return value
  }
}
