/** The shapes of the calls of caches: they validate, and OpenAPI is generated from them. Limits: `CACHE_LIMITS`. */
import { z } from 'zod'
import { CACHE_LIMITS } from '../cache/types.ts'
import { isWellFormed, storeName, text } from './schemas.ts'

const L = CACHE_LIMITS
const KEY_BYTES = `1 to ${L.keyBytesMax} bytes of UTF-8`

export const cacheName = storeName
/** Any characters: keys are compared byte by byte, in the form in which they come. */
export const entryKey = z.string().min(1, KEY_BYTES).refine(isKey, KEY_BYTES)
/** Without the comma that separates them in a query. */
const tag = text(L.tagLengthMax).regex(/^[^,]+$/, 'at least one character, and no comma')
const tags = z.array(tag).max(L.tagsMax)
const millis = (max: number) => z.int().min(0).max(max)
const ttlMs = millis(L.ttlMsMax).describe('0: for ever. Left out: what the cache says')
const slidingMs = millis(L.ttlMsMax).describe('every read extends the life to this. 0: none does')
const loadToken = z.string().min(1).max(256)
const contentType = z
  .string()
  .max(L.contentTypeLengthMax)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'printable ASCII, as a header takes it')

/** Longer than UTF-8 can make it fit: then its bytes need not be counted. */
function isKey(key: string): boolean {
  return key.length <= L.keyBytesMax && isWellFormed(key) && Buffer.byteLength(key) <= L.keyBytesMax
}

/** Of a query: digits alone, for an empty text is a number to many. */
const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'a whole number')
    .transform(Number)
    .pipe(millis(max))
export const putQuery = z.strictObject({
  ttlMs: wholeNumber(L.ttlMsMax).optional(),
  slidingMs: wholeNumber(L.ttlMsMax).optional(),
  tags: z
    .string()
    .transform((list) => list.split(','))
    .pipe(tags)
    .optional()
    .describe('separated by commas'),
  loadToken: loadToken.optional(),
})
export const putType = contentType

export const configBody = z.strictObject({
  bytesMax: z.int().min(L.bytesMaxMin).max(L.bytesMaxMax).optional(),
  entriesMax: z.int().min(1).max(L.entriesMaxMax).optional(),
  policy: z.enum(['lru', 's3fifo']).optional(),
  ttlMs: ttlMs.optional(),
  levels: z
    .array(text(L.levelLengthMax).min(1))
    .max(L.levelsMax)
    .refine((levels) => new Set(levels).size === levels.length, 'each once')
    .optional(),
  durability: z.enum(['quorum', 'writeback']).optional(),
})

const by = z.int().min(-L.incrementMax).max(L.incrementMax)
export const incrementBody = z.strictObject({ by: by.optional() })
export const loadBody = z.strictObject({
  waitMs: millis(L.loadWaitMsMax).optional(),
  staleOk: z.boolean().optional(),
  tags: tags.optional(),
})
const keys = z.array(entryKey).min(1).max(L.keysMax)
export const mgetBody = z.strictObject({ keys })

const valueShape = {
  data: z.unknown().describe('any JSON value; with `encoding` base64 the text of the bytes. At most 1 MiB.'),
  encoding: z.enum(['json', 'base64']).optional(),
  contentType: contentType.optional().describe('with base64; JSON is application/json'),
  ttlMs: ttlMs.optional(),
  slidingMs: slidingMs.optional(),
  tags: tags.optional(),
}
/** Within a transaction. */
export const txPutBody = z.strictObject({ cache: cacheName, key: entryKey, ...valueShape })
export const mputBody = z.strictObject({
  entries: z
    .array(z.strictObject({ key: entryKey, ...valueShape }))
    .min(1)
    .max(L.keysMax),
})
/** Of the four just one; told apart by hand, so that each has errors of its own. */
export const invalidateBody = z.strictObject({
  keys: keys.optional(),
  prefix: entryKey.optional(),
  tags: tags.min(1).optional(),
  all: z.literal(true).optional(),
})

/** Over WebSocket. */
export const entryBody = z.strictObject({ key: entryKey })
const version = z.int().min(1)
const ifMatch = z.union([version, z.literal('*')], 'a version, or "*"')
export const putBody = z.strictObject({
  key: entryKey,
  ...valueShape,
  // Bytes as they are exist over MessagePack alone.
  encoding: z.enum(['json', 'base64', 'bytes']).optional(),
  ifMatch: ifMatch.optional(),
  ifNoneMatch: z.literal('*').optional(),
  loadToken: loadToken.optional(),
})
export const deleteBody = z.strictObject({ key: entryKey, ifMatch: ifMatch.optional() })
export const incrementEntryBody = z.strictObject({ key: entryKey, by: by.optional() })

/** Of a cursor of all partitions there may be. */
const CURSOR_LENGTH_MAX = 65_536
const WATCHED_KEYS_MAX = 10_000
/** Beyond every number that was given: from the last ones that a number can be, counting goes nowhere. */
const SEQ_MAX = 2 ** 52
export const subscribeCacheBody = z
  .strictObject({
    keys: z.array(entryKey).min(1).max(WATCHED_KEYS_MAX).optional(),
    prefix: entryKey.optional(),
    all: z.literal(true).optional(),
    from: z.int().min(0).max(SEQ_MAX).optional(),
    cursor: z.string().max(CURSOR_LENGTH_MAX).optional(),
    mode: z.enum(['events', 'bounded', 'linearizable']).optional(),
  })
  .refine(({ keys, prefix, all }) => [keys, prefix, all].filter((what) => what !== undefined).length === 1, 'one of keys, prefix and all')
  .refine(({ mode, cursor }) => mode !== 'linearizable' || cursor === undefined, {
    path: ['cursor'],
    message: 'none with linearizable: what was lent does not outlive its connection',
  })
export const cacheBeatBody = z.strictObject({ sub: text(64), seq: z.int().min(0).optional() })

export type SubscribeCacheBody = z.infer<typeof subscribeCacheBody>
export type ValueInput = z.infer<typeof mputBody>['entries'][number]
export type PutBody = z.infer<typeof putBody>
export type InvalidateBody = z.infer<typeof invalidateBody>
