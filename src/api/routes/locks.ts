/** `/locks/{name}/…`: acquire, release, renew, status. */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import { type Gateway, expectReply, run } from '../gateway.ts'
import { acquireCommand, busyAnswer, commandOptions, grantAnswer, release, renew, type CallScope } from '../lock-calls.ts'
import { ANSWER_WITHIN_MS, within } from '../long-calls.ts'
import { type Call, type Env, idempotencyOf, namespaceOf, param, readJson, sessionOf } from '../request.ts'
import { acquireBody, lockName, releaseBody, renewBody, statusQuery, validate } from '../schemas.ts'
import { newSecret, secretOfKey } from '../session-token.ts'

export function lockRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  app.post(`${prefix}/locks/:name/acquire`, (c) => acquire(c, gateway))
  app.post(`${prefix}/locks/:name/release`, async (c) => {
    const body = await readJson(c)
    const { grantId } = validate(releaseBody, body)
    return c.json(await release(gateway, scopeOf(c, body), nameOf(c), grantId))
  })
  app.post(`${prefix}/locks/:name/renew`, async (c) => {
    const body = await readJson(c)
    const { grantId, leaseMs } = validate(renewBody, body)
    return c.json(await renew(gateway, scopeOf(c, body), nameOf(c), grantId, leaseMs ?? null))
  })
  app.get(`${prefix}/locks/:name/status`, async (c) => {
    const { consistency = 'linearizable' } = validate(statusQuery, c.req.query())
    const timeoutMs = gateway.settings.commandTimeoutMs
    return c.json(
      await gateway.backend.locks.status(namespaceOf(c), nameOf(c), { timeoutMs, consistency, traceparent: c.get('traceparent') }),
    )
  })
}

const nameOf = (c: Call): string => validate(lockName, param(c, 'name'), 'name')

function scopeOf(c: Call, body: unknown, name?: string): CallScope {
  const namespace = namespaceOf(c)
  const key = idempotencyOf(c, namespace, body, name)
  return { namespace, session: sessionOf(c), ...(key && { key }), traceparent: c.get('traceparent') }
}

async function acquire(c: Call, gateway: Gateway): Promise<Response> {
  const raw = await readJson(c)
  const body = validate(acquireBody, raw)
  const isLong = (body.waitMs ?? 0) > ANSWER_WITHIN_MS
  const given = c.req.header('idempotency-key')
  // A call that may be answered 202 has to have a name.
  const id = given ?? c.get('requestId')
  const scope = scopeOf(c, raw, isLong ? id : undefined)
  const { random, clock } = gateway.backend
  const secret = scope.key ? secretOfKey(scope.namespace, id) : newSecret(random)
  const command = acquireCommand(gateway, scope, nameOf(c), body, secret)
  const began = clock.now()
  const seconds = (): number => (clock.now() - began) / 1_000
  try {
    const call = run(gateway, command, commandOptions(gateway, scope, command.waitMs), (cancel) => {
      // A caller that hung up waits no more, unless it named the request so as to come back for it.
      if (command.waitMs > 0 && given === undefined) c.req.raw.signal.addEventListener('abort', cancel, { once: true })
    }).then((reply) => grantAnswer(expectReply(reply, 'granted'), secret))
    const answer = isLong ? await within(clock, call, ANSWER_WITHIN_MS) : await call
    if (answer === null) return c.json({ state: 'waiting', id }, 202, { location: `/v1/requests/${encodeURIComponent(id)}` })
    gateway.metrics.acquired('acquired', seconds())
    return c.json(answer)
  } catch (error) {
    gateway.metrics.acquired(error instanceof TricordError ? error.code : 'error', seconds())
    const busy = busyAnswer(error, body)
    if (busy) return c.json(busy)
    throw error
  }
}
