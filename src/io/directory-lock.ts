/**
 * One process per data directory. Each that wants it leaves an empty file there that names itself, and only then looks who
 * else has left one:
 *
 *   create LOCK.<pid>.<mark> ──> list LOCK.* ──another lives──> remove own, refuse
 *                                     └──────the others are dead──> remove theirs: held until `release`
 *
 * Nobody takes a lock over from anybody, so there is nothing to check that may have changed before it is acted upon: of two
 * that start at once the later to look sees the other. Both may, then both are refused. The name of a dead process may
 * be removed by anybody at any time, since its mark (process-mark.ts) tells it from all that come after.
 */
import { open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { markOf } from './process-mark.ts'

const NAME = /^LOCK\.(\d+)\.(.*)$/

/** Another process holds the directory. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError'
}

/** Returns what gives the directory back. The directory exists. */
export async function lockDirectory(root: string): Promise<() => Promise<void>> {
  const own = `LOCK.${process.pid}.${await markOf(process.pid)}`
  const release = (): Promise<void> => removeAny(join(root, own))
  await (await open(join(root, own), 'w')).close()
  try {
    for (const name of await readdir(root)) if (name !== own) await judge(root, name)
  } catch (error) {
    await release()
    throw error
  }
  return release
}

async function judge(root: string, name: string): Promise<void> {
  const [, pid, mark = ''] = NAME.exec(name) ?? []
  if (pid === undefined) return
  // Of this process, but with another mark: an earlier one that had its number.
  const lives = Number(pid) !== process.pid && isAlive(Number(pid)) && (await isSame(Number(pid), mark))
  if (lives) throw new DirectoryLockedError(`${root} is in use by process ${pid}`)
  await removeAny(join(root, name))
}

async function removeAny(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** Where the system does not tell, a process of that id has to be taken for the one that wrote the mark. */
async function isSame(pid: number, mark: string): Promise<boolean> {
  const now = await markOf(pid)
  return mark === '' || now === '' || now === mark
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
