/**
 * A store that survives a full disk, and tells damage from other errors (damage.ts). An engine that failed to write has
 * lost its place in its own log: what it would add there later could be unreadable after a restart, even though it says yes.
 * So after such a failure nothing more is written through it: the store is closed and opened again, which recovers what was
 * whole, and the caller repeats its batch.
 *
 *   batch ──no space──> broken ──batch──> close, open ──> batch
 *                          └──iterators open, or still no space──> DiskFullError: again later
 *
 * The same way leads an engine to compact that does so only when it is opened.
 */
import { DiskFullError } from '../storage.ts'
import { KvDamagedError, damageOf } from './damage.ts'
import { isDiskFull } from './disk-full.ts'
import type { Kv, KvIterator, KvOp, KvRange } from './kv.ts'
import { NO_ROOM, type Room } from './reserve.ts'

export interface EngineKv extends Kv {
  /** The engine has no call for it, but compacts when it is opened so many times, with what its `compact` wrote before each. */
  readonly openingsToCompact?: number
}

/** `room` is given where an opening finds none. */
export async function openReopening(open: () => Promise<EngineKv>, room: Room = NO_ROOM): Promise<Kv> {
  const opening = (): Promise<EngineKv> => openIn(room, open)
  return new ReopeningKv(opening, await opening())
}

async function openIn(room: Room, open: () => Promise<EngineKv>): Promise<EngineKv> {
  const kv = await told(open()).catch(async (error: unknown) => {
    if (error instanceof DiskFullError && (await room.give())) return told(open())
    throw error
  })
  await room.take()
  return kv
}

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (isDiskFull(error)) throw new DiskFullError('no space left on the disk', { cause: error })
    const damage = damageOf(error)
    throw damage === null ? error : new KvDamagedError(`the key-value store is damaged: ${damage}`, { cause: error })
  }
}

class ReopeningKv implements Kv {
  readonly engine: Kv['engine']
  readonly #open: () => Promise<EngineKv>
  #kv: EngineKv
  #isOpen = true
  #broken = false
  #iterators = 0
  /** Writes, in the order of their calls: none may overtake one that reopens. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(open: () => Promise<EngineKv>, kv: EngineKv) {
    this.#open = open
    this.#kv = kv
    this.engine = kv.engine
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return told(this.#isOpen ? this.#kv.get(key) : this.#queue(async () => (await this.#whole()).get(key)))
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return told(this.#isOpen ? this.#kv.getMany(keys) : this.#queue(async () => (await this.#whole()).getMany(keys)))
  }

  batch(ops: readonly KvOp[], options: { readonly sync: boolean }): Promise<void> {
    return this.#write((kv) => kv.batch(ops, options))
  }

  clear(range: KvRange): Promise<void> {
    return this.#write((kv) => kv.clear(range))
  }

  /** Beside the writes, which would else wait for it. A store that is broken is opened again: there may be no write that would. */
  async compact(range: KvRange, wanted: () => boolean = () => true): Promise<boolean> {
    if (this.#broken) {
      await this.#queue(() => told(this.#whole()))
      return false
    }
    const kv = this.#kv
    const usable = (): boolean => this.#isOpen && !this.#broken && this.#kv === kv
    if (!usable()) return false
    if (kv.openingsToCompact !== undefined) return this.#compactByOpening(kv.openingsToCompact, range, wanted)
    try {
      return await told(kv.compact(range, () => usable() && wanted()))
    } catch (error) {
      if (!usable()) return false
      this.#broken = error instanceof DiskFullError
      throw error
    }
  }

  async #compactByOpening(openings: number, range: KvRange, wanted: () => boolean): Promise<boolean> {
    const open = async (): Promise<boolean> => {
      const kv = await this.#whole()
      if (this.#iterators > 0 || !wanted()) return false
      await kv.compact(range)
      this.#broken = true
      await this.#whole()
      return true
    }
    for (let nth = 0; nth < openings; nth++) if (!(await this.#queue(() => told(open())))) return false
    return true
  }

  /** Of a store that is broken and closed, the first step waits for it. */
  iterate(range: KvRange): KvIterator {
    this.#iterators++
    let inner: Promise<KvIterator> | null = this.#isOpen ? Promise.resolve(this.#kv.iterate(range)) : null
    const opened = (): Promise<KvIterator> => (inner ??= this.#queue(async () => (await this.#whole()).iterate(range)))
    return {
      next: async (max) => told((await opened()).next(max)),
      close: async () => {
        this.#iterators--
        await (await inner?.catch(() => null))?.close()
      },
    }
  }

  async close(): Promise<void> {
    await this.#last
    if (this.#isOpen) await this.#kv.close()
    this.#isOpen = false
  }

  #write(run: (kv: Kv) => Promise<void>): Promise<void> {
    return this.#queue(async () => {
      try {
        await told(run(await this.#whole()))
      } catch (error) {
        this.#broken ||= error instanceof DiskFullError
        throw error
      }
    })
  }

  #queue<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #whole(): Promise<EngineKv> {
    if (!this.#broken) return this.#kv
    if (this.#isOpen) {
      if (this.#iterators > 0) throw new DiskFullError('the disk was full; the store waits for its readers before it is opened again')
      this.#isOpen = false
      await this.#kv.close()
    }
    this.#kv = await this.#open()
    this.#isOpen = true
    this.#broken = false
    return this.#kv
  }
}
