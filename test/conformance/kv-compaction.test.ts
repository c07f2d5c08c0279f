/** Room that comes back: how large the directory of a store is once most of it was deleted and compacted. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Kv } from '../../src/io/kv/kv.ts'
import { openKv } from '../../src/io/kv/open.ts'

const MIB = 2 ** 20
const VALUE_BYTES = 16 * 1024
const RANGE = { gte: Buffer.from('b'), lt: Buffer.from('c') }
/** Files that begin, and what is too small to count. */
const NOTHING_BYTES = MIB

const NONE = new Uint8Array(0)
const keyOf = (at: number): Uint8Array => Buffer.from(`b${String(at).padStart(8, '0')}`)
/** The same for the same number, and of a kind that nobody compresses. */
function valueOf(at: number): Buffer {
  return createHash('shake256', { outputLength: VALUE_BYTES }).update(String(at)).digest()
}

const engines = ['leveldb'] as ('leveldb' | 'rocksdb')[]
if (`${process.platform}-${process.arch}` === 'linux-x64' || `${process.platform}-${process.arch}` === 'darwin-arm64')
  engines.push('rocksdb')

describe.each(engines)('%s', (engine) => {
  let directory: string
  let kv: Kv
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tricord-kv-'))
    kv = await openKv(engine, directory)
  })
  afterEach(async () => {
    await kv.close()
    await rm(directory, { recursive: true })
  })
  const put = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at++) await kv.batch([{ key: keyOf(at), value: valueOf(at) }], { sync: false })
  }
  const del = async (from: number, to: number, stays = (_at: number): boolean => false): Promise<void> => {
    for (let at = from; at < to; at++) if (!stays(at)) await kv.batch([{ key: keyOf(at), value: null }], { sync: false })
  }
  const bytes = async (): Promise<number> => {
    const sizes = (await readdir(directory)).map((name) => stat(join(directory, name)).catch(() => ({ size: 0 })))
    return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0)
  }
  // RocksDB's own threads do it, once they were told.
  const shrinks = (to: number): Promise<void> => expect.poll(bytes, { timeout: 20_000, interval: 50 }).toBeLessThan(to)

  test.each([
    ['less than a write buffer', 300],
    ['about a write buffer', 1_050],
    ['several write buffers', 4_000],
  ])('a backlog of %s that came and went leaves nothing', async (_what, count) => {
    await put(0, count)
    await del(0, count)
    expect(await kv.compact(RANGE)).toBe(true)
    await shrinks(NOTHING_BYTES)
    expect(await kv.compact(RANGE)).toBe(true)
    expect(await bytes()).toBeLessThan(NOTHING_BYTES)
  })

  test('what stays in between can be read, and takes no more than its room', async () => {
    const count = 3_000
    const stays = (at: number): boolean => at % 5 === 0 || at >= count - 10
    await kv.batch([{ key: RANGE.lt, value: valueOf(1) }], { sync: false })
    await put(0, count)
    await del(0, count, stays)
    const staying = Array.from({ length: count }, (_, at) => at).filter(stays)
    expect(await kv.compact(RANGE)).toBe(true)
    await shrinks((staying.length + 1) * VALUE_BYTES * 1.4 + NOTHING_BYTES)
    const values = await kv.getMany([...staying.map(keyOf), RANGE.lt])
    expect([...staying, 1].filter((at, i) => !valueOf(at).equals(values[i] ?? NONE))).toEqual([])
    const iterator = kv.iterate({})
    const keys: Uint8Array[] = []
    for (let page = await iterator.next(100); page.length > 0; page = await iterator.next(100)) keys.push(...page.map(([key]) => key))
    await iterator.close()
    expect(keys.map((key) => Buffer.from(key))).toEqual([...staying.map(keyOf), RANGE.lt])
  })

  test('a reader is in the way as long as it reads', async () => {
    await put(0, 300)
    const reader = kv.iterate({})
    await del(0, 300)
    expect(await kv.compact(RANGE)).toBe(false)
    expect(await reader.next(10)).not.toEqual([])
    await reader.close()
    expect(await kv.compact(RANGE)).toBe(true)
    await shrinks(NOTHING_BYTES)
  })

  test('what nobody wants any more ends early', async () => {
    await put(0, 300)
    await del(0, 300)
    expect(await kv.compact(RANGE, () => false)).toBe(false)
  })
})
