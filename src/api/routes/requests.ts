/** `/v1/requests/{id}`: what became of a call that was answered 202. Any node knows. */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import { type Answered, isImplicit } from '../../lock/types.ts'
import type { Gateway } from '../gateway.ts'
import { answerOf } from '../lock-calls.ts'
import { type Call, type Env, hashOfKey, namespaceOf, param, sessionOf } from '../request.ts'
import { secretIn, secretOfKey } from '../session-token.ts'

export function requestRoutes(app: Hono<Env>, { backend, settings }: Gateway, prefix: string): void {
  app.get(`${prefix}/requests/:id`, async (c) => {
    const [id, namespace] = [param(c, 'id'), namespaceOf(c)]
    const outcome = await backend.locks.outcome(hashOfKey(namespace, id), settings.commandTimeoutMs)
    if (outcome instanceof TricordError) throw outcome
    if (outcome === 'waiting') return c.json({ state: 'waiting', id }, 202, { location: `/v1/requests/${encodeURIComponent(id)}` })
    if (outcome === 'unknown') throw new TricordError('NOT_FOUND', `no request ${id} is known: answers are kept for 10 minutes`)
    return c.json(answerOf(outcome, secretFor(c, outcome, secretOfKey(backend.secret, namespace, id).text)))
  })
}

/**
 * A key may be guessed, and here nothing else is asked for: the secret of a session that was opened under it is told to who repeats
 * the call itself, and of one that was there before only to who sends it.
 */
function secretFor(c: Call, outcome: Answered, ofKey: string): string {
  if (outcome.type === 'opened') return ''
  const session = outcome.type === 'granted' ? (outcome.grants[0]?.session ?? '') : ''
  if (session === '' || isImplicit(session)) return ofKey
  return sessionOf(c)?.id === session ? secretIn(c.req.header('tricord-session') ?? '') : ''
}
