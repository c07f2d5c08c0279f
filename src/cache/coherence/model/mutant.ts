/** A rule of the protocol that is taken out, and a configuration of the model that has to break without it. */
import type { Rules, Settings } from './settings.ts'

export interface ReducerMutant {
  readonly name: string
  /** In `coherence/`. */
  readonly file: string
  /** What is replaced by what, there or in another file. Each occurs in its file exactly once. */
  readonly edits: readonly (readonly [find: string, replace: string, file?: string])[]
  readonly settings: Partial<Settings>
}

export interface DriverMutant {
  readonly name: string
  readonly rules: Partial<Rules>
  readonly settings: Partial<Settings>
}
