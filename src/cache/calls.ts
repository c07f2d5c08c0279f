/**
 * What a gateway asks of the cache of its node, and nodes of each other, as plain data. A call is a tuple that begins with the
 * name of its operation; an answer is `[true, value]` or `[false, code, message, details]`.
 *
 * Whoever can reach the node can send a call: `isCall` looks at the form of every argument, so that what is malformed is
 * refused and is no bug.
 */
import type { Plain } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import { refusalOf, unreadable } from '../raft/unreadable.ts'
import { CACHE_LIMITS, type CacheRead } from './types.ts'

export const CACHE_PATH = 'cache'
export const CACHE_CALL = 'cache_call'
export const CACHE_ANSWER = 'cache_answer'

type Check = (value: Plain | undefined) => boolean

const isText: Check = (value) => typeof value === 'string' && value.length <= CACHE_LIMITS.keyBytesMax + 4 * CACHE_LIMITS.nameLengthMax
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const isPlace: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isNull: Check = (value) => value === null
const isBoolean: Check = (value) => typeof value === 'boolean'
const isMap: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
const either =
  (...checks: readonly Check[]): Check =>
  (value) =>
    checks.some((check) => check(value))
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= CACHE_LIMITS.keysMax && value.every((item) => check(item as Plain))
const shape = (members: Readonly<Record<string, Check>>): Check => {
  const checks = Object.entries(members)
  return (value) => isMap(value) && checks.every(([name, check]) => check((value as Readonly<Record<string, Plain>>)[name]))
}

const isName = shape({ namespace: isText, cache: isText })
const isEntryName = shape({ namespace: isText, cache: isText, key: isText })
const isValue = shape({
  value: (value) => value instanceof Uint8Array && value.length <= CACHE_LIMITS.valueBytesMax,
  contentType: isText,
  ttlMs: either(isNull, isNumber),
  slidingMs: isNumber,
  tags: listOf(isText),
})
const isCondition = either(isNull, isNumber, (value) => value === 'absent' || value === 'present')
const isKey = shape({ key: isText, fingerprint: isText })
const isOptions = shape({ timeoutMs: isNumber, traceparent: isText, idempotencyKey: either(isNull, isKey) })
const isWhat = either(
  shape({ keys: listOf(isText) }),
  shape({ prefix: isText }),
  shape({ tags: listOf(isText) }),
  shape({ all: (value) => value === true }),
)

/** Operation -> its arguments. The one that is asked most has no maps: [namespace, cache, key, timeoutMs] -> `encodeRead`. */
const CALLS: Readonly<Record<string, readonly Check[]>> = {
  get: [isText, isText, isText, isNumber],
  put: [isEntryName, isValue, isCondition, either(isNull, isText), isOptions],
  plan_put: [isEntryName, isValue, isBoolean, isOptions],
  // Of a call that is many puts: its key is said first, by itself.
  begin: [isName, isOptions],
  delete: [isEntryName, isCondition, isOptions],
  increment: [isEntryName, isNumber, isOptions],
  invalidate: [isName, isWhat, isOptions],
  // The wait has a name of its own by which it is given up; '': it is not.
  load: [isEntryName, shape({ waitMs: isNumber, staleOk: isBoolean, tags: listOf(isText) }), isText, isOptions],
  give_up: [isText],
  configure: [isName, isMap, isOptions],
  status: [isName, isOptions],
  line: [isEntryName, isOptions],
  // Of a gateway, for clients that keep copies: who they are, and (lend_get) as `get`, (lend_wait) what they have heard and how long to
  // wait, (lend_beat) what they have acknowledged, (lend_leave) whether they have said themselves that they read nothing any more.
  lend_open: [isText],
  lend_get: [isText, isText, isText, isText, isNumber],
  lend_wait: [isText, isPlace, isPlace],
  lend_beat: [isText, isPlace],
  lend_leave: [isText, isBoolean],
  // Of one node to another.
  counts: [isName],
  look: [isText],
  // Of a gateway to its node, and of that to the home: who asks, the partition, since which place, of which caches, how long.
  watch: [isText, isPlace, either(isNull, isPlace), listOf(isText), isPlace],
  watch_home: [isText, isPlace, either(isNull, isPlace), listOf(isText), isPlace],
}

export type CacheCall = readonly [operation: string, ...args: readonly Plain[]]

export function isCall(payload: Plain): payload is CacheCall {
  if (!Array.isArray(payload)) return false
  const call = payload as readonly Plain[]
  const operation = call[0]
  const checks = typeof operation === 'string' && Object.hasOwn(CALLS, operation) ? CALLS[operation] : undefined
  return checks !== undefined && call.length === checks.length + 1 && checks.every((check, at) => check(call[at + 1]))
}

export function encodeRead({ entry, line, hit }: CacheRead): Plain {
  return entry === null ? [line, hit] : [line, hit, entry.version, entry.value, entry.contentType, entry.ttlLeftMs]
}

export function decodeRead(value: unknown): CacheRead {
  const [line, hit, version, bytes, contentType, ttlLeftMs] = value as readonly Plain[]
  const entry = version === undefined ? null : { version, value: bytes, contentType, ttlLeftMs }
  return { entry, line, hit } as unknown as CacheRead
}

export function answered(value: unknown): Plain {
  return [true, value as Plain]
}

export function refusedAnswer({ code, message, details, outcome }: TricordError): Plain {
  return [false, code, message, details as Plain, outcome]
}

/** The value, or throws the refusal. */
export function valueOf(payload: Plain): unknown {
  if (!Array.isArray(payload)) throw unreadable('no answer of a cache')
  const [isValueHere, value, message, details, outcome] = payload as readonly Plain[]
  if (isValueHere === true) return value
  const { code, message: text, details: more } = refusalOf({ code: value, message, details })
  throw new TricordError(code, text, more, outcome === 'unknown' ? 'unknown' : undefined)
}
