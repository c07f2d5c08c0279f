/**
 * A binary heap of events ordered by (time, seq): two events of one instant run in the order in which they were
 * scheduled, so the order of everything is decided by the schedule alone.
 */
export interface SimEvent {
  readonly time: number
  readonly seq: number
  readonly tag: string
  /** null: cancelled. */
  run: (() => void) | null
}

const before = (a: SimEvent, b: SimEvent): boolean => a.time < b.time || (a.time === b.time && a.seq < b.seq)

export class EventHeap {
  readonly #items: SimEvent[] = []

  get size(): number {
    return this.#items.length
  }

  peek(): SimEvent | undefined {
    return this.#items[0]
  }

  push(event: SimEvent): void {
    const items = this.#items
    let at = items.length
    items.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = items[parent] as SimEvent
      if (!before(event, above)) break
      items[at] = above
      at = parent
    }
    items[at] = event
  }

  pop(): SimEvent | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (top === undefined || last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1] as SimEvent, items[child] as SimEvent)) child++
      const below = items[child] as SimEvent
      if (!before(below, last)) break
      items[at] = below
      at = child
    }
    items[at] = last
    return top
  }
}
