/**
 * Storage over a simulated disk, for one life of a node. Every operation is one event: nothing happens until its latency
 * has passed, and it never completes once the life has ended (the disk then decides what is left of it).
 */
import { assert } from '../base/assert.ts'
import type { Kv } from '../io/kv/kv.ts'
import { DiskFullError, type File, type Storage } from '../io/storage.ts'
import type { PendingWrite, SimDisk } from './disk.ts'
import { SimKv, notice } from './disk-kv.ts'
import { Inode } from './inode.ts'
import type { NodeLife } from './life.ts'

const FREE_BYTES = 2 ** 36
/** What a dead process waits for. */
const NEVER = new Promise<never>(() => {})

/** The error of the operating system, with its code. */
export class SimIoError extends Error {
  override readonly name = 'SimIoError'
  readonly code = 'EIO'
}

/** The one way to the disk: `work` runs after the latency, if the life still lives. */
export class DiskQueue {
  readonly disk: SimDisk
  readonly life: NodeLife
  readonly #tag: string

  constructor(disk: SimDisk, life: NodeLife) {
    this.disk = disk
    this.life = life
    this.#tag = `disk ${life.node}`
  }

  run<T>(work: () => T, delayMs = this.disk.latency()): Promise<T> {
    return new Promise((resolve, reject) => {
      this.disk.world.at(delayMs, this.#tag, () =>
        this.life.run(() => {
          try {
            resolve(work())
          } catch (error) {
            reject(error as Error)
          }
        }),
      )
    })
  }
}

class SimFile implements File {
  readonly #queue: DiskQueue
  readonly #inode: Inode

  constructor(queue: DiskQueue, inode: Inode) {
    this.#queue = queue
    this.#inode = inode
  }

  write(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#write(position, chunks, ({ bytes }) => this.#inode.write(position, bytes))
  }

  writeDurable(position: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#write(position, chunks, ({ bytes }) => {
      const { disk } = this.#queue
      this.#failSync(() => this.#inode.write(position, bytes))
      this.#inode.writeDurable(position, bytes)
      disk.onDurable(this.#inode.path, position, bytes.length, this.#inode.platter())
    })
  }

  #write(position: number, chunks: readonly Uint8Array[], land: (write: PendingWrite) => void): Promise<void> {
    const { disk } = this.#queue
    const write = { inode: this.#inode, position, bytes: Buffer.concat(chunks) }
    // A disk that is full now refuses now; nothing of the write may turn up later.
    if (!this.#queue.life.alive) return NEVER
    const refused = disk.full && position + write.bytes.length > this.#inode.size
    if (!refused) disk.pendingWrites.add(write)
    return this.#queue.run(() => {
      if (refused) throw new DiskFullError('ENOSPC: no space left on device')
      disk.pendingWrites.delete(write)
      land(write)
    })
  }

  sync(): Promise<void> {
    const dirt = this.#inode.takeDirt()
    return this.#queue.run(() => {
      this.#failSync(() => {})
      this.#inode.land(dirt)
    })
  }

  /** The fault of fsyncgate: the error is told once, and the pages are clean without having been written. */
  #failSync(dirty: () => void): void {
    const { disk } = this.#queue
    if (!disk.failNextSync) return
    disk.failNextSync = false
    dirty()
    this.#inode.dropDirt()
    throw new SimIoError('EIO: fsync failed')
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.#queue.run(() => this.#inode.read(position, length))
  }

  size(): Promise<number> {
    return this.#queue.run(() => this.#inode.size)
  }

  truncate(length: number): Promise<void> {
    return this.#queue.run(() => this.#inode.truncate(length))
  }

  close(): Promise<void> {
    return this.#queue.run(() => {})
  }
}

export function mount(disk: SimDisk, life: NodeLife): Storage {
  return new SimStorage(new DiskQueue(disk, life))
}

class SimStorage implements Storage {
  readonly #queue: DiskQueue
  readonly #disk: SimDisk

  constructor(queue: DiskQueue) {
    this.#queue = queue
    this.#disk = queue.disk
  }

  open(path: string): Promise<File> {
    return this.#queue.run(() => {
      let inode = this.#disk.find(path)
      if (!inode) this.#disk.rename([path, (inode = new Inode())])
      return new SimFile(this.#queue, inode)
    })
  }

  readFile(path: string): Promise<Uint8Array | null> {
    return this.#queue.run(() => {
      const inode = this.#disk.find(path)
      return inode ? inode.read(0, inode.size) : null
    })
  }

  replace(path: string, bytes: Uint8Array): Promise<void> {
    if (!this.#queue.life.alive) return NEVER
    const inode = new Inode()
    inode.writeDurable(0, bytes)
    const land = (): void => {
      const first = this.#disk.nextChange
      this.#disk.rename([path, inode])
      this.#disk.landName(first)
    }
    this.#disk.pendingReplaces.add(land)
    return this.#queue.run(() => {
      this.#disk.pendingReplaces.delete(land)
      land()
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#queue.run(() => {
      const inode = this.#disk.find(from)
      if (!inode) throw new Error(`ENOENT: ${from}`)
      this.#disk.rename([from, null], [to, inode])
    })
  }

  remove(path: string): Promise<void> {
    return this.#queue.run(() => {
      if (this.#disk.find(path)) this.#disk.rename([path, null])
    })
  }

  list(directory: string): Promise<readonly string[]> {
    const prefix = `${directory}/`
    return this.#queue.run(() =>
      this.#disk.paths
        .filter((path) => path.startsWith(prefix))
        .map((path) => path.slice(prefix.length))
        .filter((name) => !name.includes('/')),
    )
  }

  syncDirectory(directory: string): Promise<void> {
    const end = this.#disk.nextChange
    return this.#queue.run(() => this.#disk.landNames(directory, end))
  }

  kv(directory: string): Promise<Kv> {
    return this.#queue.run(() => {
      const platter = this.#disk.store(directory)
      assert(!platter.open, `${directory} is open already`)
      if (platter.damage === 'opening') notice()
      platter.open = true
      return new SimKv(this.#queue, platter)
    })
  }

  setAside(directory: string): Promise<string> {
    return this.#queue.run(() => {
      const { stores } = this.#disk
      const store = this.#disk.store(directory)
      assert(!store.open, `${directory} is open`)
      const aside = `${directory}.damaged-${stores.size}`
      stores.delete(directory)
      stores.set(aside, store)
      return aside
    })
  }

  freeBytes(): Promise<number> {
    // What the system knows without asking the platter: no time, and no dice.
    return this.#queue.run(() => (this.#disk.full ? 0 : FREE_BYTES), 0)
  }

  lock(): Promise<void> {
    return this.#queue.run(() => {
      if (this.#disk.locked) throw new Error('the data directory is in use')
      this.#disk.locked = true
    })
  }

  close(): Promise<void> {
    return this.#queue.run(() => {
      this.#disk.locked = false
    })
  }
}
