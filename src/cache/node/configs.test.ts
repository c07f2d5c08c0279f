import { expect, test } from 'vitest'
import type { Held } from '../coherence/protocol.ts'
import { DEFAULT_CONFIG } from '../types.ts'
import { configIn } from './configs.ts'

const held = (value: Uint8Array | null): Held => ({ version: 7, value, contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] })

test('a line that is not there is the default configuration', () => {
  expect(configIn(held(null))).toBe(DEFAULT_CONFIG)
})

test('a copy is parsed once, another one by itself', () => {
  const text = new TextEncoder().encode(JSON.stringify({ ...DEFAULT_CONFIG, ttlMs: 7 }))
  const [copy, later] = [held(text), held(text.slice())]
  expect(configIn(copy)).toEqual({ ...DEFAULT_CONFIG, ttlMs: 7 })
  expect(configIn({ ...copy })).toBe(configIn(copy))
  expect(configIn(later)).not.toBe(configIn(copy))
})
