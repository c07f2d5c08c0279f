/**
 * One request of a frame: its envelope (`id`, `op`, `namespace`, `idempotencyKey`, `traceparent`), its members, and the
 * one answer it gets. Whoever takes a call answers it once, now or later; after the connection's end answers go nowhere.
 */
import type { CommandOptions } from '../../lock/types.ts'
import { invalid } from '../errors.ts'
import type { GatewaySpan } from '../gateway.ts'
import type { CacheName } from '../../cache/types.ts'
import type { QueueName } from '../../queue/types.ts'
import { cacheName } from '../cache-schemas.ts'
import { idempotencyKey, queueKeyScope } from '../request.ts'
import { isQueueName, queueName } from '../queue-schemas.ts'
import { lockName, namespaceName, validate } from '../schemas.ts'
import type { z } from 'zod'

export type Members = Readonly<Record<string, unknown>>
export type CallId = string | number

const ID_LENGTH_MAX = 128
const TRACEPARENT_LENGTH_MAX = 64

/** What a call needs of its connection. */
export interface Answers {
  answered(call: SocketCall, result: Members): void
  failed(call: SocketCall, error: unknown): void
}

export class SocketCall {
  readonly id: CallId
  readonly op: string
  readonly members: Members
  readonly namespace: string
  /** Of the operation's span where one is sampled, else the caller's, else ''. */
  readonly traceparent: string
  /** Whether it came in an array: then its answer goes in one. */
  readonly inArray: boolean
  readonly span: GatewaySpan | null
  /** Gives up what the call waits for; set by its operation. */
  cancel: (() => void) | null = null
  readonly #answers: Answers

  constructor(envelope: Envelope, inArray: boolean, span: GatewaySpan | null, answers: Answers) {
    this.id = envelope.id
    this.op = envelope.op
    this.members = envelope.members
    this.namespace = envelope.namespace
    this.traceparent = span?.traceparent ?? envelope.traceparent
    this.inArray = inArray
    this.span = span
    this.#answers = answers
  }

  answer(result: Members): void {
    this.#answers.answered(this, result)
  }

  /** A refusal, or a bug: the connection tells them apart. */
  fail(error: unknown): void {
    this.#answers.failed(this, error)
  }

  /** Runs what may throw: its error is the call's answer. */
  attempt(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.fail(error)
    }
  }

  /** The name that HTTP has in the path. */
  lockName(): string {
    return validate(lockName, this.members['name'], 'name')
  }

  /** The members that HTTP has in its body; `named`: `name` is not one of them. */
  body<T>(schema: z.ZodType<T>, named: boolean): T {
    return validate(schema, bodyOf(this.members, named))
  }

  queueName(): QueueName {
    const { queue } = this.members
    return { namespace: this.namespace, queue: isQueueName(queue) ? queue : validate(queueName, queue, 'queue') }
  }

  /** The members that HTTP has in its body, of a call whose path names a queue. */
  queueBody(): Members {
    const { queue: _queue, ...body } = bodyOf(this.members, false)
    return body
  }

  cacheName(): CacheName {
    return { namespace: this.namespace, cache: validate(cacheName, this.members['cache'], 'cache') }
  }

  /** The members of a call about a cache besides its name. */
  cacheBody<T>(schema: z.ZodType<T>): T {
    const { cache: _cache, ...body } = bodyOf(this.members, false)
    return validate(schema, body)
  }

  /** Scoped and fingerprinted as the same call over HTTP: `action` is the last step of its path. */
  queueKey(action: string): CommandOptions['idempotencyKey'] {
    const key = this.idempotencyKey()
    if (key === undefined) return undefined
    const name = this.queueName()
    return idempotencyKey(queueKeyScope(name), key, ['POST', `/queues/${name.queue}/${action}`, this.queueBody(), ''], 'idempotencyKey')
  }

  /** As the caller sent it. */
  idempotencyKey(): string | undefined {
    const key = this.members['idempotencyKey']
    if (key !== undefined && typeof key !== 'string') throw invalid([{ path: 'idempotencyKey', message: 'must be a string' }])
    return key
  }

  /** Likewise, of a call about a lock. */
  key(action: string, session: string): CommandOptions['idempotencyKey'] {
    const key = this.idempotencyKey()
    if (key === undefined) return undefined
    const path = `/locks/${String(this.members['name'])}/${action}`
    return idempotencyKey(this.namespace, key, ['POST', path, bodyOf(this.members, true), session], 'idempotencyKey')
  }
}

export function bodyOf(members: Members, named: boolean): Members {
  const { id: _id, op: _op, namespace: _namespace, idempotencyKey: _key, traceparent: _trace, ...rest } = members
  if (!named) return rest
  const { name: _name, ...body } = rest
  return body
}

export interface Envelope {
  readonly id: CallId
  readonly op: string
  readonly members: Members
  readonly namespace: string
  readonly traceparent: string
}

/** The id to answer under, or null: then nobody could tell whose answer it is. */
export function readId(request: unknown): CallId | null {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) return null
  const { id } = request as Members
  if (typeof id === 'number') return Number.isFinite(id) ? id : null
  return typeof id === 'string' && id.length > 0 && id.length <= ID_LENGTH_MAX ? id : null
}

/** The envelope of a request whose id is known. Throws INVALID_ARGUMENT. */
export function readEnvelope(id: CallId, members: Members, defaultNamespace: string): Envelope {
  const { op, namespace = defaultNamespace, traceparent = '' } = members
  if (typeof op !== 'string') throw invalid([{ path: 'op', message: 'must be a string' }])
  if (typeof traceparent !== 'string' || traceparent.length > TRACEPARENT_LENGTH_MAX) {
    throw invalid([{ path: 'traceparent', message: `a string of at most ${TRACEPARENT_LENGTH_MAX} characters` }])
  }
  const checked = namespace === defaultNamespace ? defaultNamespace : validate(namespaceName, namespace, 'namespace')
  return { id, op, members, namespace: checked, traceparent }
}
