/**
 * Which records changed since the last drain. A record created and removed between two drains leaves no trace and
 * costs no write.
 *
 *   clean ──touched──▶ dirty ──drained──▶ clean, stored
 *   dirty, never stored ──removed──▶ forgotten          stored ──removed──▶ dirty, gone ──drained──▶ forgotten
 *
 * Invariant: list[record.dirtyAt] === record for exactly the dirty records.
 */

export interface Tracked {
  /** Place in the list of changes, -1 when clean; owned by `Changes`. */
  dirtyAt: number
  /** Whether the store holds an older version. */
  stored: boolean
}

export class Changes<T extends Tracked> {
  #list: T[] = []
  #gone: T[] = []

  /** How many records a drain would write. */
  get size(): number {
    return this.#list.length + this.#gone.length
  }

  touched(record: T): void {
    if (record.dirtyAt >= 0) return
    record.dirtyAt = this.#list.length
    this.#list.push(record)
  }

  removed(record: T): void {
    if (record.dirtyAt >= 0) this.#unlist(record)
    if (record.stored) this.#gone.push(record)
  }

  /** Hands over every change and forgets it. What is gone comes first: its key may have been given anew. */
  drain(write: (record: T, gone: boolean) => void): void {
    const list = this.#list
    const gone = this.#gone
    this.#list = []
    this.#gone = []
    for (const record of gone) write(record, true)
    for (const record of list) {
      record.dirtyAt = -1
      record.stored = true
      write(record, false)
    }
  }

  #unlist(record: T): void {
    const last = this.#list.pop() as T
    if (last !== record) {
      this.#list[record.dirtyAt] = last
      last.dirtyAt = record.dirtyAt
    }
    record.dirtyAt = -1
  }
}
