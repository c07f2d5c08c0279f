/**
 * The way of a lost lease from the machine that saw it end to the connection that has it:
 *
 *   machine (leader) ─ event ─> host ─ router ─ queue_lease_lost ─> actor of the gateway ─> whoever watches
 *
 * A watcher is an address: the actor, and a tag that its gateway gave out in this life. Best effort: what is lost on the way is
 * found out by the settlement that comes too late.
 */
import type { Actor, ActorSystem } from '../actors/actor.ts'
import type { ActorId, Envelope, Plain } from '../actors/envelope.ts'
import { FIRST_PARTITION } from '../base/ids.ts'
import type { GroupHost } from '../raft/group-host.ts'
import type { LeaseLost, LostLeases } from './types.ts'

export const LOST_LEASES_PATH = 'lost_leases'
export const LEASE_LOST = 'queue_lease_lost'

export const LOST_LEASES_WIRE = {
  queue_lease_lost: 'leader of a partition -> gateway: [tag, queue, id, token]; the lease of a delivery ended unsettled',
} as const

type LeaseLostTuple = readonly [tag: string, queue: string, id: string, token: number]
type Told = Parameters<LostLeases['watch']>[0]

/** The gateway's half. */
export function createLostLeases(system: ActorSystem): LostLeases {
  const watching = new Map<string, Told>()
  const address = system.spawn(LOST_LEASES_PATH, new LostLeasesActor(watching))
  let last = 0
  return {
    watch(told) {
      const tag = `${system.incarnation}-${++last}`
      watching.set(tag, told)
      return { watcher: `${address}#${tag}`, end: () => void watching.delete(tag) }
    },
  }
}

class LostLeasesActor implements Actor {
  readonly #watching: ReadonlyMap<string, Told>

  constructor(watching: ReadonlyMap<string, Told>) {
    this.#watching = watching
  }

  receive({ msgType, payload }: Envelope): void {
    if (msgType !== LEASE_LOST || !Array.isArray(payload)) return
    const [tag, queue, id, token] = payload as unknown as LeaseLostTuple
    this.#watching.get(tag)?.({ queue, id, token })
  }
}

/** The node's half: sends what machines of partitions saw to whom it is for. */
export function routeLostLeases(host: Pick<GroupHost, 'onEvent'>, send: (to: ActorId, msgType: string, payload: Plain) => void): void {
  host.onEvent((group, event) => {
    if (group < FIRST_PARTITION || !isLeaseLost(event)) return
    const { watcher, queue, id, token } = event
    const at = watcher.lastIndexOf('#')
    if (at > 0) send(watcher.slice(0, at), LEASE_LOST, [watcher.slice(at + 1), queue, id, token])
  })
}

function isLeaseLost(event: Plain): event is Plain & LeaseLost {
  return typeof event === 'object' && event !== null && 'type' in event && event.type === 'lease_lost'
}
