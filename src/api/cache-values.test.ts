/** Values between JSON and bytes: what comes out is what went in, or bytes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entryOf } from '../../test/told-caches.ts'
import { CACHE_LIMITS } from '../cache/types.ts'
import { newEntries, newValue, shownValue } from './cache-values.ts'

const JSON_TYPE = 'application/json'
const shown = (value: string | Uint8Array, contentType = JSON_TYPE) => {
  const { data, encoding } = shownValue(entryOf(value, { contentType }), false)
  return [encoding, data]
}
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64')

test('any JSON value, and any bytes, come back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.uint8Array(), (json, bytes) => {
      const asJson = newValue({ data: json }, '')
      expect(shownValue(entryOf(asJson.value, asJson), false).data).toEqual(JSON.parse(JSON.stringify(json)))
      const asBase64 = newValue({ data: base64(bytes), encoding: 'base64' }, '')
      expect(shownValue(entryOf(asBase64.value, asBase64), false).data).toBe(base64(bytes))
      const asBytes = newValue({ data: bytes }, '')
      expect(shownValue(entryOf(asBytes.value, asBytes), true)).toMatchObject({ data: bytes, encoding: 'bytes' })
    }),
  )
})

describe('what says that it is JSON is shown as its value', () => {
  test.each([JSON_TYPE, 'application/json; charset=utf-8', 'Application/JSON', 'application/problem+json'])('%s', (type) => {
    expect(shown('{"a":1}', type)).toEqual(['json', { a: 1 }])
  })
  test.each(['text/json5', 'application/jsonl', 'text/plain', 'application/json-seq'])('%s does not say so', (type) => {
    expect(shown('1', type)).toEqual(['base64', base64('1')])
  })
  test.each([
    ['half of it', '{"a":'],
    ['nothing', ''],
    ['a byte order mark', '\ufeff{}'],
    ['a number that would become null', '[1e999]'],
    ['deeper than decoders go', `${'['.repeat(51)}${']'.repeat(51)}`],
    ['so deep that nobody could write it again', `${'['.repeat(200_000)}${']'.repeat(200_000)}`],
  ])('unless it cannot be: %s', (_what, text) => {
    expect(shown(text)).toEqual(['base64', base64(text)])
  })
  test('nor what is no UTF-8', () => {
    const bytes = Buffer.from([0x22, 0xff, 0x22])
    expect(shown(bytes)).toEqual(['base64', base64(bytes)])
  })
  test('a NUL, and keys that objects have', () => {
    expect(shown('"a\\u0000b"')).toEqual(['json', 'a\0b'])
    expect(JSON.stringify(shown('{"__proto__":1}')[1])).toBe('{"__proto__":1}')
  })
})

describe('limits', () => {
  const mib = CACHE_LIMITS.valueBytesMax
  test('a value', () => {
    expect(newValue({ data: new Uint8Array(mib) }, '').value.length).toBe(mib)
    expect(() => newValue({ data: new Uint8Array(mib + 1) }, 'entries.3.')).toThrow('entries.3.data has 1048577 bytes')
    expect(newValue({ data: 'x'.repeat(mib - 2) }, '').value.length).toBe(mib)
    expect(() => newValue({ data: 'x'.repeat(mib - 1) }, '')).toThrow('1048577 bytes')
  })
  test('all of one call', () => {
    const entries = (count: number) => Array.from({ length: count }, (_, at) => ({ key: String(at), data: new Uint8Array(mib) }))
    expect(newEntries(entries(8))).toHaveLength(8)
    expect(() => newEntries(entries(9))).toThrow('8388608')
  })
})
