/**
 * Bodies that were stored a short while ago, for the deliveries that follow at once. One per node, shared by its machines.
 *
 * They are copied one behind the other into segments; when there are too many segments the oldest goes, with all that is in
 * it. A segment is never written twice, so a view that was given away stays what it was.
 */
const SEGMENT_BYTES = 1 << 20
/** No body is longer than a segment by far (`message-body.ts`). */
const FIELD = 2 ** 20

interface Segment {
  readonly bytes: Uint8Array
  length: number
  readonly places: { readonly map: CachedBodies; readonly seq: number; readonly place: number }[]
}

/** Where the bodies of one queue are in the cache: segment * FIELD + place, by number. */
export type CachedBodies = Map<number, number>

export class BodyCache {
  readonly #segmentsMax: number
  readonly #segments = new Map<number, Segment>()
  #newest = 0

  /** `bytesMax` 0: nothing is kept. */
  constructor(bytesMax: number) {
    this.#segmentsMax = Math.ceil(bytesMax / SEGMENT_BYTES)
  }

  get bytes(): number {
    return this.#segments.size * SEGMENT_BYTES
  }

  put(map: CachedBodies, seq: number, body: Uint8Array): void {
    const needed = body.length + 4
    if (this.#segmentsMax === 0 || needed > SEGMENT_BYTES) return
    let segment = this.#segments.get(this.#newest)
    if (segment === undefined || segment.length + needed > SEGMENT_BYTES) segment = this.#begin()
    const place = this.#newest * FIELD + segment.length
    new DataView(segment.bytes.buffer).setUint32(segment.length, body.length)
    segment.bytes.set(body, segment.length + 4)
    segment.length += needed
    segment.places.push({ map, seq, place })
    map.set(seq, place)
  }

  /** A view of the body, or null. */
  get(map: CachedBodies, seq: number): Uint8Array | null {
    const place = map.get(seq)
    if (place === undefined) return null
    const { bytes } = this.#segments.get(Math.floor(place / FIELD)) as Segment
    const at = place % FIELD
    const length = new DataView(bytes.buffer).getUint32(at)
    return bytes.subarray(at + 4, at + 4 + length)
  }

  #begin(): Segment {
    if (this.#segments.size >= this.#segmentsMax) {
      for (const [number, { places }] of this.#segments) {
        this.#segments.delete(number)
        for (const { map, seq, place } of places) if (map.get(seq) === place) map.delete(seq)
        break
      }
    }
    this.#newest += 1
    const segment = { bytes: new Uint8Array(SEGMENT_BYTES), length: 0, places: [] }
    this.#segments.set(this.#newest, segment)
    return segment
  }
}
