/**
 * Loaded into a node before its own code (`--import`): how long the event loop of the core's thread was held up, and by what.
 * A timer that comes late tells the length; `schedstat` of the thread tells how much of it the thread was running and how
 * much it waited for a core (other processes' doing); the collector's own entries tell its part. Asked over the parent's
 * channel, which begins the count anew.
 *
 * The gap is counted whole wherever the question falls: a reading never hides the stall that it sits in.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { PerformanceObserver, type PerformanceEntry, performance } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const EVERY_MS = 5
/** Gaps longer than this are told one by one. */
const TOLD_MS = 20
const NANOSECONDS = 1e6

export interface Stall {
  /** Since the process began, which was at `timeOrigin` of the reading. */
  readonly atMs: number
  readonly ms: number
  /** Of these: on a core; waiting for one; in the collector (a part of the first two). */
  readonly cpuMs: number
  readonly waitedMs: number
  readonly gcMs: number
  readonly gcKinds: string
}
export interface ProbeReading {
  readonly timeOrigin: number
  readonly stalls: readonly Stall[]
  readonly samples: number
  /** Ms by which the timer was late. */
  readonly p999: number
  readonly max: number
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

interface Gap {
  readonly from: number
  readonly to: number
  readonly cpuMs: number
  readonly waitedMs: number
}

const KINDS: Readonly<Record<number, string>> = { 1: 'minor', 4: 'major', 8: 'incremental', 16: 'weak' }

class Probe {
  readonly #schedstat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r')
  readonly #buffer = Buffer.alloc(64)
  readonly #collections: { from: number; to: number; kind: string }[] = []
  #late: number[] = []
  #gaps: Gap[] = []
  #last = performance.now()
  #thread = this.#readThread()

  start(): void {
    setInterval(() => this.#look(), EVERY_MS).unref()
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#collected(entry)
    })
    observer.observe({ entryTypes: ['gc'] })
    process.on('exit', () => closeSync(this.#schedstat))
  }

  /** Later than the collector's entries of the last gap, which come with a turn of their own. */
  take(): ProbeReading {
    const late = this.#late.sort((a, b) => a - b)
    const { rss, heapUsed, external } = process.memoryUsage()
    const at = (quantile: number) => late[Math.min(late.length - 1, Math.floor(late.length * quantile))] ?? 0
    const reading = {
      timeOrigin: performance.timeOrigin,
      stalls: this.#gaps.map((gap) => this.#told(gap)),
      samples: late.length,
      p999: at(0.999),
      max: at(1),
      rss,
      heapUsed,
      external,
    }
    this.#late = []
    this.#gaps = []
    this.#collections.length = 0
    return reading
  }

  #look(): void {
    const now = performance.now()
    const thread = this.#readThread()
    const late = now - this.#last - EVERY_MS
    this.#late.push(Math.max(0, late))
    if (late > TOLD_MS) {
      this.#gaps.push({
        from: this.#last,
        to: now,
        cpuMs: thread.cpuMs - this.#thread.cpuMs,
        waitedMs: thread.waitedMs - this.#thread.waitedMs,
      })
    }
    this.#last = now
    this.#thread = thread
  }

  #readThread(): { cpuMs: number; waitedMs: number } {
    const length = readSync(this.#schedstat, this.#buffer, 0, this.#buffer.length, 0)
    const [cpu = 0, waited = 0] = this.#buffer.toString('latin1', 0, length).split(' ').map(Number)
    return { cpuMs: cpu / NANOSECONDS, waitedMs: waited / NANOSECONDS }
  }

  #collected(entry: PerformanceEntry): void {
    const { kind = 0 } = (entry as PerformanceEntry & { readonly detail?: { readonly kind?: number } }).detail ?? {}
    this.#collections.push({ from: entry.startTime, to: entry.startTime + entry.duration, kind: KINDS[kind] ?? String(kind) })
  }

  #told({ from, to, cpuMs, waitedMs }: Gap): Stall {
    const inside = this.#collections.filter((one) => one.from < to && one.to > from)
    const gcMs = inside.reduce((sum, one) => sum + Math.min(one.to, to) - Math.max(one.from, from), 0)
    const gcKinds = inside.map((one) => `${one.kind}:${(one.to - one.from).toFixed(0)}`).join(' ')
    return { atMs: from, ms: to - from - EVERY_MS, cpuMs, waitedMs, gcMs, gcKinds }
  }
}

if (isMainThread && process.send) {
  const probe = new Probe()
  probe.start()
  process.on('message', (message) => {
    // One turn later, when the collector's entries of this one have come.
    if (message === 'take stalls') setTimeout(() => process.send?.({ stalls: probe.take() }), 3 * EVERY_MS)
  })
  process.channel?.unref()
}
