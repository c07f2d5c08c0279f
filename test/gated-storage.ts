/** A storage whose writes and iterators wait, or fail, as a test wishes. */
import type { File, Storage } from '../src/io/storage.ts'

/** Closed, it keeps everybody waiting until it opens. */
export class Gate {
  #closed = false
  #waiting: (() => void)[] = []

  close(): void {
    this.#closed = true
  }

  open(): void {
    this.#closed = false
    for (const go of this.#waiting.splice(0)) go()
  }

  pass(): Promise<void> {
    return this.#closed ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve()
  }
}

export interface Gates {
  /** Before every write to a file. */
  readonly writes?: () => Promise<void>
  /** Before every read of single records of the key-value store. */
  readonly gets?: () => Promise<void>
  /** Before every page of an iterator over the key-value store. */
  readonly iterates?: () => Promise<void>
  /** Before every batch and every clearing of the key-value store; they keep their order. */
  readonly batches?: () => Promise<void>
}

const free = (): Promise<void> => Promise.resolve()

export function gatedStorage(storage: Storage, { writes = free, gets = free, iterates = free, batches = free }: Gates): Storage {
  const gatedFile = (file: File): File => ({
    write: (position, chunks) => writes().then(() => file.write(position, chunks)),
    writeDurable: (position, chunks) => writes().then(() => file.writeDurable(position, chunks)),
    sync: () => file.sync(),
    read: (position, length) => file.read(position, length),
    size: () => file.size(),
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  })
  return {
    open: (path) => storage.open(path).then(gatedFile),
    readFile: (path) => storage.readFile(path),
    replace: (path, bytes) => storage.replace(path, bytes),
    rename: (from, to) => storage.rename(from, to),
    remove: (path) => storage.remove(path),
    list: (directory) => storage.list(directory),
    syncDirectory: (directory) => storage.syncDirectory(directory),
    kv: async (directory) => {
      const kv = await storage.kv(directory)
      let last: Promise<unknown> = Promise.resolve()
      const inOrder = (run: () => Promise<void>): Promise<void> => {
        const done = last.then(batches).then(run)
        last = done.catch(() => undefined)
        return done
      }
      return {
        engine: kv.engine,
        get: (key) => gets().then(() => kv.get(key)),
        getMany: (keys) => gets().then(() => kv.getMany(keys)),
        batch: (ops, options) => inOrder(() => kv.batch(ops, options)),
        iterate: (range) => {
          const iterator = kv.iterate(range)
          return { next: (max) => iterates().then(() => iterator.next(max)), close: () => iterator.close() }
        },
        clear: (range) => inOrder(() => kv.clear(range)),
        compact: (range) => kv.compact(range),
        close: () => kv.close(),
      }
    },
    setAside: (directory) => storage.setAside(directory),
    freeBytes: () => storage.freeBytes(),
    lock: () => storage.lock(),
    close: () => storage.close(),
  }
}
