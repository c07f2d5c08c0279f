/**
 * Without a fault no group changes its leader: not for want of something to say, and not however many wait at whichever gateway.
 * For quiet runs. What a fault may still bring about (elections, and the way back to the preferred leader) ends `SETTLE_MS` after it.
 */
import type { Millis } from '../../base/ids.ts'
import type { SimCluster } from '../cluster.ts'
import { type Checker, violated } from './checker.ts'

const SETTLE_MS: Millis = 20_000

export function steady(cluster: SimCluster): Checker {
  let troubledAt: Millis = 0
  let formed = false
  const isReady = (): boolean => cluster.nodes.every((node) => node.running?.node.cluster.ready().ready === true)
  return {
    after() {
      // Afterwards not: a node without a leader is not ready either, and that is no fault but the harm.
      formed ||= isReady()
      if (!formed || !cluster.nodes.every((node) => node.up)) troubledAt = cluster.world.now
    },
    seen({ node, group, status, before }) {
      const calmMs = cluster.world.now - troubledAt
      if (before === null || status.term === before.term || calmMs < SETTLE_MS) return
      violated('steady', group, `${node} went from term ${before.term} to ${status.term}, ${calmMs} ms after the last fault`)
    },
  }
}
