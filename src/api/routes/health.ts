/** `/health`, `/livez`, `/readyz`, `/metrics`. */
import type { Hono } from 'hono'
import { TricordError } from '../../base/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Env } from '../request.ts'

export function healthRoutes(app: Hono<Env>, gateway: Gateway, prefix: string): void {
  const { backend, metrics } = gateway
  const began = backend.clock.now()
  const health = () => ({ status: 'ok', node: backend.node, version: backend.version, uptimeMs: Math.round(backend.clock.now() - began) })
  app.get(`${prefix}/health`, (c) => c.json(health()))
  app.get(`${prefix}/livez`, (c) => c.json(health()))
  app.get(`${prefix}/readyz`, async (c) => {
    const { ready, reason } = await backend.ready()
    if (!ready) throw new TricordError('STARTING', reason, { node: backend.node, reason })
    return c.json({ status: 'ready', node: backend.node, reason })
  })
  app.get(`${prefix}/metrics`, async (c) => {
    const text = `${await metrics.text()}\n${await backend.metrics()}`
    return c.text(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  })
}
