/** Tables that nobody refers to go; a live one never does, whatever the history, and whatever became of the manifest. */
import { appendFile, copyFile, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Prng } from '../../base/prng.ts'
import { removeLeftovers } from './level-leftovers.ts'
import { liveTables } from './level-manifest.ts'
import { openLevelKv } from './level.ts'
import type { Kv, KvPair } from './kv.ts'

const WRITE_BUFFER_BYTES = 64 * 1024
const VALUE_BYTES = 2_000

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tricord-leftovers-'))
})
afterEach(() => rm(directory, { recursive: true }))

const tables = async (): Promise<string[]> => (await readdir(directory)).filter((name) => name.endsWith('.ldb')).sort()
const manifest = async (): Promise<string> => join(directory, (await readFile(join(directory, 'CURRENT'), 'latin1')).trimEnd())
const open = (): Promise<Kv> => openLevelKv(directory, WRITE_BUFFER_BYTES)

/** So many batches of random puts and deletes, with compactions in between; resolves with what there is then. */
async function live(kv: Kv, random: Prng, batches: number): Promise<Map<number, number>> {
  const model = new Map<number, number>()
  for (let batch = 0; batch < batches; batch++) {
    const ops = Array.from({ length: 20 }, () => ({ at: random.below(400), value: random.below(4) === 0 ? null : random.below(256) }))
    const bytes = (value: number): Uint8Array => Uint8Array.from({ length: VALUE_BYTES }, () => random.below(256)).fill(value, 0, 1)
    const written = new Map(ops.map(({ at, value }) => [at, value]))
    for (const [at, value] of written) {
      if (value === null) model.delete(at)
      else model.set(at, value)
    }
    await kv.batch(
      Array.from(written, ([at, value]) => ({ key: Buffer.from([at >> 8, at]), value: value === null ? null : bytes(value) })),
      { sync: false },
    )
    if (random.below(10) === 0) await kv.compact({})
  }
  return model
}

async function holds(kv: Kv, model: ReadonlyMap<number, number>): Promise<void> {
  const iterator = kv.iterate({})
  const pairs: KvPair[] = []
  for (let page = await iterator.next(100); page.length > 0; page = await iterator.next(100)) pairs.push(...page)
  await iterator.close()
  expect(new Map(pairs.map(([key, value]) => [key[0]! * 256 + key[1]!, value[0]]))).toEqual(model)
}

test('what no edit names goes, and what one names stays: nothing that can be read is missed, after every history', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    await rm(directory, { recursive: true })
    const kv = await open()
    const model = await live(kv, new Prng(seed), 10 + seed * 15)
    await kv.close()
    const before = await tables()
    const named = [...(liveTables(await readFile(await manifest())) ?? [])].map((number) => `${String(number).padStart(6, '0')}.ldb`).sort()
    // Closing breaks off what is being compacted, and leaves that.
    expect([before.length > 0, named.filter((name) => !before.includes(name))]).toEqual([true, []])
    for (const name of ['000001.ldb', '999999.ldb']) await copyFile(join(directory, before[0]!), join(directory, name))
    await writeFile(join(directory, '999998.sst'), '')
    const gone = before.length - named.length + 2
    expect([await removeLeftovers(directory), await tables(), await removeLeftovers(directory)]).toEqual([gone, named, 0])
    expect(await readdir(directory)).toContain('999998.sst')
    const again = await open()
    await holds(again, model)
    await again.close()
  }
})

test('where a table is missed that the manifest names, nothing goes: the others may be all that is left', async () => {
  const kv = await open()
  await live(kv, new Prng(3), 60)
  await kv.close()
  const [named = 0] = liveTables(await readFile(await manifest())) ?? []
  await copyFile(join(directory, (await tables())[0]!), join(directory, '999999.ldb'))
  await rm(join(directory, `${String(named).padStart(6, '0')}.ldb`))
  const left = await tables()
  expect([await removeLeftovers(directory), await tables()]).toEqual([0, left])
})

test('of a manifest that is not understood nothing is believed; a torn tail is none', async () => {
  const kv = await open()
  await live(kv, new Prng(9), 60)
  await kv.close()
  const path = await manifest()
  const whole = await readFile(path)
  const believed = liveTables(whole)
  expect(believed?.size).toBeGreaterThan(0)
  /** After so many whole edits. */
  const prefixes = new Set<string>()
  for (let length = 0; length <= whole.length; length++) prefixes.add(JSON.stringify([...(liveTables(whole.subarray(0, length)) ?? [])]))
  let refused = 0
  for (let at = 0; at < whole.length; at++) {
    const flipped = Buffer.from(whole)
    flipped[at]! ^= 1 << (at % 8)
    const said = liveTables(flipped)
    if (said === null) refused++
    // A length that leads beyond the end looks torn: then what was before counts, as it does for the engine.
    else expect(prefixes.has(JSON.stringify([...said]))).toBe(true)
  }
  expect(refused).toBeGreaterThan(whole.length * 0.9)
  expect(liveTables(Buffer.alloc(0))).toBeNull()
  await appendFile(path, whole.subarray(0, 20))
  expect(liveTables(await readFile(path))).toEqual(believed)
  await truncate(path, whole.length)
  await writeFile(path, Buffer.concat([whole.subarray(0, 9), Buffer.from([whole[9]! ^ 1]), whole.subarray(10)]))
  await copyFile(join(directory, (await tables())[0]!), join(directory, '999999.ldb'))
  expect([await removeLeftovers(directory), (await tables()).includes('999999.ldb')]).toEqual([0, true])
  await rm(join(directory, 'CURRENT'))
  expect(await removeLeftovers(directory)).toBe(0)
})
