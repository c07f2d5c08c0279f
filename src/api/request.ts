/** What every handler reads of a request: its id, namespace, session, idempotency key and JSON body. */
import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import type { Context } from 'hono'
import { TricordError } from '../base/errors.ts'
import type { Random } from '../io/random.ts'
import type { Backend } from './backend.ts'
import type { CommandOptions, SessionProof } from '../lock/types.ts'
import type { QueueName } from '../queue/types.ts'
import { invalid } from './errors.ts'
import type { Gateway, GatewaySpan } from './gateway.ts'
import { namespaceName, validate } from './schemas.ts'
import { type Secret, newSecret, readToken, secretOfKey } from './session-token.ts'

export const DEFAULT_NAMESPACE = 'default'
const KEY_LENGTH_MAX = 255
const FROM_TEXT = new TextDecoder()

export interface Env {
  Variables: { requestId: string; traceparent: string; span: GatewaySpan | null; bodyBytesMax: number }
}
export type Call = Context<Env>

/** What an answer and the log name a request by. */
export function newRequestId(random: Random): string {
  return Buffer.from(random.bytes(9)).toString('base64url')
}

/** What every answer carries; for those that are made by hand. */
export function answerHeaders(c: Call, { backend }: Gateway): Record<string, string> {
  return { 'tricord-request-id': c.get('requestId'), 'tricord-node': backend.node }
}

export function namespaceOf(c: Call): string {
  const header = c.req.header('tricord-namespace')
  return header === undefined ? DEFAULT_NAMESPACE : validate(namespaceName, header, 'Tricord-Namespace')
}

export function sessionOf(c: Call): SessionProof | null {
  const header = c.req.header('tricord-session')
  return header === undefined ? null : readToken(header)
}

/** A path parameter, decoded. */
export function param(c: Call, name: string): string {
  const value = c.req.param(name)
  if (value === undefined) throw invalid([{ path: name, message: 'is missing' }])
  return value
}

/** The query, where each name stands once: of two values nobody could tell which is meant. */
export function queryOf(c: Call): Readonly<Record<string, string>> {
  const query = Object.entries(c.req.queries())
  const twice = query.find(([, values]) => values.length > 1)
  if (twice) throw invalid([{ path: twice[0], message: 'is given twice' }])
  return Object.fromEntries(query.map(([name, [value = '']]) => [name, value]))
}

/** The JSON body; absent is `{}`. */
export async function readJson(c: Call): Promise<unknown> {
  const query = c.req.url.indexOf('?')
  if (query > 0) throw invalid([{ path: c.req.url.slice(query), message: 'this call takes its members in the body, not in the query' }])
  const coding = c.req.header('content-encoding') ?? 'identity'
  if (coding.toLowerCase() !== 'identity') throw new TricordError('UNSUPPORTED_TYPE', `the body must come as it is, not as ${coding}`)
  const bytes = await readBytes(c, c.get('bodyBytesMax'))
  if (!isUtf8(bytes)) throw invalid([{ path: 'body', message: 'not UTF-8' }])
  const text = FROM_TEXT.decode(bytes)
  if (text === '') return {}
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(;|$)/i.test(type)) {
    throw new TricordError('UNSUPPORTED_TYPE', `the body must be application/json${type ? `, not ${type}` : ': say so in Content-Type'}`)
  }
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw invalid([{ path: 'body', message: error instanceof Error ? `not JSON: ${error.message}` : 'not JSON' }])
  }
}

/** The body as it came, of any type. */
export async function readBytes(c: Call, max: number): Promise<Uint8Array> {
  const length = c.req.header('content-length')
  if (length === undefined) return brokenOff(() => readUnknownLength(c, max))
  if (Number(length) > max) throw tooLarge(`has ${length} bytes`, max)
  return brokenOff(async () => new Uint8Array(await c.req.arrayBuffer()))
}

/** What cannot be read is the caller's doing: it left in the middle, or what it sent is no chunk. */
async function brokenOff<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof TricordError) throw error
    throw invalid([{ path: 'body', message: `broke off: ${error instanceof Error ? error.message : String(error)}` }])
  }
}

/** A chunked body: read no further than what is taken. */
async function readUnknownLength(c: Call, max: number): Promise<Buffer> {
  const { body } = c.req.raw
  if (body === null) return Buffer.alloc(0)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > max) throw tooLarge('is larger', max)
  }
  return Buffer.concat(chunks)
}

export function tooLarge(how: string, bytesMax: number): TricordError {
  return new TricordError('TOO_LARGE', `the body ${how}; at most ${bytesMax} bytes are taken`, { bytesMax })
}

/** By the header; without one, by `name` where it is given. */
export function idempotencyOf(c: Call, namespace: string, body: unknown, name?: string): CommandOptions['idempotencyKey'] {
  const header = c.req.header('idempotency-key') ?? name
  if (header === undefined) return undefined
  // As the caller meant it: `a%2fb` and `a%2Fb` are one name.
  const path = decodeURIComponent(c.req.path.replace(/^\/v1/, ''))
  return idempotencyKey(namespace, header, [c.req.method, path, body, c.req.header('tricord-session') ?? ''], 'Idempotency-Key')
}

/** Keys of a queue are its own: they live where it lives. */
export function queueKeyScope({ namespace, queue }: QueueName): string {
  return `${namespace}/queues/${queue}`
}

export function queueKeyOf(c: Call, name: QueueName, body: unknown): CommandOptions['idempotencyKey'] {
  return idempotencyOf(c, queueKeyScope(name), body)
}

export function transactionKeyOf(c: Call, namespace: string, body: unknown): CommandOptions['idempotencyKey'] {
  return idempotencyOf(c, `${namespace}/tx`, body)
}

/** Whether the caller has hung up, as far as the socket knows. */
export function isGone(c: Call): boolean {
  const { outgoing } = (c.env ?? {}) as { readonly outgoing?: { readonly destroyed: boolean } }
  return outgoing?.destroyed ?? false
}

type Meaning = readonly [method: string, path: string, body: unknown, session: string]

/** A key in its namespace, with what the request means: the same key with another meaning is refused. */
export function idempotencyKey(
  namespace: string,
  key: string,
  [method, path, body, session]: Meaning,
  field: string,
): NonNullable<CommandOptions['idempotencyKey']> {
  if (key.length === 0 || key.length > KEY_LENGTH_MAX) throw invalid([{ path: field, message: `1 to ${KEY_LENGTH_MAX} characters` }])
  const meaning = JSON.stringify([method, path, sortKeys(body), session])
  const fingerprint = hash('sha256', meaning, 'base64url').slice(0, 22)
  return { key: hashOfKey(namespace, key), fingerprint }
}

/** What the log and the request table know a key by: they need not name what callers have named. */
export function hashOfKey(namespace: string, key: string): string {
  return hash('sha256', `key\n${namespace}\n${key}`, 'base64url').slice(0, 22)
}

/** The secret of the session that a request opens. */
export function secretFor(c: Call, namespace: string, { random, secret }: Backend): Secret {
  const key = c.req.header('idempotency-key')
  return key === undefined ? newSecret(random) : secretOfKey(secret, namespace, key)
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, sortKeys(child)]),
  )
}
