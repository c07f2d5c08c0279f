/** Every known bug, put back one at a time, must be noticed. `npm run mutants`; `-- -t name` picks some. */
import { describe, expect, it } from 'vitest'
import { kill } from './kill.ts'
import { mutants, occurrences } from './patch.ts'

const all = await mutants()

describe.concurrent('mutants', () => {
  it.each(all)('$name', async (mutant) => {
    expect(occurrences(mutant), `${mutant.file} changed: the mutant has to follow`).toBe(1)
    const { killed, why } = await kill(mutant)
    process.stdout.write(`${killed ? 'killed  ' : 'SURVIVED'} ${mutant.name}: ${why}\n`)
    expect(killed, `survived: ${mutant.harm}`).toBe(true)
  })
})
