/**
 * Clients that take and release a few locks over all nodes, as fast as they are let, and note what they saw. What they do
 * not know they repeat under the same Idempotency-Key, on another node, until somebody answers for sure.
 */
import { expect } from 'vitest'
import { History, type Hold } from './history.ts'
import { type Answer, call } from './processes.ts'

export const NAMES: readonly string[] = ['red', 'green', 'blue']
const CLIENTS = 6
const LEASE_MS = 60_000

export interface Load {
  readonly history: History
  /** Resolves with the time of the next grant that is asked for from now on. */
  nextGrant(): Promise<number>
  stop(): Promise<void>
}

type Targets = readonly { readonly url: string }[]

/** Repeats a call under its key, from node to node, until somebody answers for sure. */
export async function surely(nodes: Targets, first: number, path: string, body: unknown, key: string, method = 'POST'): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    const node = nodes[(first + attempt) % nodes.length]
    try {
      const answer = await call(node?.url ?? '', method, path, body, { 'idempotency-key': key })
      if (answer.body['outcome'] !== 'unknown' && answer.status !== 503 && answer.status !== 429 && answer.status !== 507) return answer
    } catch {
      // No answer at all: the node is gone. Give the dial of a dead node no chance to spin.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** `nodes` may grow and shrink while the load runs. `label` keeps the keys of one load apart from another's. */
export function startLoad(nodes: Targets, label: string): Load {
  const history = new History()
  let running = true
  let waiters: { since: number; resolve: (at: number) => void }[] = []
  const client = async (id: number): Promise<void> => {
    for (let round = 0; running; round++) {
      const name = NAMES[(id + round) % NAMES.length] ?? ''
      const askedAt = performance.now()
      const wish = { owner: `c${id}`, leaseMs: LEASE_MS, waitMs: 20_000 }
      const granted = await surely(nodes, id, `/locks/${name}/acquire`, wish, `${label}-a-${id}-${round}`)
      if (granted.status !== 200) continue
      const heldFrom = performance.now()
      const hold: Hold = { name, token: granted.body['token'] as number, client: `c${id}`, askedAt, heldFrom, releasedAt: Infinity }
      history.holds.push(hold)
      waiters = waiters.filter(({ since, resolve }) => askedAt < since || void resolve(heldFrom))
      hold.releasedAt = performance.now()
      const released = await surely(nodes, id, `/locks/${name}/release`, { grantId: granted.body['grantId'] }, `${label}-r-${id}-${round}`)
      // Lost: the answer said "granted", and now nobody knows of it.
      expect(released.status, JSON.stringify(released.body)).toBe(200)
    }
  }
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(id)))
  return {
    history,
    nextGrant: () => new Promise((resolve) => waiters.push({ since: performance.now(), resolve })),
    async stop() {
      running = false
      await clients
    },
  }
}
