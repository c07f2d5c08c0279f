/**
 * A replica never outlives its disk: its number stands for the votes and entries on one disk, so it is never met on another
 * (pitfall 24). An emptied disk comes back as another member or not at all; and a replica that rot took is made anew under
 * another number.
 */
import type { ReplicaId } from '../../base/ids.ts'
import { type Checker, violated } from './checker.ts'

export function diskIdentity(): Checker {
  const homes = new Map<string, string>()
  const keyOf = (group: number, replica: ReplicaId): string => `${group}/${replica}`
  return {
    seen({ node, disk, group, replica }) {
      const home = `disk ${disk} of ${node}`
      const known = homes.get(keyOf(group, replica))
      if (known === undefined) homes.set(keyOf(group, replica), home)
      else if (known !== home) violated('disk identity', group, `replica ${replica} of ${known} is on ${home}`)
    },
    begunAgain: (node, group, replica) =>
      violated('disk identity', group, `${node} lost replica ${replica}, and begins it again from nothing`),
  }
}
