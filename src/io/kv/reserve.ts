/**
 * Room on the disk for the opening of a store. An engine that found the disk full has to be opened again, which takes room before
 * it gives any: a table of what is in its log, a manifest. Only then does it remove what it needs no more. So a file is kept that
 * can go.
 *
 *   open ──no space──> give ──> open ──> take, at once or as room comes
 *
 * It does not wait until there is plenty: without it the next failure is the last, for a store that cannot be opened gives no
 * room back, and the log before it cannot let go either. It never has more than it leaves to others, so it may be a part.
 */
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'

const BLOCK = new Uint8Array(256 * 1024)

export interface Room {
  /** False: there was none left to give. */
  give(): Promise<boolean>
  /** As much as is missing, or as there is room for. */
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
      const has = await this.#size()
      const missing = this.#bytes - has
      if (missing > 0) {
        const more = Math.min(missing, Math.floor(((await this.#freeBytes()) - has) / 2))
        if (more <= 0 || !(await this.#write(more)) || more < missing) return
      }
      this.#there = true
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

  /** Behind what there is. False: others were quicker; what was written stays. */
  async #write(bytes: number): Promise<boolean> {
    let file: FileHandle | null = null
    try {
      file = await open(this.#path, 'a')
      for (let at = 0; at < bytes; at += BLOCK.length) await file.writeFile(BLOCK.subarray(0, bytes - at))
      await file.sync()
      return true
    } catch {
      return false
    } finally {
      await file?.close()
    }
  }
}
