/**
 * An entry of a cache that was only used since it was written has a record of its use beside, which a replica that wrote it
 * later does not have: the bytes of the two say the same in other places. Here the use is in one.
 */
import { ENTRY, USE } from '../../cache/machine/kinds.ts'
import { ByteReader } from '../../raft/bytes.ts'

/** How many numbers tell of the use. */
const USE_NUMBERS = 5
const NOTHING = new Uint8Array()

/** What is the same, wherever the use was written; null for a record of no entry. */
export class CacheUse {
  readonly #entries = new Map<string, { readonly head: Uint8Array; use: Uint8Array; readonly tail: Uint8Array }>()

  /** Whether it is one of these. `key`: of the machine. */
  take(key: Uint8Array, value: Uint8Array): boolean {
    if (key[0] !== ENTRY && key[0] !== USE) return false
    const born = key.subarray(1).join()
    if (key[0] === ENTRY) this.#entries.set(born, partsOf(value))
    else {
      const entry = this.#entries.get(born)
      if (entry) entry.use = value.subarray(1)
    }
    return true
  }

  *records(): Generator<readonly [key: string, value: Uint8Array]> {
    for (const [born, { head, use, tail }] of this.#entries) yield [born, Buffer.concat([head, use, tail])]
  }
}

function partsOf(value: Uint8Array): { head: Uint8Array; use: Uint8Array; tail: Uint8Array } {
  const input = new ByteReader(value)
  const at = (): number => value.length - input.left
  const skip = (count: number): void => {
    for (let i = 0; i < count; i++) input.varint()
  }
  input.u8()
  skip(1)
  input.text()
  skip(4)
  input.text()
  for (let tags = input.varint(); tags > 0; tags--) {
    input.text()
    skip(1)
  }
  const from = at()
  skip(USE_NUMBERS)
  const to = at()
  return { head: value.subarray(0, from), use: input.ok ? value.subarray(from, to) : NOTHING, tail: value.subarray(to) }
}
