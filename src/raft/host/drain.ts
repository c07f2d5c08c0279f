/**
 * The graceful end of a host: hands over every group it leads to the best placed voter, waits until they are gone or
 * time is up, then writes all records, synced, so that the next start has next to nothing to replay.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { GroupHostOptions } from '../group-host.ts'
import { handOver, heirOf } from './heir.ts'
import type { Host } from './host.ts'

export async function drainHost(
  host: Host,
  options: GroupHostOptions,
  clock: Clock,
  timeoutMs: Millis,
  onHandedOver: () => void,
): Promise<void> {
  await handAllOver(host, options, clock, timeoutMs)
  onHandedOver()
  await new Promise<void>((resolve) => {
    const timer = clock.after(timeoutMs, resolve)
    host.shared.outgoing.ctx.enter(() => {
      host.checkpoints.flush([...host.replicas.live()], () => {
        timer.cancel()
        resolve()
      })
    })
  })
}

/** Resolves once nothing is led here that another could lead. */
function handAllOver(host: Host, options: GroupHostOptions, clock: Clock, timeoutMs: Millis): Promise<void> {
  return new Promise((resolve) => {
    let over = false
    const until = clock.now() + timeoutMs
    const look = (): void => {
      if (over) return
      const led = [...host.replicas.live()].filter((group) => group.core.role === 'leader' && heirOf(group) !== null)
      over = led.length === 0 || clock.now() >= until
      if (over) return resolve()
      for (const group of led) if (handOver(group)) host.shared.dirty(group)
      host.wake()
      clock.after(options.tickMs, () => host.shared.outgoing.ctx.enter(look))
    }
    host.shared.outgoing.ctx.enter(look)
  })
}
