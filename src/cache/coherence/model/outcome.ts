/** What comes of an event. */
import type { World } from './row.ts'

/** Takes each state that may follow, with the name of what happens. A broken promise is told as `violation`. */
export type Visit = (next: World, event: string, violation: string | null) => void

/** What an event makes of a part. */
export interface Outcome {
  readonly part: number
  readonly packets: readonly number[]
  readonly answered: readonly (readonly [ticket: number, version: number])[]
  readonly lost: number
}
