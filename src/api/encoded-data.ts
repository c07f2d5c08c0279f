/**
 * `data` and `encoding` of a request as bytes: JSON as its value (`{ "a": 1.0 }` is `{"a":1}`), base64 as what it stands for. A value
 * that would come out as another is refused.
 */
import { invalid } from './errors.ts'

/** So that whoever wraps an answer further stays below what decoders take (64). */
export const DATA_DEPTH_MAX = 50

/** Whatever JSON can say. Throws INVALID_ARGUMENT. */
export function jsonText(value: unknown, path: string): string {
  checkJson(value, path, 0)
  return JSON.stringify(value)
}

export function jsonBytes(value: unknown, path: string): Uint8Array {
  return Buffer.from(jsonText(value, path))
}

function checkJson(value: unknown, path: string, depth: number): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid([{ path, message: 'a number that JSON cannot hold' }])
    return
  }
  if (typeof value !== 'object' || value === null) return
  if (depth === DATA_DEPTH_MAX) throw invalid([{ path, message: `nested deeper than ${DATA_DEPTH_MAX}: send it as base64` }])
  if (value instanceof Uint8Array) throw invalid([{ path, message: 'bytes are no JSON: send them as base64' }])
  if (Array.isArray(value)) for (const item of value) checkJson(item, path, depth + 1)
  else for (const key in value) checkJson((value as Record<string, unknown>)[key], path, depth + 1)
}

/** Throws INVALID_ARGUMENT. */
export function base64Bytes(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string') throw invalid([{ path, message: 'with encoding base64 a string' }])
  const bytes = Buffer.from(value, 'base64')
  // `Buffer` skips what it does not know: only the way back tells.
  if (bytes.toString('base64') !== value) throw invalid([{ path, message: 'not base64 (RFC 4648, section 4, with padding)' }])
  return bytes
}
