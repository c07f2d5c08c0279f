/**
 * A line that a node may write alone is written by nobody else at that moment, and read by nobody else. And what it wrote is on
 * its way into the log in time: `flushMs` after the first of it, or after the flush before, with the clock of the node.
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import { CONTROLLER_DEFAULTS } from '../../cache/coherence/controller-port.ts'
import type { OwnedLine } from '../../cache/coherence/owned-lines.ts'
import type { LineId } from '../../cache/coherence/protocol.ts'
import { SuspendAwareClock } from '../../io/suspend-aware-clock.ts'
import type { Running, SimCluster, SimNode } from '../cluster.ts'
import { SimFailure } from '../world.ts'
import type { Checker } from './checker.ts'

const LOOK_MS: Millis = 2
/** What it slept through it deals with in its first turns; timers of a machine that was suspended are late. */
const LATE_MS: Millis = 500
const FLUSH_MS: Millis = 1.02 * CONTROLLER_DEFAULTS.flushMs + 20 * LOOK_MS

export function oneOwner(cluster: SimCluster): Checker {
  let lookedAt = 0
  const asleep = new Map<NodeId, Millis>()
  /** Since when something waits to be flushed, and no flush is under way. */
  const waiting = new WeakMap<OwnedLine, { readonly first: number; readonly since: Millis }>()

  const inTime = (node: SimNode, line: LineId, owned: OwnedLine): void => {
    const { now } = cluster.world
    if (owned.dirty === 0 || owned.flushing !== null) return void waiting.delete(owned)
    // A flush may begin and end between two looks: then the first write that waits is another.
    const first = owned.next - owned.dirty
    const known = waiting.get(owned)
    const since = known?.first === first ? known.since : now
    waiting.set(owned, { first, since })
    const slept = asleep.get(node.id) ?? -Infinity
    if (now - Math.max(since, slept + LATE_MS) > FLUSH_MS)
      throw new SimFailure(`writeback: ${node.id} has not flushed ${JSON.stringify(line)} for ${Math.round(now - since)} ms`)
  }

  return {
    after() {
      const { now } = cluster.world
      if (now - lookedAt < LOOK_MS) return
      lookedAt = now
      const { up } = cluster
      for (const node of up) {
        if (node.running) nowOf(node.running)
        if (node.life?.paused) asleep.set(node.id, now)
        for (const [partition, { controller }] of node.running?.node.coherence.copies ?? []) {
          for (const [line, owned] of controller.owner.lines) {
            inTime(node, line, owned)
            const other = mayWrite(node, partition, line) && up.find((one) => one !== node && mayRead(one, partition, line))
            if (other) throw new SimFailure(`writeback: ${node.id} writes ${JSON.stringify(line)} alone, and ${other.id} may read it`)
          }
        }
      }
    },
  }
}

/** As the caches of the node see it. */
const clocks = new WeakMap<Running, SuspendAwareClock>()

function nowOf(running: Running): Millis {
  const clock = clocks.get(running) ?? new SuspendAwareClock(running.node.system.clock)
  clocks.set(running, clock)
  return clock.now()
}

/** A node that is frozen does nothing. */
function mayWrite({ running, life }: SimNode, partition: number, line: LineId): boolean {
  const controller = running?.node.coherence.copies.get(partition)?.controller
  const owned = controller?.owner.lines.get(line)
  if (!running || !controller || !owned || owned.closing || life?.paused) return false
  return controller.isReadable({ ...owned.copy, until: Infinity }, nowOf(running))
}

/** By a copy, or as its owner. */
function mayRead(node: SimNode, partition: number, line: LineId): boolean {
  const { running, life } = node
  const copy = running?.node.coherence.store.get(line)
  const controller = running?.node.coherence.copies.get(partition)?.controller
  const isShared = running && copy && !life?.paused && controller?.isReadable(copy, nowOf(running))
  return isShared === true || mayWrite(node, partition, line)
}
