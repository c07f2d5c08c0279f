/**
 * Every transcript of this folder, run again and compared. After a change on purpose: `REWRITE=1 npx vitest run
 * test/scenarios`, and read the difference like code.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { interpret } from './interpreter.ts'

const folder = new URL('.', import.meta.url)
const scripts = readdirSync(folder).filter((name) => name.endsWith('.txt'))

test('there are transcripts', () => expect(scripts.length).toBeGreaterThanOrEqual(15))

test.each(scripts)('%s', (name) => {
  const path = new URL(name, folder)
  const script = readFileSync(path, 'utf8')
  expect(script).toMatch(/^# /)
  const seen = interpret(script)
  if (process.env['REWRITE'] === '1') writeFileSync(path, seen)
  else expect(seen).toBe(script)
})
