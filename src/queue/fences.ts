/** The highest fencing token that was seen of each resource. It never sinks. */
import type { Changes } from '../base/changes.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import { Stored } from './stored.ts'
import { FENCE } from './kinds.ts'
import { type Fence, QUEUE_LIMITS } from './types.ts'

export class FloorOfFence extends Stored {
  readonly kind = FENCE
  readonly resource: string
  token: number

  constructor(resource: string, token: number) {
    super()
    this.resource = resource
    this.token = token
  }
}

export class Fences {
  readonly #changes: Changes<Stored>
  readonly floors = new Map<string, FloorOfFence>()

  constructor(changes: Changes<Stored>) {
    this.#changes = changes
  }

  /** Why this token may not pass; null: it may. `highest`: of this resource, where a transaction has raised it. */
  refuses({ resource, token }: Fence, highest = this.floors.get(resource)?.token ?? 0): Refused | null {
    if (token < highest) return refuse('FENCED', `${resource} has seen a higher token`, { resource, highest })
    if (this.floors.size >= QUEUE_LIMITS.fencesMax && !this.floors.has(resource)) return refuse('QUOTA', 'too many resources are fenced')
    return null
  }

  /** After it was let pass. */
  raise({ resource, token }: Fence): void {
    const floor = this.floors.get(resource)
    if (floor === undefined) this.link(new FloorOfFence(resource, token))
    else if (floor.token < token) floor.token = token
    else return
    this.#changes.touched(this.floors.get(resource) as FloorOfFence)
  }

  link(floor: FloorOfFence): void {
    this.floors.set(floor.resource, floor)
  }
}
