/**
 * Which lane is next. Urgency = priority of the head + whole minutes that it has waited, at most 9; among the most urgent
 * the lanes take turns: the one goes that was served, or became ready, longest ago.
 *
 *   pick: ripen ──▶ the highest urgency that has a lane ──▶ its least turn
 *
 * Waiting counts from when a message could have been delivered: without a group since it is visible, in a group since it is
 * the head of it and nothing holds it. So a group with a long backlog gains nothing by it over its neighbours; and as no
 * message is more urgent than a 9, an old backlog shares with new 9s by turns, and shuts nobody out.
 *
 * All but `turn` and `since` of a lane is derived, and is right only as of the last look: time alone makes lanes more urgent.
 */
import type { Millis } from '../base/ids.ts'
import { Heap } from './heap.ts'
import { HEAD, type Lane, OLDEST, RIPENING, TURN } from './lane.ts'
import { QUEUE_LIMITS } from './types.ts'

export const AGING_MS = 60_000
const URGENCY_MAX = QUEUE_LIMITS.priorityMax

export class Schedule {
  /** Lanes with runs. */
  readonly oldest = new Heap<Lane>(OLDEST)
  readonly #byUrgency: (Heap<Lane> | null)[] = Array.from({ length: URGENCY_MAX + 1 }, () => null)
  readonly #ripening = new Heap<Lane>(RIPENING)
  /** Lanes whose head can be delivered. */
  readonly heads = new Heap<Lane>(HEAD)

  /** The lane has, or may have, another head, which waits since `since`. */
  place(lane: Lane, priority: number, since: Millis, now: Millis): void {
    const steps = now > since ? Math.floor((now - since) / AGING_MS) : 0
    const urgency = Math.min(URGENCY_MAX, priority + steps)
    lane.ripensAt = urgency === URGENCY_MAX ? Infinity : since + (urgency - priority + 1) * AGING_MS
    if (lane.urgency !== urgency) {
      if (lane.urgency >= 0) this.#heap(lane.urgency).remove(lane)
      else this.heads.add(lane)
      lane.urgency = urgency
      this.#heap(urgency).add(lane)
    }
    this.heads.moved(lane)
    const ripens = lane.ripensAt < Infinity
    if (this.#ripening.has(lane)) {
      if (ripens) this.#ripening.moved(lane)
      else this.#ripening.remove(lane)
    } else if (ripens) this.#ripening.add(lane)
  }

  /** Nothing of the lane can be delivered now. */
  withdraw(lane: Lane): void {
    if (lane.urgency < 0) return
    this.#heap(lane.urgency).remove(lane)
    if (this.#ripening.has(lane)) this.#ripening.remove(lane)
    lane.urgency = -1
    this.heads.remove(lane)
  }

  pick(now: Millis): Lane | null {
    if (this.heads.size === 0) return null
    this.#ripen(now)
    for (let urgency = URGENCY_MAX; urgency >= 0; urgency--) {
      const lane = this.#byUrgency[urgency]?.first() ?? null
      if (lane !== null) return lane
    }
    return null
  }

  check(): void {
    this.oldest.check()
    this.heads.check()
    this.#ripening.check()
    for (const heap of this.#byUrgency) heap?.check()
  }

  #ripen(now: Millis): void {
    for (let lane = this.#ripening.first(); lane !== null && lane.ripensAt <= now; lane = this.#ripening.first()) {
      const steps = Math.floor((now - lane.ripensAt) / AGING_MS) + 1
      const urgency = Math.min(URGENCY_MAX, lane.urgency + steps)
      this.#heap(lane.urgency).remove(lane)
      lane.urgency = urgency
      this.#heap(urgency).add(lane)
      if (urgency === URGENCY_MAX) {
        this.#ripening.remove(lane)
        lane.ripensAt = Infinity
      } else lane.ripensAt += steps * AGING_MS
    }
  }

  #heap(urgency: number): Heap<Lane> {
    const heap = this.#byUrgency[urgency] ?? new Heap<Lane>(TURN)
    this.#byUrgency[urgency] = heap
    return heap
  }
}
