/**
 * Room on the disk for the opening of a store. An engine that found the disk full has to be opened again, which takes room before
 * it gives any: a table of what is in its log, a manifest. Only then does it remove what the failed compaction left behind, which
 * may be all that fills the disk. So a file is kept that can go.
 *
 *   open ──no space──> give ──> open ──> take, now or once there is room
 */
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'

/** Taken only where so many times as much is free. */
const FREE_TIMES = 3
const BLOCK = new Uint8Array(256 * 1024)

export interface Room {
  /** False: there was none left to give. */
  give(): Promise<boolean>
  /** Nothing where it is there already, or room is too scarce. */
  take(): Promise<void>
}

export const NO_ROOM: Room = { give: async () => false, take: async () => {} }

export class Reserve implements Room {
  readonly #path: string
  readonly #bytes: number
  readonly #freeBytes: () => Promise<number>
  #there = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(path: string, bytes: number, freeBytes: () => Promise<number>) {
    this.#path = path
    this.#bytes = bytes
    this.#freeBytes = freeBytes
  }

  get there(): boolean {
    return this.#there
  }

  give(): Promise<boolean> {
    return this.#inOrder(async () => {
      this.#there = false
      return (await this.#size()) > 0 && this.#remove()
    })
  }

  take(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#there) return
      const missing = this.#bytes - (await this.#size())
      this.#there = missing <= 0 || ((await this.#freeBytes()) >= FREE_TIMES * missing && (await this.#write()))
    })
  }

  #inOrder<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #size(): Promise<number> {
    return (await stat(this.#path).catch(() => null))?.size ?? 0
  }

  async #remove(): Promise<boolean> {
    return unlink(this.#path).then(
      () => true,
      () => false,
    )
  }

  /** What cannot be written whole helps nobody, and takes the room of others. */
  async #write(): Promise<boolean> {
    let file: FileHandle | null = null
    try {
      file = await open(this.#path, 'w')
      for (let at = 0; at < this.#bytes; at += BLOCK.length) await file.writeFile(BLOCK.subarray(0, this.#bytes - at))
      await file.sync()
      return true
    } catch {
      await this.#remove()
      return false
    } finally {
      await file?.close()
    }
  }
}
