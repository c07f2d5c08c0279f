import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DirectoryLockedError, lockDirectory } from './directory-lock.ts'
import { markOf } from './process-mark.ts'

/** No process has this id: Linux and macOS stay below 2^22. */
const NOBODY = 4_194_999
const PARENT = process.ppid

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tricord-lock-'))
})
afterEach(() => rm(root, { recursive: true }))

const leave = (pid: number, mark: string): Promise<void> => writeFile(join(root, `LOCK.${pid}.${mark}`), '')

test('a directory in use is refused, and the message says by whom', async () => {
  await leave(PARENT, await markOf(PARENT))
  await expect(lockDirectory(root)).rejects.toThrow(DirectoryLockedError)
  await expect(lockDirectory(root)).rejects.toThrow(String(PARENT))
  // The one that was refused leaves nothing that could refuse others.
  expect(await readdir(root)).toHaveLength(1)
})

test('without a mark a process of that number counts as the one that holds it', async () => {
  await leave(PARENT, '')
  await expect(lockDirectory(root)).rejects.toThrow(DirectoryLockedError)
})

test('what dead processes left is no hindrance, also where their number was given to another or to this one', async () => {
  await leave(NOBODY, 'some-boot:1')
  await leave(PARENT, 'an-earlier-boot:1')
  await leave(process.pid, 'an-earlier-boot:1')
  const release = await lockDirectory(root)
  expect(await readdir(root)).toEqual([`LOCK.${process.pid}.${await markOf(process.pid)}`])
  await release()
  expect(await readdir(root)).toEqual([])
})
