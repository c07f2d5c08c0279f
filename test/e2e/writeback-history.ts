/**
 * What clients of a `writeback` cache did and were told, on real processes, and whether it can have been: each key by itself is
 * linearizable (the model of the simulator, `src/sim/cache-model.ts`) but for the losses that are allowed.
 *
 *   w4 ── w5 ── w6 ── struck ── another node: w4
 *         └─────┴─ lost: the newest writes of one life of a node, of each key as many as that life told
 *                  (`cache.writeback.lost`), or, where it was killed, as it had answered shortly before
 *
 * Times are of the test's own monotonic clock.
 */
import { type CacheOperation, UNKNOWN, cacheModel } from '../../src/sim/cache-model.ts'
import { type TimedOperation, checkLinearizable } from '../../src/sim/linearizability.ts'

/** A life of a node: `n1/2`. '': the operation went through the log. */
export type Life = string

export interface AllowedLoss {
  readonly key: string
  readonly life: Life
  readonly count: number
  /** It happened in between. */
  readonly from: number
  readonly until: number
}

type Timed = TimedOperation<CacheOperation>

interface Entry extends Timed {
  readonly key: string
}

/** What was answered longer than that before a loss was certainly in the log: a lease, and more than a flush takes. */
const LOSABLE_MS = 4_000

export class WritebackHistory {
  readonly #entries: Entry[] = []
  readonly #deaths = new Map<Life, number>()
  readonly losses: AllowedLoss[] = []

  get size(): number {
    return this.#entries.length
  }

  get keys(): readonly string[] {
    return [...new Set(this.#entries.map(({ key }) => key))].sort()
  }

  add(key: string, call: number, end: number, operation: CacheOperation): void {
    this.#entries.push({ key, call, return: end, operation })
  }

  /** Nothing of what this life was asked for and has not answered happens later than that. */
  died(life: Life, at: number): void {
    this.#deaths.set(life, at)
  }

  /** Writes that this life has answered for sure, in the order of their versions. */
  answered(key: string, life: Life): readonly (Timed & { readonly version: number })[] {
    return this.#entries
      .filter((entry) => entry.key === key && entry.operation.alone === life && versionOf(entry.operation) > 0)
      .map((entry) => ({ ...entry, version: versionOf(entry.operation) }))
      .sort((a, b) => a.version - b.version)
  }

  /** One line per violation; empty for a history that can have been. */
  violations(): string[] {
    return this.keys.flatMap((key) => {
      const history = this.#withLosses(key)
      const verdict = checkLinearizable(cacheModel, history)
      return verdict === 'linearizable' ? [] : [`${key} is ${verdict}\n${firstWrong(history)}`]
    })
  }

  #withLosses(key: string): readonly Timed[] {
    const losses = this.losses.filter((loss) => loss.key === key && loss.count > 0)
    const isLosable = ({ call, return: end, operation }: Timed): boolean =>
      losses.some(({ life, from, until }) => operation.alone === life && call < until && end > from - LOSABLE_MS)
    const operations = this.#entries
      .filter((entry) => entry.key === key)
      .map((entry): Timed => ({ ...entry, return: Math.min(entry.return, this.#endOf(entry)) }))
      .map((entry): Timed => (isLosable(entry) ? { ...entry, operation: { ...entry.operation, losable: true } } : entry))
    const lost = losses.map(({ life: owner, count, from, until }): Timed => {
      return { call: from, return: until, operation: { kind: 'loss', owner, count } }
    })
    return [...operations, ...lost]
  }

  #endOf({ call, return: end, operation }: Timed): number {
    return end < Infinity ? end : Math.max(call, this.#deaths.get(operation.alone ?? '') ?? Infinity)
  }
}

function versionOf(operation: CacheOperation): number {
  if (operation.kind !== 'put' && operation.kind !== 'increment') return 0
  const { result } = operation
  return result !== UNKNOWN && 'version' in result ? result.version : 0
}

const TOLD_MAX = 30

/** The end of the shortest beginning that cannot be. */
function firstWrong(history: readonly Timed[]): string {
  const ends = history.map((one) => one.return).filter((end) => end < Infinity)
  ends.sort((a, b) => a - b)
  const upTo = (end: number): readonly Timed[] => {
    const begun = history.filter(({ call }) => call <= end)
    return begun.filter((one) => one.return <= end || isWrite(one)).map((one) => (one.return <= end ? one : inDoubt(one)))
  }
  let [low, high] = [0, ends.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (checkLinearizable(cacheModel, upTo(ends[middle] as number)) === 'linearizable') low = middle + 1
    else high = middle
  }
  return upTo(ends[low] ?? Infinity)
    .toSorted((a, b) => (a.return === Infinity ? 0 : a.return) - (b.return === Infinity ? 0 : b.return))
    .slice(-TOLD_MAX)
    .map(({ call, return: end, operation }) => `  ${call.toFixed(1)}..${end.toFixed(1)} ${JSON.stringify(operation)}`)
    .join('\n')
}

function isWrite({ operation: { kind } }: Timed): boolean {
  return kind !== 'read'
}

/** As it was known before it ended. */
function inDoubt(one: Timed): Timed {
  const { operation } = one
  const isKnown = operation.kind === 'put' || operation.kind === 'increment'
  return { ...one, return: Infinity, operation: isKnown ? { ...operation, result: UNKNOWN } : operation }
}
