/** The shapes of requests: they validate, and OpenAPI is generated from them. Unknown members are refused. */
import { z } from 'zod'
import { LIMITS, MODES, type Mode } from '../lock/types.ts'
import { type FieldError, invalid } from './errors.ts'

const MODE_ALIASES: Readonly<Record<string, Mode>> = { read: 'shared', write: 'exclusive' }

const mode = z
  .enum([...MODES, 'read', 'write'])
  .transform((name) => MODE_ALIASES[name] ?? (name as Mode))
  .describe('`read` is `shared`, `write` is `exclusive`')
const HALF_OF_A_PAIR = /\p{Surrogate}/u
const WELL_FORMED = 'not well-formed Unicode: half of a surrogate pair'
/** What is stored and compared has to survive UTF-8: halves of surrogate pairs would all become the same character. */
export const text = (max: number) => z.string().max(max).refine(isWellFormed, WELL_FORMED)
const leaseMs = z.int().min(LIMITS.leaseMsMin).max(LIMITS.leaseMsMax)
const waitMs = z.int().min(0).max(LIMITS.waitMsMax)
const grantId = z.string().min(1).max(64)
/** A flat object, so large as JSON. */
export const scalarRecord = (bytesMax: number) =>
  z
    .record(text(128), z.union([z.string().refine(isWellFormed, WELL_FORMED), z.number(), z.boolean(), z.null()]))
    .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= bytesMax, `at most ${bytesMax} bytes as JSON`)
const metadata = scalarRecord(LIMITS.metadataBytesMax)

export const lockName = z
  .string()
  .min(1)
  .max(LIMITS.nameLengthMax)
  // oxlint-disable-next-line no-control-regex -- control characters in names would break logs and terminals
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'no control characters')
  .refine(isWellFormed, WELL_FORMED)
/** Of a queue or a cache. */
export const STORE_NAME = /^[A-Za-z0-9._:{}-]{1,128}$/
export const storeName = z.string().regex(STORE_NAME, '1 to 128 of A-Z a-z 0-9 . _ : { } -')
export const namespaceName = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, '1 to 64 of A-Z a-z 0-9 . _ -')

export const acquireBody = z.strictObject({
  mode: mode.optional(),
  owner: text(LIMITS.ownerLengthMax).min(1).optional(),
  waitMs: waitMs.optional(),
  leaseMs: leaseMs.optional(),
  priority: z.int().min(0).max(LIMITS.priorityMax).optional(),
  reentrant: z.boolean().optional(),
  hierarchical: z.literal(false, 'hierarchical locks are not served by this version; take the levels one by one').optional(),
  metadata: metadata.optional(),
  onBusy: z.enum(['error', 'result']).optional(),
})
export const releaseBody = z.strictObject({ grantId })
export const renewBody = z.strictObject({ grantId, leaseMs: leaseMs.optional() })
export const sessionBody = z.strictObject({
  ttlMs: z.int().min(LIMITS.sessionTtlMsMin).max(LIMITS.sessionTtlMsMax).optional(),
  name: text(128).optional(),
  metadata: metadata.optional(),
})
export const emptyBody = z.strictObject({})
export const emptyQuery = emptyBody
export const nodeId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 of A-Z a-z 0-9 _ -')
export const memberBody = z.strictObject({
  id: nodeId,
  url: z
    .url({ protocol: /^https?$/ })
    .max(256)
    .optional(),
})
export const ringPlanBody = z.strictObject({ add: z.array(nodeId).max(16).optional(), remove: z.array(nodeId).max(16).optional() })
export const statusQuery = z.strictObject({ consistency: z.enum(['linearizable', 'stale']).optional() })
export const sessionsQuery = z.strictObject({
  cursor: z.string().max(256).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.sessionListMax).optional(),
})
export const explainQuery = z.strictObject({
  queue: storeName.optional(),
  cache: storeName.optional(),
  key: text(512).min(1).optional(),
})

export type AcquireBody = z.infer<typeof acquireBody>

export function isWellFormed(value: string): boolean {
  return !HALF_OF_A_PAIR.test(value)
}

/** The value as the schema has it, or INVALID_ARGUMENT with a path and a message per fault. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, root = ''): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalid(parsed.error.issues.flatMap((issue) => faults(issue, root)))
}

function faults(issue: z.core.$ZodIssue, root: string): FieldError[] {
  const path = [root, ...issue.path.map(String)].filter((step) => step !== '').join('.')
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: path ? `${path}.${key}` : key, message: 'no such member' }))
  return [{ path: path || 'body', message: isMissing(issue) ? 'is missing' : issue.message }]
}

/** Zod knows a member that is not there only by its value, and each kind of schema has words of its own for it. */
function isMissing(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.path.length > 0 && issue.message.endsWith('received undefined')
}
