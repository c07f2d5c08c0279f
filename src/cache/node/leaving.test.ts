/** A node that stops: what it is asked to write then is never answered and lost. */
import { expect, test } from 'vitest'
import { awayBed } from '../../../test/cache/away-bed.ts'
import { entryLine } from '../line-id.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import type { LocalWrite } from './local-write.ts'

const LINE = entryLine('default', 'c', 'k')
const put = (): LocalWrite => ({ reply: { type: 'put', version: 0, created: true }, next: { ...NOTHING_HELD, value: new Uint8Array(1) } })

test('a write that comes then goes through the log, and so does one whose line comes only then', async () => {
  const { coherence, sent, give } = awayBed()
  const early = coherence.writeOwned(LINE, 1_000, put)
  expect(coherence.giveUpOwned()).toBe(true)
  give(LINE)
  expect(await early).toBeNull()
  const asked = sent.length
  expect(await coherence.writeOwned(LINE, 1_000, put)).toBeNull()
  expect(sent.length).toBe(asked)
  coherence.close()
})

test('what it wrote and cannot flush in time is told as lost', async () => {
  const { coherence, logged, give } = awayBed()
  const written = coherence.writeOwned(LINE, 1_000, put)
  give(LINE)
  expect(await written).toMatchObject({ type: 'put', version: 10 })
  expect(coherence.giveUpOwned()).toBe(false)
  coherence.close()
  expect(coherence.lostWrites).toBe(1)
  expect(logged).toHaveLength(1)
})
