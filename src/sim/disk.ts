/**
 * The disk of one simulated node. It outlives the node's lives; `mount` gives each life a Storage (disk-storage.ts).
 *
 * The fault model:
 *  - power cut: files keep what was synced and a random subset of the rest by sectors (inode.ts); names keep a prefix of
 *    what was done since the directory was synced; key-value stores keep a prefix of their batches (kv-platter.ts);
 *  - slow: every operation takes a random time, some a long one, and operations on different files overtake each other;
 *  - failed fsync: once, with the pages dropped, as Linux does; full: writes that need space are refused;
 *  - bit rot: one bit, while the node is down. Which nodes may ever rot is the fault atlas of the run (options.ts).
 */
import type { Dice } from './dice.ts'
import { Inode } from './inode.ts'
import { KvPlatter, type LandedListener } from './kv-platter.ts'
import type { World } from './world.ts'

export interface DiskOptions {
  readonly latencyMeanMs: number
  /** Probability of an operation that takes `slowMs` on average. */
  readonly slow: number
  readonly slowMs: number
}

/** One atomic step: a rename takes a name away and gives one. */
interface NameChange {
  readonly seq: number
  readonly directory: string
  readonly names: readonly (readonly [path: string, inode: Inode | null])[]
}

/** A write that has not completed: a power cut may leave parts of it. */
export interface PendingWrite {
  readonly inode: Inode
  readonly position: number
  readonly bytes: Uint8Array
}

export type DurableListener = (path: string, position: number, length: number, platter: Uint8Array) => void

export class SimDisk {
  readonly world: World
  readonly options: DiskOptions
  readonly dice: Dice
  readonly stores = new Map<string, KvPlatter>()
  readonly pendingWrites = new Set<PendingWrite>()
  /** Whole-file replacements under way: a power cut leaves the old file or the new one. */
  readonly pendingReplaces = new Set<() => void>()
  /** Set by the nemesis. */
  full = false
  failNextSync = false
  locked = false
  /** Hears of every durable write, with the file's bytes on the platter. */
  onDurable: DurableListener = () => {}
  /** Hears of every batch of its key-value stores. */
  onLanded: LandedListener = () => {}
  #names = new Map<string, Inode>()
  readonly #durableNames = new Map<string, Inode>()
  #changes: NameChange[] = []
  #nextChange = 0

  constructor(world: World, dice: Dice, options: DiskOptions) {
    this.world = world
    this.dice = dice
    this.options = options
  }

  latency(): number {
    const { latencyMeanMs, slow, slowMs } = this.options
    return 0.02 + this.dice.exponential(this.dice.chance(slow) ? slowMs : latencyMeanMs)
  }

  find(path: string): Inode | null {
    return this.#names.get(path) ?? null
  }

  get paths(): readonly string[] {
    return [...this.#names.keys()].sort()
  }

  /** Gives names to files, or takes them (null): one step, durable once its directory is synced. */
  rename(...names: NameChange['names']): void {
    for (const [path, inode] of names) {
      if (inode) {
        inode.path = path
        this.#names.set(path, inode)
      } else this.#names.delete(path)
    }
    this.#changes.push({ seq: this.#nextChange++, directory: directoryOf(names[0]?.[0] ?? ''), names })
  }

  /** The number of the next change of names: a sync of a directory that begins now covers those below it. */
  get nextChange(): number {
    return this.#nextChange
  }

  /** Makes one change durable by itself (a whole replacement syncs its own name). */
  landName(seq: number): void {
    this.#changes = this.#changes.filter((change) => {
      if (change.seq === seq) this.#land(change)
      return change.seq !== seq
    })
  }

  /** Makes the changes in `directory` before number `end` durable. */
  landNames(directory: string, end: number): void {
    this.#changes = this.#changes.filter((change) => {
      if (change.seq >= end || change.directory !== directory) return true
      this.#land(change)
      return false
    })
  }

  #land({ names }: NameChange): void {
    for (const [path, inode] of names) {
      if (inode) this.#durableNames.set(path, inode)
      else this.#durableNames.delete(path)
    }
  }

  /** Whatever was not synced may be gone. */
  crash(): void {
    const survival = this.dice.pick([0, 1, 0.5, this.dice.next()])
    for (const { inode, position, bytes } of this.pendingWrites) inode.write(position, bytes)
    this.pendingWrites.clear()
    for (const replace of this.pendingReplaces) if (this.dice.chance(0.5)) replace()
    this.pendingReplaces.clear()
    for (const change of this.#changes.slice(0, this.dice.below(this.#changes.length + 1))) this.#land(change)
    this.#changes = []
    this.#names = new Map(this.#durableNames)
    for (const path of this.paths) this.find(path)?.crash(this.dice.fork(`${path}@${this.world.now}`), survival)
    for (const store of this.stores.values()) store.crash(this.dice)
    this.locked = false
    this.failNextSync = false
  }

  /** An emptied data directory. */
  wipe(): void {
    this.#names = new Map()
    this.#durableNames.clear()
    this.#changes = []
    this.stores.clear()
    this.pendingWrites.clear()
    this.pendingReplaces.clear()
  }

  store(directory: string): KvPlatter {
    let store = this.stores.get(directory)
    if (!store) this.stores.set(directory, (store = new KvPlatter((...landed) => this.onLanded(...landed))))
    return store
  }
}

/** Files directly below the root have the directory ''. */
function directoryOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? '' : path.slice(0, at)
}
