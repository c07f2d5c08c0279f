/** The MessagePack of this floor: plain arrays and objects, no records, no shared state between calls. */
import { Packr } from 'msgpackr'

export const packer = new Packr({ useRecords: false, mapsAsObjects: true })

/** Decodes bytes of unknown origin: null when they are no MessagePack. */
export function unpackOrNull(bytes: Uint8Array): unknown {
  try {
    return packer.unpack(bytes)
  } catch {
    return null
  }
}
