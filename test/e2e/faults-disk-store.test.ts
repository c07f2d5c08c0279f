/**
 * A disk that the store fills to the last byte: a compaction found no room for what it wrote, and left that there. What it left
 * goes at the next opening, for which room is kept; or ahead of it.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Kv, KvOp } from '../../src/io/kv/kv.ts'
import { DiskFullError, type Storage } from '../../src/io/storage.ts'
import { createFileStorage } from '../../src/io/storage-file.ts'
import { mayMount } from './small-disk.ts'

const MIB = 2 ** 20
const DISK_BYTES = 32 * MIB
const LOW_BYTES = 16 * MIB
const VALUE_BYTES = 16 * 1024
const RECORDS = 600
/** Less than the engine takes to merge a level with the next. */
const LEFT_BYTES = 5 * MIB
const ROUNDS_MAX = 600
const TRIES_MAX = 50

const keyOf = (at: number): Uint8Array => Buffer.from(String(at).padStart(8, '0'))
const valueOf = (at: number, round: number): Uint8Array =>
  createHash('shake256', { outputLength: VALUE_BYTES }).update(`${at}.${round}`).digest()

describe.skipIf(!mayMount())('a disk that the store itself fills', () => {
  let root: string
  let storage: Storage
  let kv: Kv
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'tricord-e2e-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', root])
    storage = createFileStorage(root, 'leveldb', LOW_BYTES)
    kv = await storage.kv('state')
  })
  afterEach(async () => {
    await kv.close()
    execFileSync('umount', [root])
    await rmdir(root)
  })
  const ballast = (): string => join(root, 'ballast')
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(root)
    return bavail * bsize
  }

  test('takes deletions all the same, and has its room again', async () => {
    let refused = 0
    /** As checkpoints do: the same again, until it is taken. */
    const write = async (op: KvOp): Promise<void> => {
      for (let tries = 0; ; tries++) {
        try {
          return await kv.batch([op], { sync: false })
        } catch (error) {
          if (!(error instanceof DiskFullError) || tries === TRIES_MAX) throw error
          refused++
        }
      }
    }
    for (let at = 0; at < RECORDS; at++) await write({ key: keyOf((at * 7) % RECORDS), value: valueOf(at, 0) })
    // Nothing goes on by itself then, which would take and give room meanwhile.
    await kv.compact({})
    await writeFile(ballast(), Buffer.alloc(Math.max(0, (await freeBytes()) - LEFT_BYTES)))
    for (let at = 0; at < ROUNDS_MAX && refused === 0; at++) await write({ key: keyOf((at * 7) % RECORDS), value: valueOf(at, 1) })
    expect(refused).toBeGreaterThan(0)
    for (let at = 0; at < RECORDS; at++) await write({ key: keyOf(at), value: null })
    await kv.compact({}).catch(() => false)
    await write({ key: keyOf(0), value: null })
    expect(await kv.compact({})).toBe(true)
    await rm(ballast())
    await storage.freeBytes()
    expect(await freeBytes()).toBeGreaterThan(DISK_BYTES - 6 * MIB)
  })

  test('is opened without any room where that is what was left there: by a compaction that ate what was kept, as it came back', async () => {
    for (let at = 0; at < RECORDS / 4; at++) await kv.batch([{ key: keyOf(at), value: valueOf(at, 0) }], { sync: false })
    await kv.compact({})
    await kv.close()
    await rm(join(root, 'state.reserve'))
    const left = join(root, 'state', '999999.ldb')
    for (let free = await freeBytes(); free > 0; free = await freeBytes()) await writeFile(left, Buffer.alloc(free), { flag: 'a' })
    kv = await storage.kv('state')
    expect(Buffer.from((await kv.get(keyOf(1))) ?? [])).toEqual(Buffer.from(valueOf(1, 0)))
    expect(await freeBytes()).toBeGreaterThan(DISK_BYTES / 2)
  })
})
