/**
 * An exclusive lock as a sequential object, for the linearizability checker.
 *
 *   free ──acquire granted──> held by token          an acquire of unknown outcome: held by an unknown token,
 *   free <──release of it──── held by token          which the first look at the lock reveals
 */
import type { Model } from './linearizability.ts'

export type LockOperation =
  | { readonly kind: 'acquire'; readonly id: number; readonly result: number | 'held' | 'unknown' }
  /** `gone`: the server said that this grant is over. */
  | { readonly kind: 'release'; readonly token: number; readonly result: 'released' | 'gone' | 'unknown' }
  /** The holder's token; 0: free. */
  | { readonly kind: 'status'; readonly token: number }

const FREE = 'free'
const heldBy = (token: number): string => `token ${token}`
const heldUnknown = (id: number): string => `acquire ${id}`
const isUnknown = (state: string): boolean => state.startsWith('acquire')

export const lockModel: Model<string, LockOperation> = {
  initial: FREE,
  step(state, operation) {
    switch (operation.kind) {
      case 'acquire':
        if (operation.result === 'held') return state === FREE ? null : state
        if (operation.result === 'unknown') return state === FREE ? heldUnknown(operation.id) : state
        return state === FREE ? heldBy(operation.result) : null
      case 'release': {
        // Whoever knows the token has it from a grant or a look, so it is bound.
        const isHolder = state === heldBy(operation.token)
        if (operation.result === 'released') return isHolder ? FREE : null
        if (operation.result === 'gone') return isHolder ? null : state
        return isHolder ? FREE : state
      }
      case 'status':
        if (operation.token === 0) return state === FREE ? FREE : null
        return state === heldBy(operation.token) || isUnknown(state) ? heldBy(operation.token) : null
    }
  },
}
