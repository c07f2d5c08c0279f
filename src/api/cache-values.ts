/**
 * Values of caches between JSON and bytes.
 *
 *   {data, encoding, contentType, …} ──> NewValue ──> … ──> CacheEntry ──> {data, encoding, contentType, version}
 *
 * What was put as bytes is given back as those bytes. Seen in JSON (mget, WebSocket) what says that it is JSON is its value, as far as
 * JSON can say it again; everything else is base64, or bytes where the frame can carry them.
 */
import { TricordError } from '../base/errors.ts'
import { CACHE_LIMITS, type CacheEntry, type NewValue } from '../cache/types.ts'
import type { PutBody } from './cache-schemas.ts'
import { DATA_DEPTH_MAX, base64Bytes, jsonBytes } from './encoded-data.ts'
import { invalid } from './errors.ts'

export const JSON_TYPE = 'application/json'
export const BYTES_TYPE = 'application/octet-stream'
const IS_JSON = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i

/** What of a request makes a value. */
export type ValueInput = Pick<PutBody, 'data' | 'encoding' | 'contentType' | 'ttlMs' | 'slidingMs' | 'tags'>

/** `path`: where it stands in the request, '' or ending in a dot. Throws INVALID_ARGUMENT and TOO_LARGE. */
export function newValue(input: ValueInput, path: string): NewValue {
  const { data, ttlMs = null, slidingMs = 0, tags = [] } = input
  const encoding = input.encoding ?? (data instanceof Uint8Array ? 'bytes' : 'json')
  if (encoding === 'json' && input.contentType !== undefined) {
    throw invalid([{ path: `${path}contentType`, message: `goes with bytes alone; JSON is ${JSON_TYPE}` }])
  }
  const value = bytesOf(data, encoding, `${path}data`)
  checkSize(value, `${path}data`)
  return { value, contentType: input.contentType ?? (encoding === 'json' ? JSON_TYPE : BYTES_TYPE), ttlMs, slidingMs, tags: once(tags) }
}

function bytesOf(data: unknown, encoding: 'json' | 'base64' | 'bytes', path: string): Uint8Array {
  if (encoding === 'json') return jsonBytes(data, path)
  if (encoding === 'base64') return base64Bytes(data, path)
  if (data instanceof Uint8Array) return data
  throw invalid([{ path, message: 'with encoding bytes the bytes of a MessagePack frame' }])
}

/** Throws TOO_LARGE. */
function checkSize({ length: bytes }: Uint8Array, path: string): void {
  const bytesMax = CACHE_LIMITS.valueBytesMax
  if (bytes > bytesMax)
    throw new TricordError('TOO_LARGE', `${path} has ${bytes} bytes; at most ${bytesMax} are taken`, { bytes, bytesMax })
}

export const once = (tags: readonly string[]): readonly string[] => [...new Set(tags)]

/** As many as one call takes, with its limit on all of them. Throws INVALID_ARGUMENT and TOO_LARGE. */
export function newEntries(
  inputs: readonly (ValueInput & { readonly key: string })[],
): { readonly key: string; readonly value: NewValue }[] {
  const keys = new Set<string>()
  let left: number = CACHE_LIMITS.batchBytesMax
  return inputs.map((input, at) => {
    const { key } = input
    if (keys.has(key)) throw invalid([{ path: `entries.${at}.key`, message: 'is there twice: nobody could tell which comes last' }])
    keys.add(key)
    const value = newValue(input, `entries.${at}.`)
    left -= value.value.length
    if (left < 0) throw tooMany('the values')
    return { key, value }
  })
}

export function tooMany(what: string): TricordError {
  const bytesMax = CACHE_LIMITS.batchBytesMax
  return new TricordError('TOO_LARGE', `${what} together have more than ${bytesMax} bytes: spread them over several calls`, { bytesMax })
}

export interface ShownValue {
  readonly data: unknown
  readonly encoding: 'json' | 'base64' | 'bytes'
  readonly contentType: string
  readonly version: number
}

export function shownValue({ value, contentType, version }: CacheEntry, carriesBytes: boolean): ShownValue {
  const json = IS_JSON.test(contentType) ? jsonOf(value) : undefined
  if (json !== undefined) return { data: json, encoding: 'json', contentType, version }
  if (carriesBytes) return { data: value, encoding: 'bytes', contentType, version }
  const data = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  return { data, encoding: 'base64', contentType, version }
}

/** undefined: it is no JSON, or none that could be said again. */
function jsonOf(value: Uint8Array): unknown {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value))
    return canBeSaid(json, 0) ? json : undefined
  } catch {
    return undefined
  }
}

function canBeSaid(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth === DATA_DEPTH_MAX) return false
  if (Array.isArray(value)) return value.every((item) => canBeSaid(item, depth + 1))
  for (const key in value) if (!canBeSaid((value as Record<string, unknown>)[key], depth + 1)) return false
  return true
}
