/**
 * A known bug, put back: one textual change to one source file, and what must notice. See `docs/simulation.md`.
 * `pitfall` is the number in the list of Raft's pitfalls there.
 */
export interface Mutant {
  readonly name: string
  readonly pitfall: number
  /** What goes wrong with it, in one sentence. */
  readonly harm: string
  /** Below the root of the repository. */
  readonly file: string
  /** Occurs in the file exactly once. */
  readonly find: string
  readonly replace: string
  readonly killedBy: Killer
}

/** Either the simulator on some seeds, or a test by its file and name. */
export type Killer =
  | {
      readonly by: 'simulator'
      readonly seeds: readonly number[]
      readonly safetyMs: number
      readonly quiet?: boolean
      readonly workload?: 'queues' | 'caches'
      readonly driftPpm?: number
      /** Whether nodes write lines of caches alone. */
      readonly writeback?: boolean
      /** Whether clients are lent copies; no, where it is not given. */
      readonly lending?: boolean
    }
  | { readonly by: 'test'; readonly file: string; readonly test: string }

/** The seeds from `first` to `last`. */
export function simulator(first: number, last: number, safetyMs = 12_000): Extract<Killer, { by: 'simulator' }> {
  return { by: 'simulator', seeds: Array.from({ length: last - first + 1 }, (_, i) => first + i), safetyMs }
}

/** Work on queues, seeds from `first` to `last`. */
export function queueSimulator(first: number, last: number, safetyMs = 12_000): Killer {
  return { ...simulator(first, last, safetyMs), workload: 'queues' }
}

/** Work on caches, seeds from `first` to `last`. */
export function cacheSimulator(first: number, last: number, safetyMs = 20_000): Killer {
  return { ...simulator(first, last, safetyMs), workload: 'caches', writeback: false }
}

/** The same, with clients that are lent copies. */
export function lentSimulator(first: number, last: number): Killer {
  return { ...simulator(first, last, 20_000), workload: 'caches', writeback: false, lending: true }
}

/** Work on caches whose lines nodes write alone. */
export function writebackSimulator(first: number, last: number): Killer {
  return { ...simulator(first, last, 20_000), workload: 'caches', writeback: true }
}

/** The same, with links that are cut for long, and clocks that are wrong by all that they may be. */
export function driftSimulator(first: number, last: number): Killer {
  return { ...simulator(first, last, 20_000), workload: 'caches', driftPpm: 10_000, writeback: false }
}

/** The same, of lines that nodes write alone: owners are cut off for longer than their leases last. */
export function cutOwnerSimulator(first: number, last: number): Killer {
  return { ...simulator(first, last, 20_000), workload: 'caches', driftPpm: 10_000, writeback: true }
}

/** Quiet runs, from `first` to `last`. */
export function quietSimulator(first: number, last: number): Killer {
  return { ...simulator(first, last, 120_000), quiet: true }
}

export function namedTest(file: string, test: string): Killer {
  return { by: 'test', file, test }
}
