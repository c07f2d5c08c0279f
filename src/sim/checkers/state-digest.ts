/**
 * Equal applied index, equal state (state machine safety, seen from the machine's side): whatever the machine tells of
 * itself at an index is the same on every replica, in every life, after a snapshot too.
 */
import { LOCKS_GROUP, type LogIndex, type NodeId } from '../../base/ids.ts'
import { hashText } from '../dice.ts'
import { type Checker, violated } from './checker.ts'
import type { LockViews } from './lock-views.ts'

export function stateDigest(views: LockViews): Checker {
  const states = new Map<LogIndex, { readonly digest: number; readonly node: NodeId; readonly text: string }>()
  return {
    seen(seen) {
      const state = views.read(seen)
      if (!state) return
      const digest = hashText(state.text)
      const known = states.get(state.index)
      if (!known) states.set(state.index, { digest, node: seen.node, text: state.text })
      else if (known.digest !== digest) {
        const both = `${known.node}: ${known.text}\n${seen.node}: ${state.text}`
        violated('state at equal index', LOCKS_GROUP, `${seen.node} and ${known.node} differ at ${state.index}\n${both}`)
      }
    },
  }
}
