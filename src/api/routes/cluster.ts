/** `/cluster` and `/ring`: who is here, who leads what, where a key lives, what would move. */
import type { Hono } from 'hono'
import type { Gateway } from '../gateway.ts'
import { invalid } from '../errors.ts'
import { type Env, readJson } from '../request.ts'
import { explainQuery, ringPlanBody, validate } from '../schemas.ts'

export function clusterRoutes(app: Hono<Env>, { backend }: Gateway, prefix: string): void {
  app.get(`${prefix}/cluster/status`, async (c) => c.json(await backend.cluster.status()))
}

export function ringRoutes(app: Hono<Env>, { backend }: Gateway, prefix: string): void {
  app.get(`${prefix}/ring`, async (c) => c.json(await backend.cluster.ring()))
  app.get(`${prefix}/ring/explain`, async (c) => {
    const { queue, cache, key } = validate(explainQuery, c.req.query())
    if ((queue === undefined) === (cache === undefined))
      throw invalid([{ path: 'queue', message: 'name either a queue, or a cache and a key' }])
    if (cache !== undefined && key === undefined) throw invalid([{ path: 'key', message: 'is needed with cache' }])
    return c.json(await backend.cluster.explain(queue ?? key ?? ''))
  })
  app.post(`${prefix}/ring/plan`, async (c) => {
    const { add = [], remove = [] } = validate(ringPlanBody, await readJson(c))
    return c.json(await backend.cluster.plan({ add, remove }))
  })
}
