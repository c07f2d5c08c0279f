/** What a read makes of lines that change between its looks at them. */
import { describe, expect, test } from 'vitest'
import type { Held, LineId } from '../coherence/protocol.ts'
import { entryLine, tagLine } from '../line-id.ts'
import type { Lines } from './lines.ts'
import { Operations } from './operations.ts'
import { Tally } from './tally.ts'
import type { Writes } from './writes.ts'

const NAME = { namespace: 'default', cache: 'c', key: 'k' }
const ENTRY = entryLine('default', 'c', 'k')
const TAG = tagLine('default', 'c', 't')
const NOTHING: Held = { version: 0, value: null, contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }
const entryAt = (version: number, tags: Held['tags']): Held => ({ ...NOTHING, version, value: new Uint8Array([version]), tags })

/** `look` is told how many looks there were at the line. */
function operationsOn(look: (line: LineId, nth: number) => Held): Operations {
  const looks = new Map<LineId, number>()
  const read = (line: LineId): Promise<Held> => {
    const nth = looks.get(line) ?? 0
    looks.set(line, nth + 1)
    return Promise.resolve(look(line, nth))
  }
  const lines = { read, stateOf: () => 'I' } as unknown as Lines
  return new Operations(lines, {} as Writes, new Tally())
}

const versionRead = async (operations: Operations) => (await operations.get(NAME, { timeoutMs: 1_000 })).entry?.version ?? null

describe('a read of an entry with a tag', () => {
  test('finds nothing where its tag was invalidated', async () => {
    const old = entryAt(5, [[TAG, 1]])
    expect(await versionRead(operationsOn((line) => (line === ENTRY ? old : { ...NOTHING, version: 2 })))).toBe(null)
  })

  test('finds what replaced it before its tag was invalidated: there was no moment without a value', async () => {
    const [old, fresh] = [entryAt(5, [[TAG, 1]]), entryAt(6, [])]
    const operations = operationsOn((line, nth) => (line !== ENTRY ? { ...NOTHING, version: 2 } : nth === 0 ? old : fresh))
    expect(await versionRead(operations)).toBe(6)
  })

  test('gives up where that goes on', async () => {
    const operations = operationsOn((line, nth) => (line === ENTRY ? entryAt(5 + nth, [[TAG, nth]]) : { ...NOTHING, version: 100 + nth }))
    await expect(versionRead(operations)).rejects.toMatchObject({ code: 'OVERLOADED' })
  })
})
