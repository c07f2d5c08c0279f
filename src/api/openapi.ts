/** `openapi.json`: made from the schemas that validate, and from one line per route. A test holds it equal to the routes. */
import { z } from 'zod'
import { VERSION } from '../version.ts'
import {
  acquireAnswer,
  clusterAnswer,
  closeAnswer,
  explainAnswer,
  healthAnswer,
  joiningAnswer,
  keepaliveAnswer,
  leavingAnswer,
  planAnswer,
  problemAnswer,
  readyAnswer,
  releaseAnswer,
  renewAnswer,
  requestAnswer,
  ringAnswer,
  sessionAnswer,
  sessionsAnswer,
  statusAnswer,
  waitingAnswer,
} from './answer-schemas.ts'
import { CACHE_OPERATIONS } from './cache-openapi.ts'
import {
  deletedAnswer,
  dequeueAnswer,
  enqueueAnswer,
  messagesAnswer,
  movedAnswer,
  purgedAnswer,
  putAnswer,
  queueAnswer,
  queuesAnswer,
  settleAnswer,
  txAnswer,
} from './queue-answer-schemas.ts'
import {
  ackBody,
  browseQuery,
  confirmQuery,
  dequeueBody,
  enqueueBody,
  extendBody,
  nackBody,
  queueBody,
  queuesQuery,
  redriveBody,
  txBody,
} from './queue-schemas.ts'
import {
  acquireBody,
  explainQuery,
  memberBody,
  releaseBody,
  renewBody,
  ringPlanBody,
  sessionBody,
  sessionsQuery,
  statusQuery,
} from './schemas.ts'

export const TAGS = ['Locks', 'Sessions', 'Queues', 'Caches', 'Cluster', 'Health'] as const

export interface Operation {
  readonly method: 'get' | 'head' | 'put' | 'post' | 'delete'
  readonly path: string
  readonly summary: string
  readonly tag: (typeof TAGS)[number]
  readonly body?: z.ZodType
  readonly query?: z.ZodObject
  /** Of the request, besides those that any may have. */
  readonly headers?: readonly string[]
  /** The body is bytes of any type. */
  readonly rawBody?: boolean
  readonly success?: number
  /** What it answers then; where it is not given it is no JSON, or not told. */
  readonly answer?: z.ZodType
  /** It answers bytes of any type. */
  readonly rawAnswer?: boolean
  readonly answerHeaders?: readonly string[]
  /** It may also be answered 201, alike: then it was not there before. */
  readonly created?: boolean
  /** It may also be answered 202: ask again. */
  readonly later?: boolean
  /** What else it may answer, by status. */
  readonly others?: Readonly<Record<number, { readonly description: string; readonly answer?: z.ZodType }>>
}

export const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/locks/{name}/acquire',
    summary: 'Acquire a lock, or wait for it',
    tag: 'Locks',
    body: acquireBody,
    answer: acquireAnswer,
    later: true,
  },
  { method: 'post', path: '/v1/locks/{name}/release', summary: 'Release a grant', tag: 'Locks', body: releaseBody, answer: releaseAnswer },
  {
    method: 'post',
    path: '/v1/locks/{name}/renew',
    summary: 'Extend the lease of a grant',
    tag: 'Locks',
    body: renewBody,
    answer: renewAnswer,
  },
  {
    method: 'get',
    path: '/v1/locks/{name}/status',
    summary: 'Who holds the lock and who waits',
    tag: 'Locks',
    query: statusQuery,
    answer: statusAnswer,
  },
  {
    method: 'post',
    path: '/v1/sessions',
    summary: 'Open a session',
    tag: 'Sessions',
    body: sessionBody,
    success: 201,
    answer: sessionAnswer,
  },
  {
    method: 'get',
    path: '/v1/sessions',
    summary: 'List the sessions of the namespace',
    tag: 'Sessions',
    query: sessionsQuery,
    answer: sessionsAnswer,
  },
  { method: 'post', path: '/v1/sessions/{id}/keepalive', summary: 'Extend a session by its TTL', tag: 'Sessions', answer: keepaliveAnswer },
  { method: 'delete', path: '/v1/sessions/{id}', summary: 'End a session and release all it owns', tag: 'Sessions', answer: closeAnswer },
  {
    method: 'get',
    path: '/v1/requests/{id}',
    summary: 'What became of a call that was answered 202',
    tag: 'Locks',
    answer: requestAnswer,
    later: true,
  },
  {
    method: 'get',
    path: '/v1/ws',
    summary: 'The WebSocket: locks, sessions, queues and caches, many requests at once',
    tag: 'Locks',
    success: 101,
  },
  {
    method: 'put',
    path: '/v1/queues/{queue}',
    summary: 'Create a queue (201), or change what is named of it (200)',
    tag: 'Queues',
    body: queueBody,
    answer: putAnswer,
    created: true,
  },
  {
    method: 'get',
    path: '/v1/queues',
    summary: 'List the queues of the namespace',
    tag: 'Queues',
    query: queuesQuery,
    answer: queuesAnswer,
  },
  {
    method: 'get',
    path: '/v1/queues/{queue}',
    summary: 'How many messages it has, where it lives, its settings',
    tag: 'Queues',
    answer: queueAnswer,
  },
  {
    method: 'delete',
    path: '/v1/queues/{queue}',
    summary: 'Delete a queue with its messages',
    tag: 'Queues',
    query: confirmQuery,
    answer: deletedAnswer,
  },
  {
    method: 'post',
    path: '/v1/queues/{queue}/enqueue',
    summary: 'Enqueue one message, or several: all or none',
    tag: 'Queues',
    body: enqueueBody,
    success: 201,
    answer: enqueueAnswer,
  },
  {
    method: 'post',
    path: '/v1/queues/{queue}/dequeue',
    summary: 'Lease messages, or wait for them',
    tag: 'Queues',
    body: dequeueBody,
    answer: dequeueAnswer,
  },
  {
    method: 'post',
    path: '/v1/queues/{queue}/ack',
    summary: 'Settle messages: they are done',
    tag: 'Queues',
    body: ackBody,
    answer: settleAnswer,
  },
  { method: 'post', path: '/v1/queues/{queue}/nack', summary: 'Give messages back', tag: 'Queues', body: nackBody, answer: settleAnswer },
  {
    method: 'post',
    path: '/v1/queues/{queue}/extend',
    summary: 'Extend leases, with a checkpoint for the next delivery',
    tag: 'Queues',
    body: extendBody,
    answer: settleAnswer,
  },
  {
    method: 'get',
    path: '/v1/queues/{queue}/messages',
    summary: 'Look at messages without leasing them',
    tag: 'Queues',
    query: browseQuery,
    answer: messagesAnswer,
  },
  {
    method: 'delete',
    path: '/v1/queues/{queue}/messages',
    summary: 'Purge a queue: every message goes',
    tag: 'Queues',
    query: confirmQuery,
    answer: purgedAnswer,
  },
  {
    method: 'post',
    path: '/v1/queues/{queue}/redrive',
    summary: 'Move dead messages back',
    tag: 'Queues',
    body: redriveBody,
    answer: movedAnswer,
  },
  {
    method: 'post',
    path: '/v1/tx',
    summary: 'Several operations, all or none, where one {tag} joins them',
    tag: 'Queues',
    body: txBody,
    answer: txAnswer,
  },
  ...CACHE_OPERATIONS,
  { method: 'get', path: '/v1/cluster/status', summary: 'Nodes, groups and their leaders', tag: 'Cluster', answer: clusterAnswer },
  {
    method: 'post',
    path: '/v1/cluster/members',
    summary: 'Announce a node that is to join',
    tag: 'Cluster',
    body: memberBody,
    success: 201,
    answer: joiningAnswer,
  },
  {
    method: 'delete',
    path: '/v1/cluster/members/{id}',
    summary: 'Have a node leave: what it holds moves to the others',
    tag: 'Cluster',
    answer: leavingAnswer,
  },
  { method: 'get', path: '/v1/ring', summary: 'The placement table', tag: 'Cluster', answer: ringAnswer },
  {
    method: 'get',
    path: '/v1/ring/explain',
    summary: 'Where a queue or a cache key lives',
    tag: 'Cluster',
    query: explainQuery,
    answer: explainAnswer,
  },
  {
    method: 'post',
    path: '/v1/ring/plan',
    summary: 'What would move if nodes came or went',
    tag: 'Cluster',
    body: ringPlanBody,
    answer: planAnswer,
  },
  { method: 'get', path: '/v1/health', summary: 'The node is there', tag: 'Health', answer: healthAnswer },
  { method: 'get', path: '/v1/livez', summary: 'The node is there', tag: 'Health', answer: healthAnswer },
  { method: 'get', path: '/v1/readyz', summary: 'The node can serve', tag: 'Health', answer: readyAnswer },
  { method: 'get', path: '/v1/metrics', summary: 'Prometheus text', tag: 'Health' },
]

const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' })
const RAW = { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } }
const json = (schema: z.ZodType) => ({ content: { 'application/json': { schema: schemaOf(schema) } } })

export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = describe(operation)
  return {
    openapi: '3.1.0',
    info: { title: 'Tricord', version: VERSION, license: { name: 'MIT' } },
    paths,
    components: { schemas: { Problem: schemaOf(problemAnswer) } },
  }
}

function describe(operation: Operation): Record<string, unknown> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')
  const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const query = operation.query ? Object.entries(operation.query.shape as Record<string, z.ZodType>) : []
  const inQuery = query.map(([name, schema]) => ({ name, in: 'query', schema: schemaOf(schema) }))
  const inHeader = (operation.headers ?? []).map((name) => ({ name, in: 'header', schema: { type: 'string' } }))
  const problem = {
    description: 'A refusal',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  return {
    summary: operation.summary,
    tags: [operation.tag],
    parameters: [...inPath, ...inQuery, ...inHeader],
    ...(operation.rawBody && { requestBody: RAW }),
    ...(operation.body && { requestBody: json(operation.body) }),
    responses: { ...answersOf(operation), default: problem },
  }
}

function answersOf({ success = 200, answer, rawAnswer, answerHeaders, created, later, others = {} }: Operation): Record<string, unknown> {
  const headers = answerHeaders && { headers: Object.fromEntries(answerHeaders.map((name) => [name, { schema: { type: 'string' } }])) }
  const content = rawAnswer ? RAW : answer && json(answer)
  const more = Object.entries(others).map(([status, other]) => [
    status,
    { description: other.description, ...(other.answer && json(other.answer)) },
  ])
  return {
    [success]: { description: 'Done', ...headers, ...content },
    ...(created && { 201: { description: 'Created', ...headers, ...content } }),
    ...(later && { 202: { description: 'It still waits; `Location` tells where to ask', ...json(waitingAnswer) } }),
    ...Object.fromEntries(more),
  }
}
