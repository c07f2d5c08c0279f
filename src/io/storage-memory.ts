/**
 * A disk in memory: for tests and for clusters that keep nothing. It survives the Storage object: a `MemoryDisk` is the
 * platter, so a "restarted" node finds what it wrote.
 */
import { createMemoryKv } from './kv/memory.ts'
import type { Kv } from './kv/kv.ts'
import { DiskFullError, type File, type Storage } from './storage.ts'

/** What stays when a node goes: files by path, key-value stores by directory. */
export class MemoryDisk {
  readonly files = new Map<string, MemoryFile>()
  readonly stores = new Map<string, Kv>()
  /** What it says is free. With nothing left, no file is replaced. */
  freeBytes = 2 ** 40
}

class MemoryFile implements File {
  bytes = new Uint8Array(0)
  #length = 0

  async write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    let at = position
    for (const chunk of chunks) {
      this.#reserve(at + chunk.length)
      this.bytes.set(chunk, at)
      at += chunk.length
    }
    this.#length = Math.max(this.#length, at)
  }

  writeDurable(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.write(position, chunks)
  }

  async sync(): Promise<void> {}

  async read(position: number, length: number): Promise<Uint8Array> {
    return this.bytes.slice(position, Math.min(position + length, this.#length))
  }

  async size(): Promise<number> {
    return this.#length
  }

  async truncate(length: number): Promise<void> {
    this.#reserve(length)
    this.bytes.fill(0, Math.min(length, this.#length))
    this.#length = length
  }

  async close(): Promise<void> {}

  #reserve(length: number): void {
    if (length <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(length, this.bytes.length * 2))
    larger.set(this.bytes)
    this.bytes = larger
  }
}

export function createMemoryStorage(disk: MemoryDisk = new MemoryDisk()): Storage {
  return new MemoryStorage(disk)
}

class MemoryStorage implements Storage {
  readonly #disk: MemoryDisk

  constructor(disk: MemoryDisk) {
    this.#disk = disk
  }

  async open(path: string): Promise<File> {
    let file = this.#disk.files.get(path)
    if (!file) this.#disk.files.set(path, (file = new MemoryFile()))
    return file
  }

  async readFile(path: string): Promise<Uint8Array | null> {
    const file = this.#disk.files.get(path)
    return file ? file.read(0, await file.size()) : null
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    if (this.#disk.freeBytes === 0) throw new DiskFullError('no space left in memory')
    const file = new MemoryFile()
    await file.write(0, [bytes])
    this.#disk.files.set(path, file)
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#disk.files.get(from)
    if (!file) throw new Error(`no such file: ${from}`)
    this.#disk.files.delete(from)
    this.#disk.files.set(to, file)
  }

  async remove(path: string): Promise<void> {
    this.#disk.files.delete(path)
  }

  async list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`
    const names = [...this.#disk.files.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length))
    return names.filter((name) => !name.includes('/')).sort()
  }

  async syncDirectory(): Promise<void> {}

  async kv(directory: string): Promise<Kv> {
    let kv = this.#disk.stores.get(directory)
    if (!kv) this.#disk.stores.set(directory, (kv = createMemoryKv()))
    return kv
  }

  async setAside(directory: string): Promise<string> {
    const { stores } = this.#disk
    let count = 1
    while (stores.has(`${directory}.damaged-${count}`)) count++
    const [aside, kv] = [`${directory}.damaged-${count}`, stores.get(directory)]
    stores.delete(directory)
    if (kv) stores.set(aside, kv)
    return aside
  }

  async freeBytes(): Promise<number> {
    return this.#disk.freeBytes
  }

  async lock(): Promise<void> {}

  async close(): Promise<void> {}
}
