/** The production reducers under a network that loses, doubles and reorders: every state of small worlds, and ways by lot through a large one. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LARGE, SMALL, WAYS } from './configurations.ts'
import { walk } from './explore.ts'
import { PLAIN, run } from './run.ts'
import { ALL_RULES } from './settings.ts'
import { Model } from './world.ts'

/** For a long run: that many states of each large configuration, and a fifth as many steps by lot of each kind. */
const STATES = Number(process.env['CACHE_MODEL_STATES'] ?? 0)
const STEPS = Math.max(8_000, STATES / 5)
const LONG_MS = 7_200_000
/** How many states docs/caches-protocol.md says that there are, in the order of the configurations. */
const STATED = statedIn(readFileSync(new URL('../../../../docs/caches-protocol.md', import.meta.url), 'utf8'))

function statedIn(docs: string): readonly number[] {
  const table = /\| configuration \| states, all \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(docs)?.[1] ?? ''
  return [...table.matchAll(/\| ([\d,]+) \|$/gm)].map(([, count]) => Number(count?.replaceAll(',', '')))
}

function tell(name: string, { states, steps, complete }: { states: number; steps: number; complete: boolean }): void {
  process.stdout.write(`model: ${name}: ${states} states, ${steps} steps${complete ? ', all' : ''}\n`)
}

describe('every state', () => {
  test('as many configurations as are told of', () => {
    expect(STATED).toHaveLength(SMALL.length)
  })

  test.each(SMALL)(
    '$name',
    (settings) => {
      const result = run(settings, {}, 3_000_000)
      tell(settings.name, result)
      expect(result).toMatchObject({ violation: null, complete: true })
      expect(result.states).toBe(STATED[SMALL.indexOf(settings)])
    },
    LONG_MS,
  )

  test.each(STATES > 0 ? LARGE : [])(
    '$name',
    (settings) => {
      const result = run(settings, {}, STATES)
      tell(settings.name, result)
      expect(result.violation).toBeNull()
    },
    LONG_MS,
  )
})

test.each(WAYS)(
  'ways by lot: $name',
  (settings) => {
    const met = new Map<string, number>()
    const result = walk(new Model({ ...PLAIN, ...settings }, ALL_RULES), 1, 150, STEPS, met)
    tell(settings.name, result)
    expect(result.violation).toBeNull()
    // They come to where it matters.
    const kinds = [
      ':dataS to n',
      ':viewAck of n to home ',
      ...(settings.owners ? ['n stores ', 'home  proposes a flush,own:,version:,node:n', 'n lets go'] : []),
    ]
    for (const kind of kinds) expect(met.get(kind) ?? 0, kind).toBeGreaterThan(10)
  },
  LONG_MS,
)
