/** `/v1/requests/{id}`: what became of a call that was answered 202. */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import type { Gateway } from '../gateway.ts'
import { type Env, param } from '../request.ts'

export function requestRoutes(app: Hono<Env>, { longCalls, backend }: Gateway, prefix: string): void {
  app.get(`${prefix}/requests/:id`, (c) => {
    const id = param(c, 'id')
    const call = longCalls.get(encodeURIComponent(id))
    if (!call) {
      const hint = 'repeat the call with the same Idempotency-Key: any node answers it, and it keeps its place'
      throw new TricordError('NOT_FOUND', `node ${backend.node} knows no request ${id}; ${hint}`)
    }
    if (call.state === 'failed') throw call.error
    if (call.state === 'waiting') return c.json({ state: 'waiting', id }, 202, { location: `/v1/requests/${encodeURIComponent(id)}` })
    return c.json(call.value as Record<string, unknown>)
  })
}
