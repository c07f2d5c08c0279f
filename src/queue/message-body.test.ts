import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { BODY_BYTES_MAX, TRACEPARENT_LENGTH_MAX, decodeBody, encodeBody } from './message-body.ts'
import { QUEUE_LIMITS } from './types.ts'

const body = fc.record({
  encoding: fc.constantFrom('json' as const, 'base64' as const),
  data: fc.uint8Array(),
  headers: fc.oneof(fc.constant(''), fc.json()),
  enqueuedAt: fc.nat(Number.MAX_SAFE_INTEGER),
  traceparent: fc.constantFrom('', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
})

test('bodies come back as they went in', () => {
  fc.assert(
    fc.property(body, (each) => {
      expect(decodeBody(encodeBody(each))).toEqual(each)
    }),
  )
})

test('data alone costs seven bytes more', () => {
  const enqueuedAt = Date.UTC(2030, 0)
  expect(encodeBody({ encoding: 'json', data: new Uint8Array(7), headers: '', traceparent: '', enqueuedAt }).length).toBe(14)
})

test('the largest body is within its limit', () => {
  const data = new Uint8Array(QUEUE_LIMITS.dataBytesMax)
  const headers = 'h'.repeat(QUEUE_LIMITS.headersBytesMax)
  const largest = encodeBody({
    encoding: 'base64',
    data,
    headers,
    traceparent: 't'.repeat(TRACEPARENT_LENGTH_MAX),
    enqueuedAt: Number.MAX_SAFE_INTEGER,
  })
  expect(largest.length).toBeLessThanOrEqual(BODY_BYTES_MAX)
})

test('any bytes are a body or none', () => {
  const flags = fc.tuple(fc.nat(255), fc.uint8Array()).map(([first, rest]) => Uint8Array.of(first, ...rest))
  fc.assert(
    fc.property(flags, (bytes) => {
      const read = decodeBody(bytes)
      if (read !== null) expect(decodeBody(encodeBody(read))).toEqual(read)
    }),
    { numRuns: 2_000 },
  )
  expect(decodeBody(new Uint8Array(0))).toBeNull()
})
