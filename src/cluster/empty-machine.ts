/**
 * A state machine without a state: what groups run whose primitive is not served. Commands are answered with 0; the
 * group elects, replicates, and survives like any other.
 */
import type { StateMachine } from '../raft/machine.ts'

export function createEmptyMachine(): StateMachine {
  return {
    apply: () => 0,
    cancel: () => undefined,
    advance: () => undefined,
    nextDeadline: () => Infinity,
    query: () => null,
    dirty: 0,
    drain: () => undefined,
    load: () => undefined,
    loaded: () => undefined,
    reset: () => undefined,
    check: () => undefined,
  }
}
