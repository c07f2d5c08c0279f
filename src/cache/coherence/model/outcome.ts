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

/** Times that a world may have. */
const TIMES_MAX = 64

/** What was computed before, by the part, the time and the event, whose name tells all else that it depends on. */
export class Outcomes {
  private readonly byPlace = new Map<number, Map<string, Outcome | null>>()

  of(part: number, now: number, isHome: boolean): Map<string, Outcome | null> {
    const place = (part * TIMES_MAX + now) * 2 + (isHome ? 1 : 0)
    let known = this.byPlace.get(place)
    if (known === undefined) this.byPlace.set(place, (known = new Map()))
    return known
  }
}
