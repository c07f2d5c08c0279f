/**
 * Removes the tables that LevelDB left behind when it found the disk full, and refers to no more: of a compaction, and of each
 * opening that failed. It would do so itself once it is open; but that takes room, and they may be all that fills the disk.
 */
import { readFile, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { liveTables } from './level-manifest.ts'

const TABLE = /^(\d+)\.ldb$/
const MANIFEST = /^MANIFEST-\d+\n$/

/**
 * Resolves with how many there were. Of a store that is closed, and only where its manifest is understood, and all are there that it
 * names: of a store that misses any, whoever repairs it may need the others.
 */
export async function removeLeftovers(directory: string): Promise<number> {
  const current = await readFile(join(directory, 'CURRENT'), 'latin1').catch(() => '')
  if (!MANIFEST.test(current)) return 0
  const manifest = await readFile(join(directory, current.trimEnd())).catch(() => null)
  const live = manifest === null ? null : liveTables(manifest)
  if (live === null) return 0
  const tables = new Map<number, string>()
  for (const name of await readdir(directory)) {
    const number = TABLE.exec(name)?.[1]
    if (number !== undefined) tables.set(Number(number), name)
  }
  for (const number of live) if (!tables.delete(number)) return 0
  for (const name of tables.values()) await unlink(join(directory, name))
  return tables.size
}
