/** `/locks/{name}/…`: acquire, release, renew, status. */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import type { LockCommand, ReleaseCommand } from '../../lock/types.ts'
import { type Gateway, run } from '../gateway.ts'
import { type CallScope, acquireCommand, answerOf, busyAnswer, commandOptions, releaseUnheard } from '../lock-calls.ts'
import { ANSWER_WITHIN_MS, Wait, answerWithinMs, noAnswerYet, within } from '../long-calls.ts'
import { type Call, type Env, idempotencyOf, namespaceOf, param, readJson, sessionOf } from '../request.ts'
import { acquireBody, lockName, releaseBody, renewBody, statusQuery, validate } from '../schemas.ts'
import { newSecret, secretIn, secretOfKey } from '../session-token.ts'

export function lockRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  app.post(`${prefix}/locks/:name/acquire`, (c) => acquire(c, gateway))
  app.post(`${prefix}/locks/:name/release`, async (c) => {
    const body = await readJson(c)
    const { grantId } = validate(releaseBody, body)
    return answer(c, gateway, body, (of) => ({ type: 'lock_release', ...of, grantId }))
  })
  app.post(`${prefix}/locks/:name/renew`, async (c) => {
    const body = await readJson(c)
    const { grantId, leaseMs } = validate(renewBody, body)
    return answer(c, gateway, body, (of) => ({ type: 'lock_renew', ...of, grantId, leaseMs: leaseMs ?? null }))
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

type Target = Pick<ReleaseCommand, 'namespace' | 'name' | 'session'>

/** Of a call about a grant. */
async function answer(c: Call, gateway: Gateway, body: unknown, commandOf: (of: Target) => LockCommand): Promise<Response> {
  const scope = scopeOf(c, body)
  const { namespace, session } = scope
  const reply = await run(gateway, commandOf({ namespace, name: nameOf(c), session }), commandOptions(gateway, scope))
  return c.json(answerOf(reply))
}

async function acquire(c: Call, gateway: Gateway): Promise<Response> {
  const raw = await readJson(c)
  const body = validate(acquireBody, raw)
  const isLong = (body.waitMs ?? 0) > ANSWER_WITHIN_MS
  const given = c.req.header('idempotency-key')
  // A call that may be answered 202 has to have a name.
  const id = given ?? c.get('requestId')
  const scope = scopeOf(c, raw, isLong ? id : undefined)
  const { random, clock, secret: ofCluster } = gateway.backend
  const implicit = scope.key ? secretOfKey(ofCluster, scope.namespace, id) : newSecret(random)
  const secret = scope.session ? secretIn(c.req.header('tricord-session') ?? '') : implicit.text
  const command = acquireCommand(gateway, scope, nameOf(c), body, implicit.proof)
  // A caller that hangs up waits no more, unless it named the request so as to come back for it.
  const wait = command.waitMs > 0 && given === undefined ? new Wait(c.req.raw.signal) : null
  const began = clock.now()
  const seconds = (): number => (clock.now() - began) / 1_000
  try {
    const granted = run(gateway, command, commandOptions(gateway, scope, command.waitMs), (cancel) => wait?.begin(cancel)).then((reply) => {
      if (wait?.isGivenUp) releaseUnheard(gateway, scope, reply)
      return answerOf(reply, secret)
    })
    const inTime = command.waitMs === 0 ? await granted : await within(clock, granted, answerWithinMs(command.waitMs))
    if (inTime === null && !scope.key) {
      wait?.giveUp()
      throw noAnswerYet()
    }
    wait?.end()
    if (inTime === null) return c.json({ state: 'waiting', id }, 202, { location: `/v1/requests/${encodeURIComponent(id)}` })
    gateway.metrics.acquired('acquired', seconds())
    return c.json(inTime)
  } catch (error) {
    gateway.metrics.acquired(error instanceof TricordError ? error.code : 'error', seconds())
    const busy = busyAnswer(error, body)
    if (busy) return c.json(busy)
    throw error
  }
}
