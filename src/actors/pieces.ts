/**
 * Envelopes that are larger than a frame travel in pieces, a frame for each, and are put together again here.
 *
 *   piece = head (f64 id | u32 bytes of the envelope | u32 offset, little endian) · bytes
 *
 * `id` is the number of the frame that carries the first piece, so it is unique in what passes from one life to another.
 * The pieces may come in any order, and each once (links.ts sees to that). A lost piece loses the envelope: what is not whole
 * is forgotten, the oldest first, where it takes too much room. Bytes that no node made give nothing, or an envelope that
 * does not decode.
 */

/** Of an envelope, in how many pieces it may be. */
export const ENVELOPE_BYTES_MAX = 8 * 1024 * 1024
/** Fewer than the frames that may overtake one another (received.ts). */
export const PIECES_MAX = 1_024
export const PIECE_HEAD_BYTES = 16
/** Of what has come from one life of one peer and is not whole. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024
/** What keeping a piece costs besides its bytes. */
const PIECE_COST_BYTES = 128

export interface Piece {
  readonly head: Uint8Array
  readonly bytes: Uint8Array
}

/** At most `bytesMax` of the envelope in each, as views; null where those would be too many. */
export function cut(envelope: Uint8Array, bytesMax: number, id: number): Piece[] | null {
  if (envelope.length > ENVELOPE_BYTES_MAX || bytesMax < 1 || envelope.length > bytesMax * PIECES_MAX) return null
  const pieces: Piece[] = []
  for (let at = 0; at < envelope.length; at += bytesMax) {
    const head = new Uint8Array(PIECE_HEAD_BYTES)
    const view = new DataView(head.buffer)
    view.setFloat64(0, id, true)
    view.setUint32(8, envelope.length, true)
    view.setUint32(12, at, true)
    pieces.push({ head, bytes: envelope.subarray(at, at + bytesMax) })
  }
  return pieces
}

interface Unfinished {
  readonly bytes: number
  /** By their offset. */
  readonly pieces: Map<number, Uint8Array>
  have: number
}

/** What has come in pieces from one life of a peer. */
export class Pieces {
  /** In the order of their first pieces. */
  readonly #unfinished = new Map<number, Unfinished>()
  #kept = 0

  /** What is kept of envelopes that are not whole, with what keeping it costs. */
  get keptBytes(): number {
    return this.#kept
  }

  /** The envelope, if it is whole now; null where pieces are missing; undefined where this is none, or contradicts the others. */
  take(head: Uint8Array, bytes: Uint8Array, onLost: () => void): Uint8Array | null | undefined {
    if (head.length !== PIECE_HEAD_BYTES) return undefined
    const view = new DataView(head.buffer, head.byteOffset, PIECE_HEAD_BYTES)
    const [id, whole, offset] = [view.getFloat64(0, true), view.getUint32(8, true), view.getUint32(12, true)]
    if (!Number.isSafeInteger(id) || bytes.length === 0 || whole > ENVELOPE_BYTES_MAX || offset + bytes.length > whole) return undefined
    let found = this.#unfinished.get(id)
    if (found === undefined) this.#unfinished.set(id, (found = { bytes: whole, pieces: new Map(), have: 0 }))
    const { pieces } = found
    if (found.bytes !== whole || pieces.has(offset) || found.have + bytes.length > whole || pieces.size === PIECES_MAX) {
      this.#forget(id, found)
      return undefined
    }
    pieces.set(offset, bytes)
    found.have += bytes.length
    this.#kept += bytes.length + PIECE_COST_BYTES
    if (found.have === whole) {
      this.#forget(id, found)
      return join(found)
    }
    this.#makeRoom(onLost)
    return null
  }

  #makeRoom(onLost: () => void): void {
    for (const [id, found] of this.#unfinished) {
      if (this.#kept <= KEPT_BYTES_MAX) return
      this.#forget(id, found)
      onLost()
    }
  }

  #forget(id: number, { have, pieces }: Unfinished): void {
    this.#kept -= have + pieces.size * PIECE_COST_BYTES
    this.#unfinished.delete(id)
  }
}

/** Undefined where they overlap. */
function join({ bytes, pieces }: Unfinished): Uint8Array | undefined {
  const whole = new Uint8Array(bytes)
  let at = 0
  while (at < bytes) {
    const piece = pieces.get(at)
    if (piece === undefined) return undefined
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
