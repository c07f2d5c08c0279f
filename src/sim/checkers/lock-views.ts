/** The lock machine as its own queries show it at an applied index: what the checkers of locks compare. */
import { LOCKS_GROUP, type LogIndex, type Millis } from '../../base/ids.ts'
import type { Plain } from '../../actors/envelope.ts'
import type { LockStatus } from '../../lock/types.ts'
import type { Seen } from './checker.ts'

export interface LockState {
  readonly index: LogIndex
  readonly time: Millis
  readonly locks: readonly LockStatus[]
  readonly text: string
}

export class LockViews {
  readonly #namespace: string
  readonly #names: readonly string[]
  #last: { readonly seen: Seen; readonly state: LockState | null } | null = null

  constructor(namespace: string, names: readonly string[]) {
    this.#namespace = namespace
    this.#names = names
  }

  /** The state of a replica of the locks whose applied index has moved; null otherwise. */
  read(seen: Seen): LockState | null {
    if (this.#last?.seen === seen) return this.#last.state
    const state = this.#look(seen)
    this.#last = { seen, state }
    return state
  }

  #look({ group, status, before, machine }: Seen): LockState | null {
    if (group !== LOCKS_GROUP || !machine || !status.serving || before?.applied === status.applied) return null
    const { applied: index, appliedTime: time } = status
    const ask = (request: Plain): Plain => machine.query(request, time)
    const locks = this.#names.map((name) => ask({ type: 'lock_status', namespace: this.#namespace, name }) as unknown as LockStatus)
    return { index, time, locks, text: JSON.stringify([time, locks, ask({ type: 'lock_stats' })]) }
  }
}
