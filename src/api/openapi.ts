/** `openapi.json`: made from the schemas that validate, and from one line per route. A test holds it equal to the routes. */
import { z } from 'zod'
import { VERSION } from '../version.ts'
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

interface Operation {
  readonly method: 'get' | 'post' | 'delete'
  readonly path: string
  readonly summary: string
  readonly tag: 'Locks' | 'Sessions' | 'Cluster' | 'Health'
  readonly body?: z.ZodType
  readonly query?: z.ZodObject
  readonly success?: number
}

export const OPERATIONS: readonly Operation[] = [
  { method: 'post', path: '/v1/locks/{name}/acquire', summary: 'Acquire a lock, or wait for it', tag: 'Locks', body: acquireBody },
  { method: 'post', path: '/v1/locks/{name}/release', summary: 'Release a grant', tag: 'Locks', body: releaseBody },
  { method: 'post', path: '/v1/locks/{name}/renew', summary: 'Extend the lease of a grant', tag: 'Locks', body: renewBody },
  { method: 'get', path: '/v1/locks/{name}/status', summary: 'Who holds the lock and who waits', tag: 'Locks', query: statusQuery },
  { method: 'post', path: '/v1/sessions', summary: 'Open a session', tag: 'Sessions', body: sessionBody, success: 201 },
  { method: 'get', path: '/v1/sessions', summary: 'List the sessions of the namespace', tag: 'Sessions', query: sessionsQuery },
  { method: 'post', path: '/v1/sessions/{id}/keepalive', summary: 'Extend a session by its TTL', tag: 'Sessions' },
  { method: 'delete', path: '/v1/sessions/{id}', summary: 'End a session and release all it owns', tag: 'Sessions' },
  { method: 'get', path: '/v1/requests/{id}', summary: 'What became of a call that was answered 202', tag: 'Locks' },
  { method: 'get', path: '/v1/ws', summary: 'The WebSocket: locks and sessions, many requests at once', tag: 'Locks', success: 101 },
  { method: 'get', path: '/v1/cluster/status', summary: 'Nodes, groups and their leaders', tag: 'Cluster' },
  {
    method: 'post',
    path: '/v1/cluster/members',
    summary: 'Announce a node that is to join',
    tag: 'Cluster',
    body: memberBody,
    success: 201,
  },
  { method: 'delete', path: '/v1/cluster/members/{id}', summary: 'Have a node leave: what it holds moves to the others', tag: 'Cluster' },
  { method: 'get', path: '/v1/ring', summary: 'The placement table', tag: 'Cluster' },
  { method: 'get', path: '/v1/ring/explain', summary: 'Where a queue or a cache key lives', tag: 'Cluster', query: explainQuery },
  { method: 'post', path: '/v1/ring/plan', summary: 'What would move if nodes came or went', tag: 'Cluster', body: ringPlanBody },
  { method: 'get', path: '/v1/health', summary: 'The node is there', tag: 'Health' },
  { method: 'get', path: '/v1/livez', summary: 'The node is there', tag: 'Health' },
  { method: 'get', path: '/v1/readyz', summary: 'The node can serve', tag: 'Health' },
  { method: 'get', path: '/v1/metrics', summary: 'Prometheus text', tag: 'Health' },
]

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'outcome', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    retryable: { type: 'boolean' },
    outcome: { enum: ['not-applied', 'unknown'] },
    requestId: { type: 'string' },
  },
}

const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' })

export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = describe(operation)
  return {
    openapi: '3.1.0',
    info: { title: 'Tricord', version: VERSION, license: { name: 'MIT' } },
    paths,
    components: { schemas: { Problem: PROBLEM } },
  }
}

function describe(operation: Operation): Record<string, unknown> {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '')
  const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const query = operation.query ? Object.entries(operation.query.shape as Record<string, z.ZodType>) : []
  const inQuery = query.map(([name, schema]) => ({ name, in: 'query', schema: schemaOf(schema) }))
  const problem = {
    description: 'A refusal',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  return {
    summary: operation.summary,
    tags: [operation.tag],
    parameters: [...inPath, ...inQuery],
    ...(operation.body && { requestBody: { content: { 'application/json': { schema: schemaOf(operation.body) } } } }),
    responses: { [operation.success ?? 200]: { description: 'Done' }, default: problem },
  }
}
