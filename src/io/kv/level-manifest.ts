/**
 * What LevelDB's manifest says of its tables: a log of edits, of which the last state counts. Only read here, and only to tell
 * which tables nobody refers to (level-leftovers.ts). Pure.
 *
 *   log:    blocks of 32 KiB of [crc32c · length · kind · bytes]: a record whole, or its first, middle and last parts
 *   edit:   [tag · …]*, numbers as varints; of a table that goes: level, number; of one that comes: besides size and both ends
 *
 * Invariant: null rather than a guess. A tail that was torn off does not count, as it does not for the engine; anything else that
 * is not understood to the last byte does.
 */
const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4]
const [COMPARATOR, LOG_NUMBER, NEXT_FILE, LAST_SEQUENCE, COMPACT_POINTER, DELETED_FILE, NEW_FILE, PREVIOUS_LOG] = [1, 2, 3, 4, 5, 6, 7, 9]
const CRC32C = 0x82f63b78
const MASK_DELTA = 0xa282ead8

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C : crc >>> 1
  return crc
})

/** As it is stored. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!
  crc = ~crc >>> 0
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}

/** The numbers of the tables that are in use, or null. */
export function liveTables(manifest: Uint8Array): ReadonlySet<number> | null {
  const records = recordsOf(Buffer.from(manifest.buffer, manifest.byteOffset, manifest.length))
  const live = new Map<string, number>()
  if (records === null || records.length === 0) return null
  for (const record of records) if (!new Edit(record).apply(live)) return null
  return new Set(live.values())
}

function recordsOf(log: Buffer): readonly Buffer[] | null {
  const records: Buffer[] = []
  let parts: Buffer[] | null = null
  for (let at = 0; at + HEADER_BYTES <= log.length;) {
    const left = BLOCK_BYTES - (at % BLOCK_BYTES)
    if (left < HEADER_BYTES) {
      at += left
      continue
    }
    const length = log.readUInt16LE(at + 4)
    const end = at + HEADER_BYTES + length
    if (HEADER_BYTES + length > left) return null
    if (end > log.length) break
    if (maskedCrc(log.subarray(at + 6, end)) !== log.readUInt32LE(at)) return null
    const kind = log[at + 6]!
    const begins = kind === FULL || kind === FIRST
    if (kind < FULL! || kind > LAST! || begins !== (parts === null)) return null
    parts = [...(parts ?? []), log.subarray(at + HEADER_BYTES, end)]
    if (kind === FULL || kind === LAST) {
      records.push(Buffer.concat(parts))
      parts = null
    } else if (kind !== FIRST && kind !== MIDDLE) return null
    at = end
  }
  return records
}

class Edit {
  readonly #bytes: Buffer
  #at = 0
  #ok = true

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** False: it is not understood. The engine too lets the tables of one edit go before others come. */
  apply(live: Map<string, number>): boolean {
    const come: number[][] = []
    while (this.#ok && this.#at < this.#bytes.length) {
      const tag = this.#number()
      if (tag === DELETED_FILE) live.delete(`${this.#number()}/${this.#number()}`)
      else if (tag === NEW_FILE) {
        come.push([this.#number(), this.#number()])
        this.#number()
        this.#skip()
        this.#skip()
      } else if (tag === COMPARATOR) this.#skip()
      else if (tag === COMPACT_POINTER) {
        this.#number()
        this.#skip()
      } else if (tag === LOG_NUMBER || tag === NEXT_FILE || tag === LAST_SEQUENCE || tag === PREVIOUS_LOG) this.#number()
      else this.#ok = false
    }
    for (const [level, number] of come) live.set(`${level}/${number}`, number!)
    return this.#ok
  }

  /** A varint; none is beyond 2^53 but in a store that lived for ever. */
  #number(): number {
    let value = 0
    for (let shift = 0; shift < 53; shift += 7) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) break
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value
    }
    this.#ok = false
    return 0
  }

  #skip(): void {
    const length = this.#number()
    this.#at += length
    if (this.#at > this.#bytes.length) this.#ok = false
  }
}
