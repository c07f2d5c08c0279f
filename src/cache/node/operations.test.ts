/** What reads and writes make of lines that change between their looks at them. */
import { describe, expect, test } from 'vitest'
import { Bed, NAME, SHARE } from '../../../test/cache/bed.ts'
import { refusalOf } from '../../raft/unreadable.ts'
import { NOTHING_HELD, nothingAt } from '../coherence/held.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import { entryLine, levelLine, tagLine } from '../line-id.ts'
import type { CacheCommand, CacheReply } from '../machine/commands.ts'
import type { CacheCallOptions, NewValue } from '../types.ts'
import type { Lines } from './lines.ts'
import { Operations } from './operations.ts'
import { Tally } from './tally.ts'
import type { Writes } from './writes.ts'

const ENTRY_NAME = { ...NAME, key: 'k' }
const ENTRY = entryLine(NAME.namespace, NAME.cache, 'k')
const TAG = tagLine(NAME.namespace, NAME.cache, 't')
const entryAt = (version: number, tags: Held['tags']): Held => ({ ...NOTHING_HELD, version, value: new Uint8Array([version]), tags })

/** `look` is told how many looks there were at the line. */
function operationsOn(look: (line: LineId, nth: number) => Held): Operations {
  const looks = new Map<LineId, number>()
  const read = (line: LineId): Promise<Held> => {
    const nth = looks.get(line) ?? 0
    looks.set(line, nth + 1)
    return Promise.resolve(look(line, nth))
  }
  const lines = { read, hit: () => null, stateOf: () => 'I' } as unknown as Lines
  return new Operations(lines, {} as Writes, new Tally())
}

const versionRead = async (operations: Operations) => (await operations.get(ENTRY_NAME, { timeoutMs: 1_000 })).entry?.version ?? null

describe('a read of an entry with a tag', () => {
  test('finds nothing where its tag was invalidated', async () => {
    const old = entryAt(5, [[TAG, 1]])
    expect(await versionRead(operationsOn((line) => (line === ENTRY ? old : nothingAt(2))))).toBe(null)
  })

  test('finds what replaced it before its tag was invalidated: there was no moment without a value', async () => {
    const [old, fresh] = [entryAt(5, [[TAG, 1]]), entryAt(6, [])]
    const operations = operationsOn((line, nth) => (line !== ENTRY ? nothingAt(2) : nth === 0 ? old : fresh))
    expect(await versionRead(operations)).toBe(6)
  })

  test('gives up where that goes on', async () => {
    const operations = operationsOn((line, nth) => (line === ENTRY ? entryAt(5 + nth, [[TAG, nth]]) : nothingAt(100 + nth)))
    await expect(versionRead(operations)).rejects.toMatchObject({ code: 'OVERLOADED' })
  })
})

/**
 * Operations on a partition of its own, tags included. `between` is done once a write has looked at everything, before its command is
 * applied; it is told how often that was.
 */
function operationsBefore(bed: Bed, between: (nth: number, key?: string) => void): Operations {
  let nth = 0
  const answered = new Map<string, CacheReply | null>()
  const read = (line: LineId): Held => bed.machine.read(line, bed.time)
  const lines = { read, hit: (line: LineId) => ({ held: read(line), state: 'S' }), stateOf: () => 'S', giveUp() {} } as unknown as Lines
  const writes = {
    shareOf: () => SHARE,
    entry: async (command: CacheCommand, { idempotencyKey }: CacheCallOptions) => {
      between(nth++, idempotencyKey?.key)
      const known = idempotencyKey && answered.get(idempotencyKey.key)
      const reply = known ?? bed.run(command)
      if (idempotencyKey) answered.set(idempotencyKey.key, reply)
      if (reply?.type === 'refused') throw refusalOf(reply)
      return reply
    },
  } as unknown as Writes
  return new Operations(lines, writes, new Tally())
}

test('a key carries its eight shortest prefixes that end with a level', async () => {
  const bed = new Bed()
  bed.run({ type: 'cache_configure', ...NAME, config: { levels: ['/'] } })
  const key = 'a/b/c/d/e/f/g/h/i/j'
  const value: NewValue = { value: new Uint8Array([1]), contentType: 'x/y', ttlMs: null, slidingMs: 0, tags: ['t'] }
  await operationsBefore(bed, () => {}).put({ ...NAME, key }, value, null, null, { timeoutMs: 1_000 })
  const prefixes = Array.from({ length: 8 }, (_, nth) => key.slice(0, 2 * nth + 2))
  expect(bed.held(key).tags.map(([line]) => line)).toEqual([
    ...prefixes.map((prefix) => levelLine(NAME.namespace, NAME.cache, prefix)),
    TAG,
  ])
})

describe('a write of what gets other tags while the write is under way', () => {
  const OPTIONS = { timeoutMs: 1_000 }
  const [T, U] = [TAG, tagLine(NAME.namespace, NAME.cache, 'u')]
  const name = ENTRY_NAME
  const value: NewValue = { value: new Uint8Array([1]), contentType: 'x/y', ttlMs: null, slidingMs: 0, tags: [] }
  /** 7, alive; `u` was invalidated once. */
  const start = (): Bed => {
    const bed = new Bed()
    bed.put('k', '7', { tags: [[T, 0]] })
    bed.run({ type: 'cache_bump', lines: [U] })
    return bed
  }
  /** By somebody who had looked at `u` before it was invalidated: dead as it comes. */
  const bury = (bed: Bed) => void bed.put('k', '100', { tags: [[U, 0]] })
  const replace = (bed: Bed, text: string) => void bed.put('k', text, { tags: [[U, bed.machine.read(U, 0).version]] })

  test('an increment does not count on from what was dead as it came', async () => {
    const bed = start()
    const { value: sum } = await operationsBefore(bed, (nth) => nth === 0 && bury(bed)).increment(name, 1, OPTIONS)
    expect(sum).toBe(1)
  })

  test('it counts on from what is alive', async () => {
    const bed = start()
    expect((await operationsBefore(bed, (nth) => nth === 0 && replace(bed, '100')).increment(name, 1, OPTIONS)).value).toBe(101)
    expect(bed.held('k').tags).toEqual([[U, bed.machine.read(U, 0).version]])
  })

  test('a condition does not hold of what was dead as it came, and a deletion of it is none', async () => {
    const put = operationsBefore(...buried()).put(name, value, 'present', null, OPTIONS)
    await expect(put).rejects.toMatchObject({ code: 'VERSION_MISMATCH', details: { version: 0 } })
    await expect(operationsBefore(...buried()).delete(name, 'present', OPTIONS)).rejects.toMatchObject({ code: 'VERSION_MISMATCH' })
    expect(await operationsBefore(...buried()).delete(name, null, OPTIONS)).toEqual({ existed: false, version: 0 })
    expect((await operationsBefore(...buried()).put(name, value, 'absent', null, OPTIONS)).created).toBe(true)
  })

  test('what was only written again is judged by the tags that were seen', async () => {
    const bed = start()
    let asked = 0
    const operations = operationsBefore(bed, () => {
      asked += 1
      bed.put('k', '8', { tags: [[T, 0]] })
    })
    expect((await operations.increment(name, 1, OPTIONS)).value).toBe(9)
    expect(asked).toBe(1)
  })

  test('each look has a key of its own: repeated, they are answered as they were', async () => {
    const bed = start()
    const keys: (string | undefined)[] = []
    const operations = operationsBefore(bed, (nth, key) => {
      keys.push(key)
      if (nth === 0) replace(bed, '100')
    })
    await operations.increment(name, 1, { ...OPTIONS, idempotencyKey: { key: 'i', fingerprint: '' } })
    expect(keys).toEqual(['i', 'i#1'])
  })

  test('a load whose value came and was dead is another one’s, and repeated under its key still its own', async () => {
    const bed = new Bed()
    bed.run({ type: 'cache_bump', lines: [U] })
    const keys: (string | undefined)[] = []
    const operations = operationsBefore(bed, (nth, key) => {
      keys.push(key)
      if (nth === 0) bury(bed)
    })
    const load = () =>
      operations.load(name, { waitMs: 0, staleOk: false, tags: [] }, { ...OPTIONS, idempotencyKey: { key: 'l', fingerprint: '' } })
    const first = await load()
    expect(first).toMatchObject({ type: 'load', loadToken: '1' })
    expect(await load()).toEqual(first)
    expect(keys).toEqual(['l', 'l#again', 'l', 'l#again'])
  })

  test('gives up where that goes on', async () => {
    const bed = start()
    const retag = (nth: number) => void bed.put('k', '1', { tags: [[tagLine(NAME.namespace, NAME.cache, `t${nth}`), 0]] })
    await expect(operationsBefore(bed, retag).increment(name, 1, OPTIONS)).rejects.toMatchObject({ code: 'OVERLOADED' })
  })

  test('what others own again each time it was given back is asked for six times', async () => {
    const bed = new Bed()
    let asked = 0
    const operations = operationsBefore(bed, () => {
      asked += 1
      bed.run({ type: 'cache_own', line: ENTRY, node: 'n2', count: 1, term: bed.term })
    })
    await expect(operations.put(name, value, null, null, OPTIONS)).rejects.toMatchObject({ code: 'OWNER_BUSY', outcome: 'not-applied' })
    expect(asked).toBe(6)
    expect(bed.get('k')).toBeNull()
  })

  function buried(): [Bed, (nth: number) => void] {
    const bed = start()
    return [bed, (nth) => nth === 0 && bury(bed)]
  }
})
