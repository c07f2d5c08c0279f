/** Entries in an order, linked through themselves: at the end are the latest. Which links is for who extends it. */
import { assert } from '../../base/assert.ts'
import type { Entry } from './entry.ts'

abstract class List {
  first: Entry | null = null
  last: Entry | null = null
  size = 0

  protected abstract before(entry: Entry): Entry | null
  protected abstract after(entry: Entry): Entry | null
  protected abstract setBefore(entry: Entry, other: Entry | null): void
  protected abstract setAfter(entry: Entry, other: Entry | null): void

  push(entry: Entry): void {
    const { last } = this
    this.setBefore(entry, last)
    this.setAfter(entry, null)
    if (last === null) this.first = entry
    else this.setAfter(last, entry)
    this.last = entry
    this.size += 1
  }

  remove(entry: Entry): void {
    const [before, after] = [this.before(entry), this.after(entry)]
    if (before === null) this.first = after
    else this.setAfter(before, after)
    if (after === null) this.last = before
    else this.setBefore(after, before)
    this.setBefore(entry, null)
    this.setAfter(entry, null)
    this.size -= 1
  }

  toLast(entry: Entry): void {
    if (this.last === entry) return
    this.remove(entry)
    this.push(entry)
  }

  /** The next entry may be removed meanwhile, not the one after. */
  *[Symbol.iterator](): Generator<Entry> {
    for (let entry = this.first; entry !== null;) {
      const after = this.after(entry)
      yield entry
      entry = after
    }
  }

  check(): void {
    let [size, before] = [0, null as Entry | null]
    for (let entry = this.first; entry !== null; entry = this.after(entry)) {
      assert(this.before(entry) === before, 'a list is not linked both ways')
      before = entry
      size += 1
    }
    assert(size === this.size && this.last === before, 'a list has another length')
  }
}

/** In the order of use, of a policy. */
export class UseList extends List {
  protected before(entry: Entry): Entry | null {
    return entry.before
  }
  protected after(entry: Entry): Entry | null {
    return entry.after
  }
  protected setBefore(entry: Entry, other: Entry | null): void {
    entry.before = other
  }
  protected setAfter(entry: Entry, other: Entry | null): void {
    entry.after = other
  }
}

/** In the order of their changes. */
export class AgeList extends List {
  /** Where a sweep is: it goes on from here. Only what makes it faster; what it finds does not depend on it. */
  mark: Entry | null = null

  override remove(entry: Entry): void {
    if (this.mark === entry) this.mark = entry.older
    super.remove(entry)
  }

  /** What changed after this place, the oldest first. The entry that is looked at may be removed meanwhile. */
  *since(at: number): Generator<Entry> {
    let entry = this.mark !== null && this.mark.at <= at ? this.mark : this.first
    while (entry !== null && entry.at <= at) entry = entry.newer
    while (entry !== null) {
      const { newer } = entry as Entry
      yield entry
      entry = newer
    }
  }

  protected before(entry: Entry): Entry | null {
    return entry.older
  }
  protected after(entry: Entry): Entry | null {
    return entry.newer
  }
  protected setBefore(entry: Entry, other: Entry | null): void {
    entry.older = other
  }
  protected setAfter(entry: Entry, other: Entry | null): void {
    entry.newer = other
  }
}
