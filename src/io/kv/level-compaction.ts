/**
 * Gives the disk back what LevelDB keeps of deleted records. Its own `compactRange` moves everything of a range down to the
 * deepest level that has any of it, and rewrites nothing that is there already. What was written and deleted within one write
 * buffer, though, goes to that level as one table, with its bodies and its deletions: a drained backlog of 16 MiB, for ever.
 *
 *   compactRange ──> what is live is measured, piece by piece ──a quarter of a piece is dead──> pushed through: marks at both
 *                     ends of the piece, compactRange: the table of the marks meets every table below it, down to the last
 *
 * A mark writes what is there already, or deletes what is not. Invariants:
 *  1. Nothing that can be read changes.
 *  2. Room: of one piece, PIECE_BYTES of live records and their neighbours in the same tables, are there twice at once.
 *  3. A snapshot is held over the marks alone, so none of them is dropped on the way down; no reader of ours is open meanwhile.
 */
import type { ClassicLevel } from 'classic-level'
import type { KvOp } from './kv.ts'

type Database = ClassicLevel<Uint8Array, Uint8Array>

/** Live bytes of a piece. */
const PIECE_BYTES = 8 * 1024 * 1024
const PAGE_RECORDS = 1_000
const PAGE_BYTES = 256 * 1024
/** What is worth its rewriting. */
const DEAD_SHARE = 4
const DEAD_BYTES = 64 * 1024
/** The engine tells sizes by the block: so much at both ends of a piece says nothing. */
const BLUR_BYTES = 1024 * 1024

interface Piece {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly liveBytes: number
  /** Nothing is behind it. */
  readonly last: boolean
}

export interface LevelWrites {
  /** Writes, behind what was asked before and ahead of what comes after, what `ops` says by then. */
  write(ops: () => Promise<readonly KvOp[]>): Promise<void>
}

export class LevelCompaction {
  readonly #db: Database
  readonly #writes: LevelWrites

  constructor(db: Database, writes: LevelWrites) {
    this.#db = db
    this.#writes = writes
  }

  /** False: something is in the way, a reader that still sees what was deleted, or it was not `wanted` to the end. */
  async run(from: Uint8Array, to: Uint8Array, wanted: () => boolean): Promise<boolean> {
    await this.#down(from, to)
    let whole = true
    for (let at = from, more = true; more;) {
      if (!wanted()) return false
      const piece = await this.#measure(at, to)
      if (await this.#mostlyDead(piece)) {
        await this.#pushThrough(piece)
        // Measured again: others write meanwhile.
        whole = (await this.#dead(await this.#measure(at, piece.to))) <= BLUR_BYTES && whole
      }
      at = piece.to
      more = !piece.last
    }
    return whole
  }

  /** The engine keeps an error of its compaction for the next write: so that is made. */
  async #down(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.#db.compactRange(from, to)
    await this.#mark([from])
  }

  async #pushThrough({ from, to }: Piece): Promise<void> {
    const snapshot = this.#db.snapshot()
    try {
      await this.#mark([from, to])
      await this.#down(from, to)
    } finally {
      await snapshot.close()
    }
  }

  #mark(keys: readonly Uint8Array[]): Promise<void> {
    return this.#writes.write(async () => {
      const values = await this.#db.getMany([...keys])
      return keys.map((key, i) => ({ key, value: values[i] ?? null }))
    })
  }

  async #measure(from: Uint8Array, to: Uint8Array): Promise<Piece> {
    const iterator = this.#db.iterator({ gte: from, lt: to, fillCache: false, highWaterMarkBytes: PAGE_BYTES })
    try {
      let liveBytes = 0
      for (;;) {
        const page = await iterator.nextv(PAGE_RECORDS)
        for (const [key, value] of page) {
          if (liveBytes >= PIECE_BYTES) return { from, to: key, liveBytes, last: false }
          liveBytes += key.length + value.length
        }
        if (page.length === 0) return { from, to, liveBytes, last: true }
      }
    } finally {
      await iterator.close()
    }
  }

  async #mostlyDead(piece: Piece): Promise<boolean> {
    const dead = await this.#dead(piece)
    return dead > DEAD_BYTES && dead * DEAD_SHARE > dead + piece.liveBytes
  }

  /** In tables; what is compressed well may hide some. */
  async #dead({ from, to, liveBytes }: Piece): Promise<number> {
    return (await this.#db.approximateSize(from, to)) - liveBytes
  }
}
