/**
 * Bit rot, where it is recoverable: one bit of a record of the log that a later batch proves to have been durable, or of a
 * record in the key-value store. Spared are the last batch (rotten it looks like a torn tail, and no log with one copy can
 * tell, so what it held would be lost on one node more than the atlas allows) and the headers of the stored states, which
 * carry no checksum of their own.
 */
import { AREA_HEADER, PREFIX_BYTES } from '../raft/host/keys.ts'
import { scanSegment } from '../io/wal/scan.ts'
import type { Dice } from './dice.ts'
import type { SimDisk } from './disk.ts'

/** Says what rotted, or null where there was nothing to rot. */
export function rot(disk: SimDisk, dice: Dice): string | null {
  if (dice.chance(0.3)) {
    for (const [path, store] of disk.stores) if (store.rot(dice, (key) => key[PREFIX_BYTES] !== AREA_HEADER)) return path
  }
  const found = disk.paths
    .filter((path) => path.endsWith('.wal'))
    .flatMap((path) => {
      const scanned = scanSegment(Buffer.from(disk.find(path)?.platter() ?? new Uint8Array()), Number(path.slice(4, 20)))
      return scanned.records.map(({ offset, end, record }) => ({ path, offset, end, batch: record.batch }))
    })
  const last = Math.max(...found.map(({ batch }) => batch))
  const sound = found.filter(({ batch }) => batch < last)
  if (sound.length === 0) return null
  const { path, offset, end } = dice.pick(sound)
  disk.find(path)?.rot(dice.integer(offset, end - 1), dice.below(8))
  return `${path} at ${offset}`
}
