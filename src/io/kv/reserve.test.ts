/** A file that is there while there is room, and gone when it is needed. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Reserve } from './reserve.ts'

const BYTES = 1_000_000

let directory: string
let free: number
let reserve: Reserve
const path = (): string => join(directory, 'state.reserve')
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tricord-reserve-'))
  free = 3 * BYTES
  reserve = new Reserve(path(), BYTES, async () => free)
})
afterEach(() => rm(directory, { recursive: true }))

test('it is taken, given once, and taken again where there is room for it', async () => {
  expect(await reserve.give()).toBe(false)
  await reserve.take()
  expect([reserve.there, (await stat(path())).size]).toEqual([true, BYTES])
  expect(await reserve.give()).toBe(true)
  expect([reserve.there, await readdir(directory), await reserve.give()]).toEqual([false, [], false])
  await Promise.all([reserve.take(), reserve.take()])
  expect([reserve.there, (await stat(path())).size]).toEqual([true, BYTES])
})

test('of little room it takes a part, and leaves as much; of more the rest', async () => {
  const disk = BYTES
  const given = new Reserve(path(), BYTES, async () => disk - ((await stat(path()).catch(() => null))?.size ?? 0))
  for (let looks = 0; looks < 3; looks++) await given.take()
  expect([given.there, (await stat(path())).size]).toEqual([false, BYTES / 2])
  expect([await given.give(), await given.give(), await readdir(directory)]).toEqual([true, false, []])
  await given.take()
  free = 1.5 * BYTES
  await reserve.take()
  expect([reserve.there, (await stat(path())).size]).toEqual([true, BYTES])
  free = 0
  const none = new Reserve(`${path()}.none`, BYTES, async () => free)
  await none.take()
  expect([none.there, await none.give()]).toEqual([false, false])
})

test('that of an earlier life counts, and is enlarged', async () => {
  await reserve.take()
  free = 0
  const next = new Reserve(path(), BYTES, async () => free)
  await next.take()
  expect(next.there).toBe(true)
  const larger = new Reserve(path(), 2 * BYTES, async () => free)
  await larger.take()
  expect(larger.there).toBe(false)
  free = 3 * BYTES
  await larger.take()
  expect([larger.there, (await stat(path())).size]).toEqual([true, 2 * BYTES])
})

test('what cannot be written is not there', async () => {
  const nowhere = new Reserve(join(directory, 'nowhere', 'state.reserve'), BYTES, async () => free)
  await nowhere.take()
  expect([nowhere.there, await nowhere.give()]).toEqual([false, false])
})
