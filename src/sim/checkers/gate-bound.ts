/**
 * Whoever does not answer delays a write by at most the stated bound: half a second, then what its session may last, counted on
 * the clock of the home. So no home that can act has an invalidation under way for longer.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import { HOME_DEFAULTS, type HomeState } from '../../cache/coherence/home.ts'
import { waitMs } from '../../cache/coherence/lease.ts'
import type { SimCluster } from '../cluster.ts'
import { SimFailure } from '../world.ts'
import type { Checker } from './checker.ts'

const BOUND_MS: Millis = HOME_DEFAULTS.unackedMs + waitMs(HOME_DEFAULTS)
const LOOK_MS: Millis = 50
/** What it slept through it deals with in its first turns. */
const LATE_MS: Millis = 2 * LOOK_MS

export function gateBound(cluster: SimCluster): Checker {
  let lookedAt = 0
  const asleep = new Map<NodeId, Millis>()
  return {
    after() {
      const { now } = cluster.world
      if (now - lookedAt < LOOK_MS) return
      lookedAt = now
      for (const { id, running, life } of cluster.up) {
        if (life?.paused) asleep.set(id, now)
        if (running === null || now - (asleep.get(id) ?? -Infinity) < LATE_MS) continue
        for (const [partition, { directory }] of running.node.coherence.homes) {
          const waited = running.node.system.clock.now() - oldest(directory.home.state)
          if (waited > BOUND_MS + LATE_MS)
            throw new SimFailure(`gate: ${id} waits since ${Math.round(waited)} ms for acknowledgements of lines of partition ${partition}`)
        }
      }
    },
  }
}

/** Since when it waits for somebody; Infinity: it does not. */
function oldest({ active, lines }: HomeState): Millis {
  let since = Infinity
  for (const line of active) since = Math.min(since, lines.get(line)?.busy?.startedAt ?? Infinity)
  return since
}
