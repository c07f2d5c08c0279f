/** A disk that keeps what it promised loses no replica: damage that is found on one is the node's own doing. */
import type { SimCluster } from '../cluster.ts'
import { type Checker, violated } from './checker.ts'

export function soundDisks(cluster: SimCluster): Checker {
  return {
    seen({ node: id, group }) {
      const node = cluster.node(id)
      if (node?.sound !== true) return
      const damaged = node.running?.node.host.damaged ?? []
      if (damaged.length > 0)
        violated('sound disks', damaged[0]?.group ?? group, `${id} found its replica damaged, and nothing was done to its disk`)
    },
  }
}
