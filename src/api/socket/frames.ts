/**
 * The two subprotocols: a frame as text is JSON, as bytes MessagePack. Decoding never throws: whatever is not a plain
 * value in the form that was agreed upon is undefined, and the connection counts it as garbage. A request that MessagePack can
 * say and JSON cannot (a date, a text that is no UTF-8) is told apart, so that it is refused under its own id.
 */
import { type Plain } from '../../actors/envelope.ts'
import { isPlain, packPlain, unpackAny } from '../../actors/codec.ts'
import { FrameTexts } from './frame-texts.ts'

export type Protocol = 'tricord.v1.json' | 'tricord.v1.msgpack'

/** In place of a request of which only the id, if any, is to be looked at. */
export class NotPlain {
  readonly id: unknown

  constructor(id: unknown) {
    this.id = id
  }
}

export interface FrameCodec {
  readonly protocol: Protocol
  /** Bytes can be values. */
  readonly carriesBytes: boolean
  decode(data: Uint8Array, isBinary: boolean): unknown
  encode(value: unknown): string | Uint8Array
}

const JSON_FRAMES: FrameCodec = {
  protocol: 'tricord.v1.json',
  carriesBytes: false,
  decode(data, isBinary) {
    if (isBinary) return undefined
    try {
      return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString()) as unknown
    } catch {
      return undefined
    }
  },
  encode: (value) => JSON.stringify(value),
}

const MSGPACK_FRAMES: FrameCodec = {
  protocol: 'tricord.v1.msgpack',
  carriesBytes: true,
  decode(data, isBinary) {
    const frame = isBinary ? unpackAny(data) : undefined
    if (frame === undefined) return undefined
    const texts = new FrameTexts(data)
    if (!Array.isArray(frame)) return plainOr(frame, 0, texts.next())
    texts.enter()
    return frame.map((request) => plainOr(request, 1, texts.next()))
  },
  encode: (value) => packPlain(value as Plain),
}

function plainOr(request: unknown, depth: number, isText: boolean): unknown {
  if (isText && isPlain(request, depth)) return request
  return new NotPlain(typeof request === 'object' && request !== null ? (request as { readonly id?: unknown }).id : undefined)
}

const CODECS: ReadonlyMap<string, FrameCodec> = new Map([MSGPACK_FRAMES, JSON_FRAMES].map((codec) => [codec.protocol, codec]))
export const PROTOCOLS = [...CODECS.keys()]

/** The first of the offered subprotocols that is known here, or null. */
export function codecFor(offered: Iterable<string>): FrameCodec | null {
  for (const protocol of offered) {
    const codec = CODECS.get(protocol)
    if (codec) return codec
  }
  return null
}
