/** `/health`, `/livez`, `/readyz`, `/metrics`. */
import type { Hono } from 'hono'
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
    return c.json({ status: ready ? 'ready' : 'starting', node: backend.node, reason }, ready ? 200 : 503)
  })
  app.get(`${prefix}/metrics`, async (c) => {
    const text = `${await metrics.registry.metrics()}\n${await backend.metrics()}`
    return c.text(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  })
}
