/** The shapes of answers: OpenAPI tells them, and tests hold real answers to them. What is not named here is in no answer. */
import { z } from 'zod'
import { MODES } from '../lock/types.ts'

const count = z.int().min(0)
const millis = z.int().min(0)
const mode = z.enum(MODES)
const metadata = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
const cursor = z.string().nullable().describe('for the next page; null: this was the last')
const nodes = z.array(z.string())

const grantShape = {
  name: z.string(),
  mode,
  owner: z.string(),
  grantId: z.string(),
  token: z.int().min(1).describe('the fencing token: higher than any that was given for this lock before'),
  session: z.string().describe('`<id>.<secret>`; without the secret where it is not known'),
  leaseMs: millis,
  remainingMs: millis,
  count: z.int().min(1),
  waitedMs: millis,
}
const grant = z.strictObject({ acquired: z.literal(true), ...grantShape })
const holder = z.strictObject({
  owner: z.string(),
  mode,
  grantId: z.string(),
  token: z.int().min(1),
  count: z.int().min(1),
  heldMs: millis,
  remainingMs: millis,
  metadata: metadata.optional().describe('left out of refusals where it is too much'),
})
const waiter = z.strictObject({ owner: z.string(), mode, position: z.int().min(1), priority: count, waitedMs: millis })

export const waitingAnswer = z.strictObject({ state: z.literal('waiting'), id: z.string() })
export const acquireAnswer = z.union([
  grant,
  z.strictObject({ acquired: z.literal(false), holders: z.array(holder), queueLength: count }).describe('with `"onBusy":"result"`'),
])
export const releaseAnswer = z.strictObject({ released: z.literal(true), count, heldMs: millis })
export const renewAnswer = z.strictObject({ remainingMs: millis, token: z.int().min(1) })
export const statusAnswer = z.strictObject({
  name: z.string(),
  state: z.enum(['free', 'held']),
  mode: mode.nullable(),
  holders: z.array(holder),
  waiters: z.array(waiter),
  queueLength: count,
  holderCount: count,
})

export const sessionAnswer = z.strictObject({ session: z.string(), ttlMs: millis })
export const sessionsAnswer = z.strictObject({
  sessions: z.array(
    z.strictObject({ id: z.string(), name: z.string(), ttlMs: millis, remainingMs: millis, grants: count, waits: count, metadata }),
  ),
  cursor,
})
export const keepaliveAnswer = z.strictObject({ remainingMs: millis })
export const closeAnswer = z.strictObject({ closed: z.literal(true), released: count })
export const requestAnswer = z.union([grant, releaseAnswer, renewAnswer, sessionAnswer, keepaliveAnswer, closeAnswer])

export const clusterAnswer = z.strictObject({
  cluster: z.string(),
  node: z.string(),
  epoch: count,
  leader: z.string().nullable(),
  quorum: z.boolean(),
  nodes: z.array(
    z.strictObject({ id: z.string(), state: z.enum(['up', 'down', 'joining', 'leaving']), url: z.string(), version: z.string() }),
  ),
  groups: z.array(
    z.strictObject({
      id: z.string(),
      kind: z.enum(['meta', 'locks', 'partition']),
      leader: z.string().nullable(),
      term: count,
      commit: count,
      applied: count,
      replicas: nodes,
    }),
  ),
})
export const joiningAnswer = z.strictObject({ id: z.string(), url: z.string(), state: z.literal('joining') })
export const leavingAnswer = z.strictObject({ id: z.string(), state: z.literal('leaving') })
export const ringAnswer = z.strictObject({
  epoch: count,
  partitions: z.int().min(1),
  virtualNodes: z.int().min(1),
  members: z.array(z.strictObject({ id: z.string(), replicas: count, leaders: count })),
  placements: z.array(z.strictObject({ group: z.string(), replicas: nodes })),
})
export const explainAnswer = z.strictObject({ partition: count, replicas: nodes, leader: z.string().nullable(), epoch: count })
export const planAnswer = z.strictObject({
  epoch: count,
  moves: z.array(z.strictObject({ group: z.string(), from: nodes, to: nodes, bytes: count })),
  bytes: count,
})

export const healthAnswer = z.strictObject({ status: z.literal('ok'), node: z.string(), version: z.string(), uptimeMs: millis })
export const readyAnswer = z.strictObject({ status: z.literal('ready'), node: z.string(), reason: z.string() })

/** RFC 9457; each code may have members of its own. */
export const problemAnswer = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.string(),
  retryable: z.boolean(),
  outcome: z.enum(['not-applied', 'unknown']),
  requestId: z.string(),
})
