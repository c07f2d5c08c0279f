/** Each rule of the protocol is needed: without it the model breaks. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ReducerMutant } from './mutant.ts'
import { LEAVING_MUTANTS } from './leaving-mutants.ts'
import { LENDING_DRIVER_MUTANTS, LENDING_MUTANTS } from './lending-mutants.ts'
import { DRIVER_MUTANTS, REDUCER_MUTANTS } from './mutants.ts'
import { OWNER_MUTANTS } from './owner-mutants.ts'
import { run } from './run.ts'

const SOURCE = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const STATES_MAX = 1_000_000
const SHOW = Boolean(process.env['CACHE_MODEL_SHOW'])

/** The model on changed reducers. */
async function planted({ file, edits }: ReducerMutant): Promise<typeof run> {
  const place = mkdtempSync(join(tmpdir(), 'tricord-coherence-'))
  onTestFinished(() => rmSync(place, { recursive: true, force: true }))
  mkdirSync(join(place, 'cache'))
  const filter = (file: string): boolean => !file.endsWith('.test.ts')
  for (const part of ['base', 'cache/types.ts', 'cache/coherence'])
    cpSync(join(SOURCE, part), join(place, part), { recursive: true, filter })
  for (const [find, replace, other = file] of edits) {
    const target = join(place, 'cache/coherence', other)
    const text = readFileSync(target, 'utf8')
    expect(text.split(find).length - 1, `${other}: ${find}`).toBe(1)
    writeFileSync(
      target,
      text.replace(find, () => replace),
    )
  }
  const module = (await import(pathToFileURL(join(place, 'cache/coherence/model/run.ts')).href)) as { run: typeof run }
  return module.run
}

describe('a rule less and the model breaks', () => {
  test.each([...REDUCER_MUTANTS, ...OWNER_MUTANTS, ...LEAVING_MUTANTS, ...LENDING_MUTANTS])('$name', async (mutant) => {
    const mutated = await planted(mutant)
    const from = performance.now()
    const { violation, states, complete } = mutated(mutant.settings, {}, STATES_MAX, SHOW)
    if (SHOW) console.log((performance.now() - from).toFixed(0), states, complete, violation?.join('\n'))
    expect(violation).not.toBeNull()
  })

  test.each([...DRIVER_MUTANTS, ...LENDING_DRIVER_MUTANTS])('$name', ({ rules, settings }) => {
    const { violation, states, complete } = run(settings, rules, STATES_MAX, SHOW)
    if (SHOW) console.log(states, complete, violation?.join('\n'))
    expect(violation).not.toBeNull()
  })
})

test('the mutants that the docs name are there', () => {
  const docs = readFileSync(join(SOURCE, '../docs/caches-protocol.md'), 'utf8').replaceAll(/\s+/g, ' ')
  const all = [...REDUCER_MUTANTS, ...OWNER_MUTANTS, ...LEAVING_MUTANTS, ...LENDING_MUTANTS, ...DRIVER_MUTANTS, ...LENDING_DRIVER_MUTANTS]
  const names = new Set(all.map(({ name }) => name))
  const quoted = [...docs.slice(docs.indexOf('| taken out |')).matchAll(/"([^"]+)"/g)].map(([, name]) => name as string)
  expect(quoted.length).toBeGreaterThan(20)
  expect(quoted.filter((name) => !names.has(name))).toEqual([])
})
