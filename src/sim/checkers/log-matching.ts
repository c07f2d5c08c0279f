/** Two logs with an entry of the same index and term are equal up to it (thesis 3.5). Over the logs on the platters. */
import type { NodeId } from '../../base/ids.ts'
import { type Checker, violated } from './checker.ts'

export function logMatching(): Checker {
  const chains = new Map<string, { readonly chain: number; readonly node: NodeId }>()
  return {
    written(node, group, log, index) {
      const entry = log.entries.get(index)
      if (!entry || Number.isNaN(entry.chain)) return
      const key = `${group}/${index}/${entry.term}`
      const known = chains.get(key)
      if (!known) chains.set(key, { chain: entry.chain, node })
      else if (known.chain !== entry.chain) {
        violated('log matching', group, `entry ${index} of term ${entry.term} follows other entries on ${node} than on ${known.node}`)
      }
    },
  }
}
