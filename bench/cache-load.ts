/**
 * The load of a cache, as one process makes it: callers that read and write keys, each one call after another, as fast as they
 * are answered or at fixed times whatever the answers take. Everything that was done is told, for the times and for the check.
 */
import { type CacheCaller, CallRefused } from './cache-caller.ts'

export interface CacheTask {
  readonly kind: 'http' | 'ws' | 'node'
  readonly url: string
  readonly cache: string
  readonly keys: readonly string[]
  /** Which generator this is, and in which row: what makes stamps unique. */
  readonly generator: number
  readonly row: number
  readonly callers: number
  /** Of the calls, 0 to 1. */
  readonly reads: number
  /** `sweep`: every key once, in order. */
  readonly choice: 'zipf' | 'uniform' | 'sweep'
  readonly bytes: number
  readonly seconds: number
  /** Calls per second of all callers together, at fixed times; 0: as fast as they are answered. */
  readonly rate: number
}

/** Columns, one element per call. Times in ms, on a clock that all processes of a machine share. */
export interface CacheOutcome {
  readonly isWrite: Uint8Array
  readonly key: Uint32Array
  /** -1: a write of which nobody knows whether it happened. */
  readonly version: Float64Array
  readonly stamp: Float64Array
  readonly began: Float64Array
  readonly ended: Float64Array
  /** How long it took from when it should have begun, refusals and repetitions included. */
  readonly ms: Float64Array
  readonly hits: number
  readonly refused: number
  readonly elapsedMs: number
  readonly cpuSeconds: number
}

const ZIPF = 0.99
const AGAIN_MS = 20
const STAMPS_PER_GENERATOR = 2 ** 32
const GENERATORS = 16

/**
 * From `performance.now()` to the machine's monotonic clock. A process that loses its core between two looks would be off by as
 * long as that, and calls would seem to contradict each other: of many looks the quickest counts.
 */
const MACHINE_OFFSET_MS = machineOffsetMs()

function machineOffsetMs(): number {
  const machine = (): number => Number(process.hrtime.bigint()) / 1e6
  let [offset, narrowest] = [0, Infinity]
  for (let look = 0; look < 1_000; look++) {
    const before = machine()
    const own = performance.now()
    const width = machine() - before
    if (width < narrowest) [offset, narrowest] = [before + width / 2 - own, width]
  }
  return offset
}

export class CacheLoad {
  readonly #task: CacheTask
  readonly #value: Buffer
  readonly #cumulative: Float64Array
  readonly #isWrite: number[] = []
  readonly #key: number[] = []
  readonly #version: number[] = []
  readonly #stamp: number[] = []
  readonly #began: number[] = []
  readonly #ended: number[] = []
  readonly #ms: number[] = []
  #hits = 0
  #refused = 0
  #stamps = 0
  #swept = 0

  constructor(task: CacheTask) {
    this.#task = task
    this.#value = Buffer.alloc(task.bytes, 'v')
    this.#cumulative = new Float64Array(task.keys.length)
    let sum = 0
    for (let at = 0; at < task.keys.length; at++) this.#cumulative[at] = sum += task.choice === 'zipf' ? (at + 1) ** -ZIPF : 1
  }

  async run(callers: readonly CacheCaller[]): Promise<CacheOutcome> {
    const began = performance.now()
    const cpu = process.cpuUsage()
    await Promise.all(callers.map((caller, which) => this.#call(caller, which, began)))
    const { user, system } = process.cpuUsage(cpu)
    return {
      isWrite: Uint8Array.from(this.#isWrite),
      key: Uint32Array.from(this.#key),
      version: Float64Array.from(this.#version),
      stamp: Float64Array.from(this.#stamp),
      began: Float64Array.from(this.#began),
      ended: Float64Array.from(this.#ended),
      ms: Float64Array.from(this.#ms),
      hits: this.#hits,
      refused: this.#refused,
      elapsedMs: performance.now() - began,
      cpuSeconds: (user + system) / 1e6,
    }
  }

  async #call(caller: CacheCaller, which: number, began: number): Promise<void> {
    const { rate, callers, seconds, reads, choice } = this.#task
    const gapMs = rate === 0 ? 0 : (callers * 1_000) / rate
    const end = choice === 'sweep' ? Infinity : began + seconds * 1_000
    for (let round = 0; ; round++) {
      const due = rate === 0 ? performance.now() : began + (round + which / callers) * gapMs
      const key = this.#choose()
      if (due >= end || key === null) return
      const early = due - performance.now()
      if (early > 0) await pause(early)
      const isRead = reads === 1 || (reads > 0 && Math.random() < reads)
      while (!(await (isRead ? this.#read(caller, key, due) : this.#write(caller, key, due)))) await pause(AGAIN_MS)
    }
  }

  /** Null: all is swept. */
  #choose(): number | null {
    const { choice, keys } = this.#task
    if (choice === 'sweep') return this.#swept < keys.length ? this.#swept++ : null
    const sought = Math.random() * (this.#cumulative.at(-1) ?? 0)
    let [low, high] = [0, keys.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#cumulative[middle] as number) > sought) high = middle
      else low = middle + 1
    }
    return low
  }

  async #read(caller: CacheCaller, key: number, due: number): Promise<boolean> {
    const began = performance.now()
    try {
      const { version, stamp, hit } = await caller.get(this.#task.keys[key] as string)
      if (hit) this.#hits++
      this.#log({ isWrite: 0, key, version, stamp, began, due })
      return true
    } catch (error) {
      if (!(error instanceof CallRefused)) throw error
      this.#refused++
      return false
    }
  }

  async #write(caller: CacheCaller, key: number, due: number): Promise<boolean> {
    const { row, generator, keys } = this.#task
    const stamp = (row * GENERATORS + generator) * STAMPS_PER_GENERATOR + ++this.#stamps
    const value = Buffer.from(this.#value)
    value.writeDoubleBE(stamp)
    const began = performance.now()
    try {
      this.#log({ isWrite: 1, key, version: await caller.put(keys[key] as string, value), stamp, began, due })
      return true
    } catch (error) {
      if (!(error instanceof CallRefused)) throw error
      this.#refused++
      if (error.isUnknown) this.#log({ isWrite: 1, key, version: -1, stamp, began, due })
      return false
    }
  }

  #log({ isWrite, key, version, stamp, began, due }: Logged): void {
    const now = performance.now()
    this.#isWrite.push(isWrite)
    this.#key.push(key)
    this.#version.push(version)
    this.#stamp.push(stamp)
    this.#began.push(began + MACHINE_OFFSET_MS)
    this.#ended.push(version < 0 ? Infinity : now + MACHINE_OFFSET_MS)
    // A timer may be early by a fraction.
    this.#ms.push(now - Math.min(due, began))
  }
}

interface Logged {
  readonly isWrite: 0 | 1
  readonly key: number
  readonly version: number
  readonly stamp: number
  /** By `performance.now()`, these. */
  readonly began: number
  readonly due: number
}

/** Of which row a stamp is. */
export function rowOf(stamp: number): number {
  return Math.floor(stamp / STAMPS_PER_GENERATOR / GENERATORS)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
