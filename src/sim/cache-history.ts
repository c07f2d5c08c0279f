/**
 * What the clients of the caches did and were told, and what that must satisfy:
 *
 *  - each key by itself is linearizable, whatever node and whatever copy it was read from;
 *  - one version is one value;
 *  - what an owner wrote alone is lost only with it, the newest of it only (cache-losses.ts).
 *
 * Where clocks are wrong beyond the bound, reads may be stale and nothing else: the writes alone are linearizable still, and
 * what is read was once there.
 */
import type { Millis } from '../base/ids.ts'
import { type Loss, withLosses } from './cache-losses.ts'
import { type CacheOperation, cacheModel } from './cache-model.ts'
import { type TimedOperation, checkLinearizable } from './linearizability.ts'
import { SimFailure } from './world.ts'

type WithoutMeanwhile<O> = O extends { readonly meanwhile: string } ? Omit<O, 'meanwhile'> : O
/** Which tags were invalidated while it was under way is known in the end. */
export type Told = WithoutMeanwhile<CacheOperation>

export interface Open {
  readonly key: string
  readonly call: number
  /** Of the world. */
  readonly calledAt: Millis
  told: Told | null
  end: number
  endedAt: Millis
  /** Of a put that ends a load: when that was asked for. */
  since: number
  /** The life that may have done it alone; '': it went through the log. */
  alone: string
  /** It went nowhere else: what is not told of it when that life is over will not happen any more. */
  onlyThere: boolean
}

export interface CacheVerdict {
  readonly inconclusive: number
  /** Keys of which something was read that was not current. */
  readonly stale: readonly string[]
}

const MEANWHILE: ReadonlySet<Told['kind']> = new Set(['put', 'increment', 'delete'])

interface TagDrop {
  readonly tag: string
  readonly open: Open
}

export class CacheHistory {
  readonly #operations: Open[] = []
  readonly #drops: TagDrop[] = []
  readonly #losses: Loss[] = []
  readonly #diedAt = new Map<string, number>()
  readonly #now: () => Millis
  #clock = 0
  acknowledged = 0
  unknown = 0

  constructor(now: () => Millis) {
    this.#now = now
  }

  /** Of this key, in the order in which they began. */
  of(key: string): readonly Open[] {
    return this.#operations.filter((open) => open.key === key)
  }

  get operations(): number {
    return this.#operations.length
  }

  begin(key: string, since?: number): Open {
    const call = ++this.#clock
    const open: Open = {
      key,
      call,
      calledAt: this.#now(),
      told: null,
      end: Infinity,
      endedAt: Infinity,
      since: since ?? call,
      alone: '',
      onlyThere: false,
    }
    this.#operations.push(open)
    return open
  }

  /** With a result that is known, or (`known` false) may still happen. Never called: it did not happen, or nobody saw it. */
  end(open: Open, told: Told, known: boolean): void {
    open.told = told
    open.end = known ? ++this.#clock : Infinity
    open.endedAt = known ? this.#now() : Infinity
    if (told.kind === 'invalidate' && told.tag !== '') this.#drops.push({ tag: told.tag, open })
    if (known) this.acknowledged++
    else this.unknown++
  }

  /** This life is over, or said that it lost so many writes of the key. */
  lose(key: string, owner: string, count: number): void {
    this.#losses.push({ key, owner, count, at: ++this.#clock })
  }

  died(life: string): void {
    this.#diedAt.set(life, ++this.#clock)
  }

  /** Operations of the key that may still happen, or may have. */
  doubts(key: string): number {
    return this.#operations.filter((open) => open.key === key && open.told !== null && this.#endOf(open) === Infinity).length
  }

  #endOf({ end, onlyThere, alone }: Open): number {
    return Math.min(end, (onlyThere && this.#diedAt.get(alone)) || Infinity)
  }

  get now(): number {
    return this.#clock
  }

  /** Throws where a key was not linearizable, or (`onlyStale`) where anything was wrong but what was read. */
  check(onlyStale: boolean): CacheVerdict {
    let inconclusive = 0
    const stale: string[] = []
    for (const key of [...new Set(this.#operations.map((open) => open.key))].sort()) {
      const history = this.#timed(key)
      this.#checkVersions(key, history)
      const verdict = checkLinearizable(cacheModel, history)
      if (verdict === 'unknown') inconclusive++
      if (verdict !== 'not linearizable') continue
      stale.push(key)
      if (!onlyStale) this.#fail(key, history)
      const writes = history.filter(({ operation: { kind } }) => kind !== 'read')
      const ofWrites = checkLinearizable(cacheModel, writes)
      if (ofWrites === 'unknown') inconclusive++
      if (ofWrites === 'not linearizable') this.#fail(`writes of ${key}`, writes)
    }
    return { inconclusive, stale }
  }

  #fail(what: string, history: readonly TimedOperation<CacheOperation>[]): never {
    throw new SimFailure(`linearizability: ${what}\n${firstWrong(history).map(describe).join('\n')}`)
  }

  #checkVersions(key: string, history: readonly TimedOperation<CacheOperation>[]): void {
    const values = new Map<number, number>()
    for (const { operation } of history) {
      const { version, value } = valueIn(operation)
      if (version === 0) continue
      const known = values.get(version) ?? value
      if (known !== value) throw new SimFailure(`versions: ${key} at ${version} is ${known} and ${value}`)
      values.set(version, value)
    }
  }

  #timed(key: string): readonly TimedOperation<CacheOperation>[] {
    const timed: TimedOperation<CacheOperation>[] = []
    for (const open of this.#operations) {
      const { key: of, call, since, told, alone } = open
      if (of !== key || !told) continue
      const end = this.#endOf(open)
      const meanwhile = [
        ...new Set(this.#drops.filter((drop) => drop.open.call < end && since < drop.open.end).map(({ tag }) => tag)),
      ].join(' ')
      timed.push({ call, return: end, operation: { ...told, alone, ...(MEANWHILE.has(told.kind) && { meanwhile }) } as CacheOperation })
    }
    const losses = this.#losses.filter((loss) => loss.key === key)
    return withLosses(timed, losses)
  }
}

function valueIn(operation: CacheOperation): { readonly version: number; readonly value: number } {
  const nothing = { version: 0, value: 0 }
  if (operation.kind === 'read') return operation.value === null ? nothing : { version: operation.version, value: operation.value }
  if (operation.kind !== 'put' && operation.kind !== 'increment') return nothing
  const { result } = operation
  if (typeof result === 'string' || !('version' in result)) return nothing
  return { version: result.version, value: 'value' in result ? result.value : (operation as { value: number }).value }
}

/** The shortest beginning that cannot be: the last of it is what went wrong, or was told too much. */
function firstWrong(history: readonly TimedOperation<CacheOperation>[]): readonly TimedOperation<CacheOperation>[] {
  const ends = history.map((operation) => operation.return).filter((end) => end < Infinity)
  ends.sort((a, b) => a - b)
  let [low, high] = [0, ends.length - 1]
  const upTo = (end: number) =>
    history
      .filter(({ call }) => call <= end)
      .map((one) => (one.return <= end ? one : { ...one, operation: inDoubt(one.operation), return: Infinity }))
  const isWrong = (end: number): boolean =>
    checkLinearizable(
      cacheModel,
      upTo(end).filter(({ operation, return: at }) => at <= end || operation.kind !== 'read'),
    ) === 'not linearizable'
  while (low < high) {
    const middle = (low + high) >> 1
    if (isWrong(ends[middle] as number)) high = middle
    else low = middle + 1
  }
  // In the order of their ends, so that what cannot be is the last line.
  const told = upTo(ends[low] ?? Infinity).filter(({ operation, return: at }) => at < Infinity || operation.kind !== 'read')
  const isOver = ({ return: at }: { readonly return: number }): number => (at < Infinity ? at : 0)
  return told.toSorted((a, b) => isOver(a) - isOver(b)).slice(-TOLD_MAX)
}

const TOLD_MAX = 60

/** As it was known before it ended. */
function inDoubt(operation: CacheOperation): CacheOperation {
  switch (operation.kind) {
    case 'put':
    case 'increment':
    case 'delete':
      return { ...operation, result: 'unknown' }
    case 'invalidate':
      return { ...operation, removed: null }
    default:
      return operation
  }
}

function describe({ call, return: end, operation }: TimedOperation<CacheOperation>): string {
  return `  ${call}..${end} ${JSON.stringify(operation)}`
}
