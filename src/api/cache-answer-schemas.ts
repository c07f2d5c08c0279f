/** The shapes of the answers about caches, as `answer-schemas.ts` has those about the rest. Values themselves are bytes of any type. */
import { z } from 'zod'
import { LINE_STATES } from '../cache/types.ts'

const count = z.int().min(0)
const millis = z.int().min(0)
const key = z.string()
const node = z.string()
const unanswered = z.array(node).describe('nodes that did not answer in time: what they have is not in here')
const version = z.int().min(1).describe('rises with every change in the partition of the key; the ETag is this in quotes')
const lineState = z.enum(LINE_STATES)

export const writtenAnswer = z.strictObject({ key, version })
export const incrementedAnswer = z.strictObject({ value: z.int(), version })
export const loadAnswer = z.strictObject({
  loadToken: z.string().describe('for `?loadToken=` of the put: taken unless a write or an invalidation came between'),
  leaseMs: millis.describe('so long nobody else is told to load it'),
})

export const mgetAnswer = z.strictObject({
  entries: z
    .array(
      z.union([
        z.strictObject({
          key,
          found: z.literal(true),
          data: z.unknown().describe('where its type is JSON the value, else the bytes as base64'),
          encoding: z.enum(['json', 'base64']),
          contentType: z.string(),
          version,
        }),
        z.strictObject({ key, found: z.literal(false) }),
      ]),
    )
    .describe('one per key, in order'),
})
export const mputAnswer = z.strictObject({
  results: z
    .array(
      z.union([
        z.strictObject({ key, version }),
        z.strictObject({ key, code: z.string(), message: z.string(), outcome: z.enum(['not-applied', 'unknown']) }),
      ]),
    )
    .describe('one per entry, in order: they are written each by itself'),
})
export const invalidatedAnswer = z.strictObject({ invalidated: count.describe('entries that are gone') })

const config = z.strictObject({
  bytesMax: z.int().min(1),
  entriesMax: z.int().min(1),
  policy: z.enum(['lru', 's3fifo']),
  ttlMs: millis,
  levels: z.array(z.string()),
  durability: z.enum(['quorum', 'writeback']),
})
export const configuredAnswer = z.strictObject({ cache: z.string(), created: z.boolean(), config })
export const cacheAnswer = z.strictObject({
  cache: z.string(),
  entries: count,
  bytes: count.describe('of keys and values'),
  memoryBytes: count.describe('what these take in the memory of each replica'),
  hits: count.describe('reads that a copy on the node that was asked answered, also that there is nothing'),
  misses: count.describe('reads that the home of the key had to answer'),
  hitRatio: z.number().min(0).max(1),
  evictions: count,
  lines: z.strictObject({ M: count, E: count, S: count, I: count }),
  coherence: z
    .strictObject({ getS: count, getM: count, inv: count, invAck: count, recall: count })
    .describe('messages that nodes sent or got, about lines of tags and of the configuration as well'),
  falseInvalidations: count.describe('copies that were taken back before anybody had read them again'),
  pingPong: z
    .strictObject({
      windowMs: millis,
      lines: count.describe('whose copies were taken back five times and more in the window'),
      worst: z.array(
        z.strictObject({
          key: key.optional(),
          tag: z.string().optional(),
          prefix: z.string().optional(),
          invalidations: count,
          nodes: z.array(node).describe('whose copies were taken back'),
        }),
      ),
    })
    .describe('ten lines at most, the worst first'),
  unanswered,
  config,
})
export const lineAnswer = z.strictObject({
  key,
  version: count.describe(
    '0: there is no entry. With writeback as its owner has it, flushed or not; as flushed where the owner does not answer',
  ),
  home: z.string().describe('the node that leads the partition of the key'),
  partition: count,
  busy: z.boolean().describe('a write or a recall is under way'),
  waitsFor: z.array(node).describe('whose copies are being taken back, and who have not acknowledged it'),
  nodes: z.record(z.string(), lineState),
  unanswered,
  lastInvalidation: z
    .strictObject({
      cause: z.enum(['put', 'delete', 'expire', 'evict', 'invalidate', 'recall']),
      at: z.iso.datetime(),
      ackMs: millis.describe('until no node had a copy'),
      acksMs: z.record(z.string(), millis).describe('of each node whose copy it took'),
    })
    .nullable(),
})
