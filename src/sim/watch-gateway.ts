/** The gateway of a node's life, as far as subscriptions to the changes of caches need it. */
import type { ActorSystem } from '../actors/actor.ts'
import type { WatchGateway } from '../api/gateway.ts'
import { PastSubscriptions } from '../api/socket/past-subscriptions.ts'
import type { NodeId } from '../base/ids.ts'
import { createLendings } from '../cache/borrowing.ts'
import { type InvalidationsOptions, createInvalidations } from '../cache/watch/invalidations.ts'
import type { Random } from '../io/random.ts'

const COMMAND_TIMEOUT_MS = 2_000

export function watchGateway(
  system: ActorSystem,
  node: NodeId,
  options: Pick<InvalidationsOptions, 'partitions' | 'hash'>,
  random: Random,
): WatchGateway {
  const { clock } = system
  const uncounted = { inc: () => undefined, dec: () => undefined }
  return {
    backend: { invalidations: createInvalidations(system, node, options), lendings: createLendings(system, node), clock },
    settings: { commandTimeoutMs: COMMAND_TIMEOUT_MS },
    metrics: { cacheSubscriptions: uncounted, cacheEvents: uncounted },
    pastSubscriptions: new PastSubscriptions(clock, random),
  }
}
