/**
 * The simulated world: virtual time, one heap of events, one seed, one thread.
 *
 *   at(delay, tag, run) ──> heap (time, seq) ──> run one event ──> settle every promise ──> check ──> next event
 *
 *  1. Nothing happens outside an event: clocks, frames and disk completions are all events of this heap.
 *  2. After each event all continuations of promises have run before the next event begins.
 *  3. Every event is folded into `hash`: same seed, same hash, or something outside the ports decided.
 *  4. The first failure ends the run; what comes after a broken invariant proves nothing.
 */
import type { Timer } from '../io/clock.ts'
import { EventHeap, type SimEvent } from './event-heap.ts'
import { Dice, hashBytes, hashText } from './dice.ts'

const TRACE_LENGTH = 4096
/** So many events in one instant are a loop. */
const INSTANT_EVENTS_MAX = 200_000
/** The process's own turn: without one now and then, the test runner could not breathe. */
const EVENTS_PER_BREATH = 2048
const breathe = globalThis.setImmediate
const tick = process.nextTick

/** A run that went wrong, with the virtual time at which it did. */
export class SimFailure extends Error {
  override readonly name = 'SimFailure'
}

export class World {
  readonly seed: number
  readonly dice: Dice
  #now = 0
  #seq = 0
  #events = 0
  /** Since when (in events) time has not moved. */
  #instant = 0
  #hashA = 0x9e3779b9
  #hashB = 0x85ebca6b
  #failure: Error | null = null
  readonly #heap = new EventHeap()
  readonly #tags = new Map<string, number>()
  readonly #trace: string[] = []
  /** How often each kind of fault was injected. */
  readonly faults = new Map<string, number>()
  #traced = 0

  constructor(seed: number) {
    this.seed = seed
    this.dice = new Dice(seed)
  }

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.#now
  }
  get events(): number {
    return this.#events
  }
  get failure(): Error | null {
    return this.#failure
  }
  get hash(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')
    return hex(this.#hashA) + hex(this.#hashB)
  }

  /** Runs `run` once at now + delayMs. `tag` names the event in hash and trace. */
  at(delayMs: number, tag: string, run: () => void): Timer {
    const event: SimEvent = { time: this.#now + Math.max(0, delayMs), seq: this.#seq++, tag, run }
    this.#heap.push(event)
    return {
      cancel: () => {
        event.run = null
      },
    }
  }

  /** Folds a number into the hash. */
  fold(value: number): void {
    this.#hashA = Math.imul(this.#hashA ^ value, 0x01000193)
    this.#hashB = (Math.imul((this.#hashB << 13) | (this.#hashB >>> 19), 5) + (value ^ 0xe6546b64)) | 0
  }

  foldBytes(bytes: Uint8Array): void {
    this.fold(hashBytes(bytes))
    this.fold(bytes.length)
  }

  /** Remembers a line for the report of a failure. */
  log(line: string): void {
    this.#trace[this.#traced++ % TRACE_LENGTH] = `${this.#now.toFixed(3).padStart(12)} ${line}`
  }

  /** The last `count` lines, oldest first. */
  trace(count: number): string[] {
    const from = Math.max(0, this.#traced - Math.min(count, TRACE_LENGTH))
    return Array.from({ length: this.#traced - from }, (_, i) => this.#trace[(from + i) % TRACE_LENGTH] as string)
  }

  /** Counts a fault and remembers it in the trace. */
  fault(kind: string, what = ''): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1)
    if (what !== '') this.log(`fault ${kind} ${what}`)
  }

  /** Ends the run. The first failure is the one reported. */
  fail(error: unknown): void {
    if (this.#failure !== null) return
    this.#failure = error instanceof Error ? error : new SimFailure(String(error))
    this.log(`FAILED ${this.#failure.message}`)
  }

  /** Runs events up to the virtual time `until`, or until `done()`, or until the first failure. */
  async run(until: number, afterEvent: () => void, done: () => boolean = () => false): Promise<void> {
    while (this.#failure === null && !done()) {
      const next = this.#heap.peek()
      if (next === undefined || next.time > until) {
        this.#now = Math.max(this.#now, until)
        return
      }
      this.#heap.pop()
      if (next.run === null) continue
      this.#moveTo(next.time)
      this.#execute(next)
      await this.settle()
      try {
        afterEvent()
      } catch (error) {
        this.fail(error)
      }
    }
  }

  #moveTo(time: number): void {
    if (time !== this.#now) this.#instant = this.#events
    else if (this.#events - this.#instant > INSTANT_EVENTS_MAX)
      this.fail(new SimFailure('time stands still: events that follow at once for ever'))
    this.#now = time
  }

  #execute(event: SimEvent): void {
    const run = event.run as () => void
    event.run = null
    this.#events++
    this.fold(this.#tag(event.tag))
    this.fold((event.time * 1000) | 0)
    try {
      run()
    } catch (error) {
      this.fail(error)
    }
  }

  #tag(tag: string): number {
    let value = this.#tags.get(tag)
    if (value === undefined) this.#tags.set(tag, (value = hashText(tag)))
    return value
  }

  /** Resolves when no continuation of any promise is left to run: ticks come after all microtasks. */
  settle(): Promise<void> {
    if (this.#events % EVENTS_PER_BREATH === 0) return new Promise((resolve) => void breathe(resolve))
    return new Promise((resolve) => tick(resolve))
  }
}
