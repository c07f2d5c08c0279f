/**
 * When messages were enqueued, without a number per message: a mark says from which message on it is that late. So what
 * comes in one millisecond shares a mark, and a mark takes some two bytes.
 *
 *   page ── page ── … ── last mark, open
 *
 * Marks are kept while something that is ready and has no note may need them. An entry of a page is (messages, ms) since the
 * entry before; the first entry is the page's base.
 */
import { assert } from '../base/assert.ts'
import type { Millis } from '../base/ids.ts'
import type { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { Chunk, ChunkReader } from './chunk.ts'
import { MARKS } from './kinds.ts'

/** The mark that was found last, kept by who asks for rising numbers: the next one is near. */
export interface MarkCursor {
  markFrom: number
  /** Exclusive. */
  markUntil: number
  markTime: Millis
  /** The page, and where in it the next mark stands. */
  markChunk: Chunk | null
  markAt: number
}

export class Marks {
  readonly #changes: Changes<Stored>
  readonly #queue: number
  chunks: Chunk[] = []
  /** The newest mark; 0: none yet. */
  lastSeq = 0
  lastTime: Millis = 0
  /** The mark that was written last. */
  writtenSeq = 0
  writtenTime: Millis = 0
  lastChunk = 0

  constructor(changes: Changes<Stored>, queue: number) {
    this.#changes = changes
    this.#queue = queue
  }

  /** Message `seq` is enqueued. `isNeeded`: something ready may depend on older marks. */
  add(seq: number, time: Millis, isNeeded: boolean): void {
    if (this.lastSeq > 0 && time === this.lastTime) return
    if (!isNeeded) this.#clear()
    else if (this.lastSeq > 0) this.#seal()
    this.lastSeq = seq
    this.lastTime = time
  }

  /** The marked time of a message that `dropBefore` has not given up. `newest`: the last message there is. */
  timeOf(seq: number, newest: number, cursor: MarkCursor): Millis {
    if (seq >= cursor.markFrom && seq < cursor.markUntil) return cursor.markTime
    if (seq >= this.lastSeq) {
      cursor.markFrom = this.lastSeq
      cursor.markUntil = newest + 1
      cursor.markTime = this.lastTime
      cursor.markChunk = null
    } else this.#find(seq, cursor)
    return cursor.markTime
  }

  /** No message before `seq` is asked for any more. */
  dropBefore(seq: number): void {
    let drop = 0
    while (drop < this.chunks.length && (this.chunks[drop + 1]?.base ?? this.lastSeq) <= seq) drop += 1
    if (drop === 0) return
    for (const chunk of this.chunks.splice(0, drop)) this.#changes.removed(chunk)
  }

  forget(): void {
    this.#clear()
  }

  #clear(): void {
    for (const chunk of this.chunks) this.#changes.removed(chunk)
    this.chunks = []
  }

  #seal(): void {
    let chunk = this.chunks.at(-1)
    if (chunk === undefined || chunk.isFull) {
      chunk = new Chunk(MARKS, this.#queue, 0, ++this.lastChunk, this.lastSeq, this.lastTime)
      this.chunks.push(chunk)
    } else {
      chunk.push(this.lastSeq - this.writtenSeq)
      chunk.push(this.lastTime - this.writtenTime)
    }
    this.writtenSeq = this.lastSeq
    this.writtenTime = this.lastTime
    this.#changes.touched(chunk)
  }

  #find(seq: number, cursor: MarkCursor): void {
    const nth = this.#pageOf(seq)
    const chunk = this.chunks[nth]
    assert(chunk !== undefined && chunk.base <= seq, 'the mark of a message was given up')
    const goesOn = cursor.markChunk === chunk && cursor.markFrom <= seq
    let from = goesOn ? cursor.markFrom : chunk.base
    let time = goesOn ? cursor.markTime : chunk.baseTime
    let at = goesOn ? cursor.markAt : 0
    const reader = new ChunkReader(chunk, at)
    let until = this.chunks[nth + 1]?.base ?? this.lastSeq
    while (!reader.isAtEnd) {
      const next = from + reader.next()
      if (next > seq) {
        until = next
        break
      }
      from = next
      time += reader.next()
      at = reader.at
    }
    cursor.markFrom = from
    cursor.markUntil = until
    cursor.markTime = time
    cursor.markChunk = chunk
    cursor.markAt = at
  }

  /** The last page that begins not after `seq`. */
  #pageOf(seq: number): number {
    let low = 0
    let high = this.chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.chunks[middle] as Chunk).base <= seq) low = middle
      else high = middle - 1
    }
    return low
  }
}
