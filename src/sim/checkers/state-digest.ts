/**
 * Equal applied index, equal state (state machine safety, seen from the machine's side): whatever the machine tells of
 * itself at an index is the same on every replica, in every life, after a snapshot too.
 */
import type { LogIndex, NodeId } from '../../base/ids.ts'
import { hashText } from '../dice.ts'
import { type Checker, type Seen, violated } from './checker.ts'

/** What a machine tells of itself. */
export interface StateViews {
  /** The state at the applied index of a replica of this machine, where that has moved; null otherwise. */
  read(seen: Seen): { readonly index: LogIndex; readonly text: string } | null
}

export function stateDigest(views: StateViews): Checker {
  const states = new Map<string, { readonly digest: number; readonly node: NodeId; readonly text: string }>()
  return {
    seen(seen) {
      const state = views.read(seen)
      if (!state) return
      const digest = hashText(state.text)
      const key = `${seen.group}/${state.index}`
      const known = states.get(key)
      if (!known) states.set(key, { digest, node: seen.node, text: state.text })
      else if (known.digest !== digest) {
        const both = `${known.node}: ${known.text}\n${seen.node}: ${state.text}`
        violated('state at equal index', seen.group, `${seen.node} and ${known.node} differ at ${state.index}\n${both}`)
      }
    },
  }
}
