/**
 * The ready messages of a lane that nothing is to be said about, in order: runs of consecutive numbers that are alike.
 *
 *   first run, open ── page ── page ── … ── page ── last run, open        shift takes from the first, append adds to the last
 *
 * A backlog without groups is one run, however deep. An entry of a page is (gap to the end of the run before, count, traits),
 * some three bytes. Invariants: runs rise and do not touch unless their traits differ; pages are there only between two open
 * runs; nothing is taken out of the middle.
 */
import { assert } from '../base/assert.ts'
import type { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { Chunk, ChunkReader } from './chunk.ts'
import { RUNS } from './kinds.ts'

export class Runs {
  readonly #changes: Changes<Stored>
  readonly #queue: number
  readonly #lane: number
  /** How many messages. */
  size = 0
  /** The open run in front; count 0: there is nothing at all. */
  first = 0
  count = 0
  traits = 0
  /** The open run at the end; count 0: the one in front is the only one. */
  lastFirst = 0
  lastCount = 0
  lastTraits = 0
  chunks: Chunk[] = []
  /** Where reading goes on: place in the first page, and the end of the run that was read last. */
  readAt = 0
  readEnd = 0
  /** The end of the run that was written last. */
  writtenEnd = 0
  lastChunk = 0
  /** Of the first page, where there is one. */
  firstChunk = 0

  constructor(changes: Changes<Stored>, queue: number, lane: number) {
    this.#changes = changes
    this.#queue = queue
    this.#lane = lane
  }

  append(seq: number, traits: number): void {
    this.size += 1
    if (this.count === 0) {
      this.first = seq
      this.count = 1
      this.traits = traits
    } else if (this.lastCount === 0) {
      if (this.first + this.count === seq && this.traits === traits) this.count += 1
      else this.#open(seq, traits)
    } else if (this.lastFirst + this.lastCount === seq && this.lastTraits === traits) this.lastCount += 1
    else {
      this.#seal()
      this.#open(seq, traits)
    }
  }

  /** Takes the first message out; `first` and `traits` say before which one it is. */
  shift(): void {
    assert(this.count > 0, 'nothing is left of a lane')
    this.size -= 1
    this.first += 1
    this.count -= 1
    if (this.count === 0) this.#advance()
  }

  /** Every run: first, count. */
  *[Symbol.iterator](): Generator<readonly [first: number, count: number]> {
    yield* this.open()
    for (const chunk of this.chunks) yield* this.inPage(chunk)
  }

  /** The open runs. */
  *open(): Generator<readonly [first: number, count: number]> {
    if (this.count > 0) yield [this.first, this.count]
    if (this.lastCount > 0) yield [this.lastFirst, this.lastCount]
  }

  /** The runs of a page that were not read yet. */
  *inPage(chunk: Chunk): Generator<readonly [first: number, count: number]> {
    const isFirst = chunk.number === this.firstChunk
    const reader = new ChunkReader(chunk, isFirst ? this.readAt : 0)
    let end = isFirst ? this.readEnd : chunk.base
    while (!reader.isAtEnd) {
      const first = end + reader.next()
      const count = reader.next()
      reader.next()
      yield [first, count]
      end = first + count
    }
  }

  /** Forgets everything, pages too. */
  clear(): void {
    for (const chunk of this.chunks) this.#changes.removed(chunk)
    this.chunks = []
    this.size = this.count = this.lastCount = 0
  }

  #open(seq: number, traits: number): void {
    this.lastFirst = seq
    this.lastCount = 1
    this.lastTraits = traits
  }

  /** Writes the run at the end down: another one begins. */
  #seal(): void {
    let chunk = this.chunks.at(-1)
    if (chunk === undefined || chunk.isFull) {
      const base = chunk === undefined ? this.first + this.count : this.writtenEnd
      chunk = new Chunk(RUNS, this.#queue, this.#lane, ++this.lastChunk, base, 0)
      if (this.chunks.length === 0) {
        this.firstChunk = chunk.number
        this.readAt = 0
        this.readEnd = base
      }
      this.chunks.push(chunk)
      this.writtenEnd = base
    }
    chunk.push(this.lastFirst - this.writtenEnd)
    chunk.push(this.lastCount)
    chunk.push(this.lastTraits)
    this.writtenEnd = this.lastFirst + this.lastCount
    this.#changes.touched(chunk)
  }

  /** The run in front is used up: the next one is read. */
  #advance(): void {
    const chunk = this.chunks[0]
    if (chunk === undefined) {
      this.first = this.lastFirst
      this.count = this.lastCount
      this.traits = this.lastTraits
      this.lastCount = 0
      return
    }
    const reader = new ChunkReader(chunk, this.readAt)
    this.first = this.readEnd + reader.next()
    this.count = reader.next()
    this.traits = reader.next()
    this.readAt = reader.at
    this.readEnd = this.first + this.count
    if (!reader.isAtEnd) return
    this.chunks.shift()
    this.#changes.removed(chunk)
    this.readAt = 0
    const next = this.chunks[0]
    if (next === undefined) return
    this.firstChunk = next.number
    this.readEnd = next.base
  }
}
