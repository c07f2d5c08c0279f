/**
 * The lines of a partition that this node writes alone, and which of them is due first. To look at what is due costs by what is due,
 * not by what is owned.
 *
 * Whoever brings forward when a line is due, or writes it, says so (`moved`); that it is due later need not be said.
 */
import type { Millis } from '../../base/ids.ts'
import { LazyHeap } from '../../base/lazy-heap.ts'
import { type OwnedLine, dueAtOf } from './owned-lines.ts'
import type { LineId } from './protocol.ts'

class DueHeap extends LazyHeap<OwnedLine> {
  readonly #idleMs: Millis

  constructor(idleMs: Millis) {
    super()
    this.#idleMs = idleMs
  }

  override keyOf(owned: OwnedLine): Millis {
    return dueAtOf(owned, this.#idleMs)
  }

  protected override placeOf({ place }: OwnedLine): number {
    return place
  }

  protected override setPlace(owned: OwnedLine, place: number): void {
    owned.place = place
  }
}

export class OwnedByDue implements Iterable<[LineId, OwnedLine]> {
  readonly #lines = new Map<LineId, OwnedLine>()
  readonly #due: DueHeap
  /** How many of each session. */
  readonly #ofEpoch = new Map<number, number>()

  /** Of the lines' names and what they hold. */
  #bytes = 0

  /** Without use for `idleMs` a line is due. */
  constructor(idleMs: Millis) {
    this.#due = new DueHeap(idleMs)
  }

  get size(): number {
    return this.#lines.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(line: LineId): OwnedLine | undefined {
    return this.#lines.get(line)
  }

  /** In place of what was owned of the line before. */
  add(owned: OwnedLine): void {
    this.delete(owned.line)
    this.#lines.set(owned.line, owned)
    this.#due.add(owned)
    this.#weigh(owned, bytesOf(owned))
    this.#count(owned.copy.epoch, 1)
  }

  delete(line: LineId): void {
    const owned = this.#lines.get(line)
    if (owned === undefined) return
    this.#lines.delete(line)
    this.#due.remove(owned)
    this.#weigh(owned, 0)
    this.#count(owned.copy.epoch, -1)
  }

  moved(owned: OwnedLine): void {
    this.#due.moved(owned)
    this.#weigh(owned, bytesOf(owned))
  }

  /** The first one that is due by then. */
  dueBy(now: Millis): OwnedLine | null {
    return this.dueAt() <= now ? this.#due.first() : null
  }

  dueAt(): Millis {
    const first = this.#due.first()
    return first === null ? Infinity : this.#due.keyOf(first)
  }

  /** Whether some are of another session. */
  hasOthersThan(epoch: number): boolean {
    return this.size > (this.#ofEpoch.get(epoch) ?? 0)
  }

  keys(): IterableIterator<LineId> {
    return this.#lines.keys()
  }

  [Symbol.iterator](): IterableIterator<[LineId, OwnedLine]> {
    return this.#lines[Symbol.iterator]()
  }

  #weigh(owned: OwnedLine, bytes: number): void {
    this.#bytes += bytes - owned.bytes
    owned.bytes = bytes
  }

  #count(epoch: number, by: number): void {
    const count = (this.#ofEpoch.get(epoch) ?? 0) + by
    if (count === 0) this.#ofEpoch.delete(epoch)
    else this.#ofEpoch.set(epoch, count)
  }
}

function bytesOf({ line, copy: { held } }: OwnedLine): number {
  return line.length + (held.value?.length ?? 0) + held.contentType.length
}
