/** `/sessions`: many locks under one lease, proved by one secret. */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import { type Gateway, run } from '../gateway.ts'
import { answerOf, commandOptions } from '../lock-calls.ts'
import { type Call, type Env, idempotencyOf, namespaceOf, param, readJson, secretFor, sessionOf } from '../request.ts'
import { emptyBody, sessionBody, sessionsQuery, validate } from '../schemas.ts'
import { readToken } from '../session-token.ts'
import type { SessionProof } from '../../lock/types.ts'

const SESSIONS_DEFAULT = 100

export function sessionRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  app.post(`${prefix}/sessions`, (c) => open(c, gateway))
  app.get(`${prefix}/sessions`, async (c) => {
    const { cursor = '', limit = SESSIONS_DEFAULT } = validate(sessionsQuery, c.req.query())
    return c.json(await gateway.backend.locks.sessions(namespaceOf(c), cursor, limit, gateway.settings.commandTimeoutMs))
  })
  app.post(`${prefix}/sessions/:id/keepalive`, async (c) => {
    validate(emptyBody, await readJson(c))
    return c.json(answerOf(await run(gateway, { type: 'session_keepalive', session: claim(c) }, options(c, gateway))))
  })
  app.delete(`${prefix}/sessions/:id`, async (c) => {
    return c.json(answerOf(await run(gateway, { type: 'session_close', session: claim(c) }, options(c, gateway))))
  })
}

function options(c: Call, gateway: Gateway) {
  const namespace = namespaceOf(c)
  const key = idempotencyOf(c, namespace, null)
  return commandOptions(gateway, { namespace, session: null, ...(key && { key }), traceparent: c.get('traceparent') })
}

async function open(c: Call, gateway: Gateway): Promise<Response> {
  const raw = await readJson(c)
  const { ttlMs = gateway.settings.defaultLeaseMs, name = '', metadata = null } = validate(sessionBody, raw)
  const namespace = namespaceOf(c)
  const key = idempotencyOf(c, namespace, raw)
  const secret = secretFor(c, namespace, gateway.backend)
  const scope = { namespace, session: null, ...(key && { key }), traceparent: c.get('traceparent') }
  const command = { type: 'session_open', namespace, proof: secret.proof, ttlMs, lingers: false, name, metadata } as const
  return c.json(answerOf(await run(gateway, command, commandOptions(gateway, scope)), secret.text), 201)
}

/** The session of the path, proved by the header; the path may also carry `<id>.<secret>` whole. */
function claim(c: Call): SessionProof {
  const named = param(c, 'id')
  const [id = ''] = named.split('.')
  const session = sessionOf(c) ?? (named === id ? null : readToken(named))
  if (!session) throw new TricordError('UNAUTHENTICATED', 'send the session as Tricord-Session: <id>.<secret>')
  if (session.id !== id) throw new TricordError('NOT_OWNER', `Tricord-Session proves ${session.id}, the path names ${id}`)
  return session
}
