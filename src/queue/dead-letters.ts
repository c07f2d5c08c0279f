/** The dead messages of a queue, oldest first, all together and by their reason. */
import { Heap } from './heap.ts'
import { AGED, type Note, PLACED } from './note.ts'

export class DeadLetters {
  readonly #all = new Heap<Note>(PLACED)
  readonly #byReason = new Map<string, Heap<Note>>()

  get size(): number {
    return this.#all.size
  }

  add(note: Note): void {
    this.#all.add(note)
    const heap = this.#byReason.get(note.reason) ?? new Heap<Note>(AGED)
    this.#byReason.set(note.reason, heap)
    heap.add(note)
  }

  remove(note: Note): void {
    this.#all.remove(note)
    const heap = this.#byReason.get(note.reason)
    heap?.remove(note)
    if (heap?.size === 0) this.#byReason.delete(note.reason)
  }

  /** The oldest; `reason` '': whatever the reason. */
  first(reason: string): Note | null {
    return (reason === '' ? this.#all.first() : this.#byReason.get(reason)?.first()) ?? null
  }
}
