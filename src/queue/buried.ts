/** What is left of a record that was loaded after its message was purged: its key, to delete it by. */
import { LANE, NOTE, RUNS } from './kinds.ts'
import { Stored } from './stored.ts'

export class BuriedNote extends Stored {
  readonly kind = NOTE
  readonly queue: number
  readonly seq: number

  constructor(queue: number, seq: number) {
    super()
    this.queue = queue
    this.seq = seq
    this.stored = true
  }
}

export class BuriedRuns extends Stored {
  readonly kind = RUNS
  readonly queue: number
  readonly lane: number
  readonly number: number

  constructor(queue: number, lane: number, number: number) {
    super()
    this.queue = queue
    this.lane = lane
    this.number = number
    this.stored = true
  }
}

export class BuriedLane extends Stored {
  readonly kind = LANE
  readonly queue: number
  readonly number: number
  readonly runs: { readonly chunks: BuriedRuns[] } = { chunks: [] }

  constructor(queue: number, number: number) {
    super()
    this.queue = queue
    this.number = number
    this.stored = true
  }
}
