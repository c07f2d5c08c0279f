/**
 * The real disk, under one root directory.
 *
 * A durable write is one trip to the thread pool: a writev on a second descriptor, opened with O_DSYNC. A write and a sync of
 * its own are two trips, which takes a tenth longer and costs half as much CPU again.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, readdir, rename, statfs, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { lockDirectory } from './directory-lock.ts'
import type { Kv } from './kv/kv.ts'
import { type KvEngine, openKv } from './kv/open.ts'
import { Reserve } from './kv/reserve.ts'
import { DiskFullError, type File, type Storage } from './storage.ts'

/** What the store may take in one go is in proportion to what is to stay free. */
const LOW_PARTS = 16
const WRITE_BUFFER_BYTES = { min: 1024 * 1024, max: 16 * 1024 * 1024 }
/** Beside the tables of two write buffers: what the last batches exceeded them by, and a manifest. */
const OPENING_BYTES = 2 * 1024 * 1024

/** `diskLowBytes`: about what the operator wants to be free. 0: a disk that is full is the operator's matter, and nothing is reserved. */
export function createFileStorage(root: string, engine: KvEngine, diskLowBytes = 0): Storage {
  return new FileStorage(root, engine, diskLowBytes)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Also makes the names of new directories durable: what is synced in a directory whose name is lost is lost with it. */
async function makeDirectory(path: string): Promise<void> {
  const first = await orDiskFull(mkdir(path, { recursive: true }))
  if (first === undefined) return
  const top = dirname(resolve(first))
  for (let above = dirname(resolve(path)); ; above = dirname(above)) {
    await syncDirectory(above)
    if (above.length <= top.length) return
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function orDiskFull<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT') throw new DiskFullError('no space left on the disk', { cause: error })
    throw error
  }
}

class OpenFile implements File {
  readonly #handle: FileHandle
  /** Of the same file: what is written through it is durable when the write returns. */
  readonly #durable: FileHandle

  constructor(handle: FileHandle, durable: FileHandle) {
    this.#handle = handle
    this.#durable = durable
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return writeAll(this.#handle, position, chunks)
  }

  writeDurable(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return writeAll(this.#durable, position, chunks)
  }

  async sync(): Promise<void> {
    await this.#handle.datasync()
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return bytes.subarray(0, filled)
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async truncate(length: number): Promise<void> {
    await orDiskFull(this.#handle.truncate(length))
  }

  async close(): Promise<void> {
    await this.#durable.close()
    await this.#handle.close()
  }
}

async function writeAll(handle: FileHandle, position: number, chunks: readonly Uint8Array[]): Promise<void> {
  let length = 0
  for (const chunk of chunks) length += chunk.length
  const { bytesWritten } = await orDiskFull(handle.writev(chunks as Uint8Array[], position))
  if (bytesWritten === length) return
  // The system wrote a part: the disk is nearly full, or a signal came; the rest is one plain buffer.
  const all = Buffer.concat(chunks as Uint8Array[])
  for (let at = bytesWritten; at < all.length;) {
    const { bytesWritten: more } = await orDiskFull(handle.write(all, at, all.length - at, position + at))
    at += more
  }
}

class FileStorage implements Storage {
  readonly #root: string
  readonly #engine: KvEngine
  readonly #diskLowBytes: number
  #reserve: Reserve | null = null
  #unlock: (() => Promise<void>) | null = null
  readonly #replacing = new Set<Promise<void>>()

  constructor(root: string, engine: KvEngine, diskLowBytes: number) {
    this.#root = root
    this.#engine = engine
    this.#diskLowBytes = diskLowBytes
  }

  async open(path: string): Promise<File> {
    const full = this.#full(path)
    await makeDirectory(dirname(full))
    const handle = await orDiskFull(open(full, constants.O_RDWR | constants.O_CREAT, 0o644))
    try {
      return new OpenFile(handle, await open(full, constants.O_WRONLY | constants.O_DSYNC))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async readFile(path: string): Promise<Uint8Array | null> {
    try {
      return await readFile(this.#full(path))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null
      throw error
    }
  }

  replace(path: string, bytes: Uint8Array): Promise<void> {
    const work = this.#replace(path, bytes).finally(() => this.#replacing.delete(work))
    this.#replacing.add(work)
    return work
  }

  async #replace(path: string, bytes: Uint8Array): Promise<void> {
    const aside = `${path}.tmp`
    const file = await this.open(aside)
    try {
      await file.truncate(0)
      await file.writeDurable(0, [bytes])
    } finally {
      await file.close()
    }
    await this.rename(aside, path)
    await this.syncDirectory(dirname(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await orDiskFull(rename(this.#full(from), this.#full(to)))
  }

  async remove(path: string): Promise<void> {
    try {
      await unlink(this.#full(path))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  async list(directory: string): Promise<readonly string[]> {
    try {
      const entries = await readdir(this.#full(directory), { withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }

  async syncDirectory(directory: string): Promise<void> {
    await makeDirectory(this.#full(directory))
    await syncDirectory(this.#full(directory))
  }

  async kv(directory: string): Promise<Kv> {
    const full = this.#full(directory)
    await makeDirectory(full)
    if (this.#diskLowBytes === 0) return openKv(this.#engine, full)
    const { min, max } = WRITE_BUFFER_BYTES
    const writeBufferBytes = Math.min(max, Math.max(min, Math.floor(this.#diskLowBytes / LOW_PARTS)))
    const room = new Reserve(`${full}.reserve`, 2 * writeBufferBytes + OPENING_BYTES, () => this.#free())
    this.#reserve = room
    return openKv(this.#engine, full, { writeBufferBytes, room })
  }

  async setAside(directory: string): Promise<string> {
    const names = new Set(await readdir(this.#root))
    let count = 1
    while (names.has(`${directory}.damaged-${count}`)) count++
    const aside = `${directory}.damaged-${count}`
    // Already done by one that did not come to the end.
    if (names.has(directory)) await rename(this.#full(directory), this.#full(aside))
    await syncDirectory(this.#root)
    return aside
  }

  async freeBytes(): Promise<number> {
    await makeDirectory(this.#root)
    // Asked for all the time, so this is where a reserve that was given comes back.
    if (this.#reserve !== null && !this.#reserve.there) await this.#reserve.take()
    return this.#free()
  }

  async #free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#root)
    return bavail * bsize
  }

  async lock(): Promise<void> {
    await makeDirectory(this.#root)
    this.#unlock = await orDiskFull(lockDirectory(this.#root))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#replacing)
    await this.#unlock?.()
    this.#unlock = null
  }

  #full(path: string): string {
    return join(this.#root, path)
  }
}
