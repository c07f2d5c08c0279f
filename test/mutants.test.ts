/** The mutants keep up with the code, and the machinery that kills them works. All of them: `npm run mutants`. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { kill } from '../mutants/kill.ts'
import { mutants, occurrences } from '../mutants/patch.ts'

/** Quick ones: one for a named test, two for the simulator. */
const FAST = ['commit-old-term', 'acknowledge-early', 'two-votes']

const all = await mutants()

describe('mutants', () => {
  it('are many, each of its own name', () => {
    expect(all.length).toBeGreaterThanOrEqual(15)
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
  })

  it.each(all)('$name still applies to the code, once', (mutant) => {
    expect(occurrences(mutant)).toBe(1)
    expect(mutant.replace).not.toBe(mutant.find)
  })

  it('are in the table of docs/simulation.md, as they are', () => {
    const page = readFileSync(new URL('../docs/simulation.md', import.meta.url), 'utf8')
    const told = [...page.matchAll(/^\| `([\w-]+)` \| (\d+) \| (.+?) \| /gm)].map(([, name, pitfall, harm]) => [
      name,
      Number(pitfall),
      harm,
    ])
    expect(told).toEqual(all.map(({ name, pitfall, harm }) => [name, pitfall, harm]))
  })

  it.each(all.filter(({ name }) => FAST.includes(name)))(
    '$name is noticed',
    async (mutant) => {
      expect(await kill(mutant)).toMatchObject({ killed: true })
    },
    240_000,
  )
})
