/** `/cluster` and `/ring`: who is here, who comes and goes, who leads what, where a key lives, what would move. */
import type { Hono } from 'hono'
import type { Gateway } from '../gateway.ts'
import { invalid } from '../errors.ts'
import { type Env, param, readJson } from '../request.ts'
import { explainQuery, memberBody, nodeId, ringPlanBody, validate } from '../schemas.ts'

export function clusterRoutes(app: Hono<Env>, { backend }: Gateway, prefix: string): void {
  app.get(`${prefix}/cluster/status`, async (c) => c.json(await backend.cluster.status()))
  app.post(`${prefix}/cluster/members`, async (c) => {
    const { id, url = '' } = validate(memberBody, await readJson(c))
    await backend.cluster.addMember({ id, url })
    return c.json({ id, url, state: 'joining' }, 201)
  })
  app.delete(`${prefix}/cluster/members/:id`, async (c) => {
    const id = validate(nodeId, param(c, 'id'), 'id')
    await backend.cluster.removeMember(id)
    return c.json({ id, state: 'leaving' })
  })
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
