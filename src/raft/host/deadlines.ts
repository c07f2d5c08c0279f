/**
 * Deadlines of many requests with few different timeouts: a list per timeout, each in order of its deadlines, since
 * time only goes forward. Adding and removing costs a few pointers; a look costs one comparison per list. Pure.
 *
 * Timeouts are rounded up to one of eight steps per power of two, which bounds the number of lists.
 */
import type { Millis } from '../../base/ids.ts'

/** What is in a list; the links are the list's. */
export interface Expiring {
  deadline: Millis
  list: DeadlineList | null
  previous: Expiring | null
  next: Expiring | null
}

class DeadlineList {
  head: Expiring | null = null
  tail: Expiring | null = null
}

export type { DeadlineList }

export class Deadlines<T extends Expiring> {
  readonly #lists = new Map<Millis, DeadlineList>()

  add(item: T, now: Millis, timeoutMs: Millis): void {
    const rounded = roundUp(timeoutMs)
    let list = this.#lists.get(rounded)
    if (list === undefined) this.#lists.set(rounded, (list = new DeadlineList()))
    item.deadline = now + rounded
    item.list = list
    item.previous = list.tail
    item.next = null
    if (list.tail === null) list.head = item
    else list.tail.next = item
    list.tail = item
  }

  remove(item: T): void {
    const { list, previous, next } = item
    if (list === null) return
    if (previous === null) list.head = next
    else previous.next = next
    if (next === null) list.tail = previous
    else next.previous = previous
    item.list = item.previous = item.next = null
  }

  /** Takes out the next that is due, or gives null. */
  take(now: Millis): T | null {
    for (const { head } of this.#lists.values()) {
      if (head === null || head.deadline > now) continue
      this.remove(head as T)
      return head as T
    }
    return null
  }
}

export function roundUp(timeoutMs: Millis): Millis {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, timeoutMs))) - 3)
  return Math.ceil(timeoutMs / step) * step
}
