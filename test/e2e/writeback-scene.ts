/**
 * One owner of some keys of a `writeback` cache, and what becomes of them when it is struck: it writes them alone; then other nodes
 * read them, write them, and go on; then the owner is back, and all nodes write them. A few more keys all nodes write all the time.
 */
import { expect } from 'vitest'
import { CONTROLLER_DEFAULTS } from '../../src/cache/coherence/controller-port.ts'
import type { LostEvents } from './lost-events.ts'
import type { NodeProcess } from './processes.ts'
import { type Life, WritebackHistory } from './writeback-history.ts'
import { WritebackLoad, pause } from './writeback-load.ts'

const LOADED_MS = 500
const SHARED = ['s0', 's1']
/** Acknowledged so long before its owner was struck a write is in the log, but for what that takes on a busy machine: it was on its way after `flushMs`. */
const FLUSHED_MS = CONTROLLER_DEFAULTS.flushMs + 900
/** Until all is read here that a process has written before it ended. Nobody else has its lines by then. */
const LATE_MS = 500

export interface Stage {
  readonly nodes: readonly NodeProcess[]
  readonly lost: LostEvents
  readonly lifeOf: (node: NodeProcess) => Life
  /** Resolves once all that nodes have lost, by their own count, is in `lost`. */
  readonly allTold: () => Promise<void>
}

interface Succession {
  readonly readMs: number
  readonly writtenMs: number
}

export class Scene {
  readonly history = new WritebackHistory()
  readonly load: WritebackLoad
  readonly #stage: Stage
  readonly #cache: string
  readonly #owner: NodeProcess
  readonly #keys: readonly string[]
  readonly #life: Life
  #struckAt = 0
  #flushedMs = FLUSHED_MS
  #backAt = Infinity
  /** By key: the version that another node was told first. */
  readonly #found = new Map<string, number>()

  constructor(stage: Stage, cache: string, owner: NodeProcess, keys: readonly string[]) {
    this.#stage = stage
    this.#cache = cache
    this.#owner = owner
    this.#keys = keys
    this.#life = stage.lifeOf(owner)
    this.load = new WritebackLoad(cache, this.history, stage.lifeOf)
  }

  /** Returns as the owner is to be struck, or a home that dies: that one owns nothing, or what it had not flushed could be lost with it. */
  async begin(dies: NodeProcess | null = null): Promise<void> {
    for (let nth = 0; nth < 2; nth++) this.load.start({ node: this.#owner, keys: this.#keys, logged: 0, owns: true })
    for (const node of this.#stage.nodes) {
      this.load.start({ node, keys: SHARED, ...(node === dies ? { logged: 0.4, owns: false } : { logged: 0.05, owns: true }) })
    }
    await Promise.all(this.#keys.map((key) => this.load.nextWrite(key, this.#owner)))
    await pause(LOADED_MS)
    this.#struckAt = performance.now()
    this.#flushedMs = FLUSHED_MS + this.load.longestLoggedMs
  }

  /** Heirs read the keys and write them, and one of them goes on; how long after the owner was struck they had, by key. */
  async succeed(heirs: readonly NodeProcess[]): Promise<ReadonlyMap<string, Succession>> {
    const took = new Map<string, Succession>()
    const passed = (): number => Math.round(performance.now() - this.#struckAt)
    const inherit = async (key: string, nth: number): Promise<void> => {
      const heir = heirs[nth % heirs.length] as NodeProcess
      let seen = await this.load.get(heir, key)
      for (; seen === null; seen = await this.load.get(heir, key)) await pause(10)
      this.#found.set(key, seen.version)
      const readMs = passed()
      while (!(await this.load.put(heir, key, null))) await pause(10)
      took.set(key, { readMs, writtenMs: passed() })
    }
    await Promise.all(this.#keys.map(inherit))
    this.load.start({ node: heirs[0] as NodeProcess, keys: this.#keys, logged: 0.02, owns: true })
    return took
  }

  /** Until so long after it was struck. */
  async last(outageMs: number): Promise<void> {
    await pause(this.#struckAt + outageMs - performance.now())
    this.#backAt = performance.now()
  }

  /** The owner writes its keys again, if it is there; everybody is told the same; and all that was can have been. */
  async end(how: 'killed' | 'frozen' | 'cut off' | 'stopped' | 'well'): Promise<{ readonly told: number; readonly lost: number }> {
    await Promise.any(this.#keys.map((key) => this.load.nextWrite(key, this.#owner)))
    await pause(LOADED_MS)
    await this.load.stop()
    for (const key of [...this.#keys, ...SHARED]) {
      for (const node of this.#stage.nodes) while ((await this.load.get(node, key)) === null) await pause(20)
    }
    const told = await this.#told(how === 'frozen')
    if (how === 'killed') this.#died()
    const outcome = { told, lost: how === 'well' ? 0 : this.#lost(told) }
    expect(this.history.violations()).toEqual([])
    return outcome
  }

  /** What a frozen node answers when it wakes it may have done before, and lost. */
  async #told(isFrozen: boolean): Promise<number> {
    const { lost, allTold } = this.#stage
    await allTold()
    const events = lost.seen.filter(({ cache }) => cache === this.#cache)
    for (const { key, life, count, at } of events) {
      const isOwner = life === this.#life && at > this.#struckAt
      const before = this.history.answered(key, life).filter((one) => one.return < (isOwner ? Math.min(at, this.#backAt) : at))
      const last = Math.max(0, ...before.map((one) => one.return))
      this.history.losses.push({ key, life, count, from: isOwner && isFrozen ? this.#struckAt : last, until: at })
    }
    return events.reduce((sum, { count }) => sum + count, 0)
  }

  #died(): void {
    const until = this.#struckAt + LATE_MS
    this.history.died(this.#life, until)
    for (const key of [...this.#keys, ...SHARED]) {
      const late = this.history.answered(key, this.#life).filter((one) => one.return > this.#struckAt - this.#flushedMs)
      this.history.losses.push({ key, life: this.#life, count: late.length, from: this.#struckAt, until })
    }
  }

  /** Of the keys that the owner wrote alone. */
  #lost(told: number): number {
    const gone = [...this.#found].flatMap(([key, version]) => {
      const answered = this.history.answered(key, this.#life)
      return answered.filter((one) => one.version > version && one.return < this.#backAt)
    })
    const agesMs = gone.map((one) => Math.round(this.#struckAt - one.return))
    const span = gone.length === 0 ? '' : `, answered ${Math.max(...agesMs)} to ${Math.min(...agesMs)} ms before it was struck`
    console.log(
      `${this.#cache}: ${this.load.writes} writes, ${this.load.reads} reads; ${gone.length} of the owner's writes lost${span}; ${told} told`,
    )
    if (gone.length > 0) expect(Math.max(...agesMs)).toBeLessThan(this.#flushedMs)
    return gone.length
  }
}
