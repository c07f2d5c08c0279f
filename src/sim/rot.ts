/**
 * Bit rot, where it is recoverable: one bit of a record of the log that a later batch proves to have been durable, or of a
 * record in the key-value store. Spared are the last batch (rotten it looks like a torn tail, and no log with one copy can
 * tell, so what it held would be lost on one node more than the atlas allows) and the headers of the stored states, which
 * carry no checksum of their own.
 *
 * In the runs that are about it (`--rotten`) also several records at once, whole sectors, the headers of segments, and what
 * the engine of the key-value store notices by itself.
 */
import { AREA_HEADER, PREFIX_BYTES } from '../raft/host/keys.ts'
import { scanSegment } from '../io/wal/scan.ts'
import type { Dice } from './dice.ts'
import type { SimDisk } from './disk.ts'

const STATE = 'state'
const SEGMENT = /^wal\/(\d{16})\.wal$/
const SEGMENT_HEADER_USED = 28
const SECTOR = 512

/** Says what rotted, or null where there was nothing to rot. */
export function rot(disk: SimDisk, dice: Dice): string | null {
  if (dice.chance(0.3) && rotRecord(disk, dice)) return STATE
  return rotLog(disk, dice)
}

/** As `rot`, in all the ways that there are. */
export function decay(disk: SimDisk, dice: Dice): string | null {
  const what: (string | null)[] = []
  for (let times = dice.pick([1, 1, 2, 5]); times > 0; times--) {
    const kind = dice.pick(['log', 'log', 'log', 'sector', 'header', 'record', 'store'] as const)
    if (kind === 'record') what.push(rotRecord(disk, dice) ? STATE : null)
    else if (kind === 'store') what.push(damageStore(disk, dice))
    else if (kind === 'header') what.push(rotHeader(disk, dice))
    else what.push(rotLog(disk, dice, kind === 'sector' ? SECTOR : 1))
  }
  return what.filter((one) => one !== null).join(', ') || null
}

function rotRecord(disk: SimDisk, dice: Dice): boolean {
  return disk.stores.get(STATE)?.rot(dice, (key) => key[PREFIX_BYTES] !== AREA_HEADER) === true
}

function damageStore(disk: SimDisk, dice: Dice): string | null {
  const store = disk.stores.get(STATE)
  if (!store) return null
  store.damage = dice.pick(['opening', 'reading', 'writing'] as const)
  return `${STATE} at ${store.damage}`
}

function rotHeader(disk: SimDisk, dice: Dice): string | null {
  const segments = disk.paths.filter((path) => SEGMENT.test(path))
  if (segments.length === 0) return null
  const path = dice.pick(segments)
  disk.find(path)?.rot(dice.below(SEGMENT_HEADER_USED), dice.below(8))
  return `${path} at its header`
}

/** One bit, or one of each byte of a stretch, as far as it does not reach into the last batch. */
function rotLog(disk: SimDisk, dice: Dice, length = 1): string | null {
  const found = disk.paths
    .filter((path) => SEGMENT.test(path))
    .flatMap((path) => {
      const scanned = scanSegment(Buffer.from(disk.find(path)?.platter() ?? new Uint8Array()), Number(SEGMENT.exec(path)?.[1]))
      return scanned.records.map(({ offset, end, record }) => ({ path, offset, end, batch: record.batch }))
    })
  const last = Math.max(...found.map(({ batch }) => batch))
  const sound = found.filter(({ batch }) => batch < last)
  if (sound.length === 0) return null
  const { path, offset, end } = dice.pick(sound)
  const from = dice.integer(offset, end - 1)
  const limit = Math.max(...sound.filter((record) => record.path === path).map((record) => record.end))
  for (let at = from; at < Math.min(from + length, limit); at++) disk.find(path)?.rot(at, dice.below(8))
  return `${path} at ${from}`
}
