/** One row of the bench of caches: a load on a cluster, what it took, and whether all that was seen is coherent. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Verdict, checkHistory } from './cache-history.ts'
import type { CacheOutcome, CacheTask } from './cache-load.ts'
import type { BenchCluster } from './cluster.ts'
import { outcomeOf } from './outcome.ts'

const GENERATOR = fileURLToPath(new URL('./cache-generator.js', import.meta.url))

export type Times = readonly [p50: number, p99: number, p999: number, max: number]

export interface CacheRow {
  readonly name: string
  readonly kind: CacheTask['kind']
  readonly bytes: number
  readonly callers: number
  readonly perSecond: number
  readonly read: Times | null
  readonly write: Times | null
  /** Of the reads. */
  readonly hitShare: number
  readonly refused: number
  /** Between homes and nodes, per operation. */
  readonly messages: number
  /** CPU microseconds per operation: nats, n1, n2, n3, load. What makes the load inside of a node is the node's. */
  readonly cpuMicros: readonly number[]
  readonly verdict: Verdict
}

export interface Wish extends Pick<CacheTask, 'kind' | 'cache' | 'keys' | 'bytes' | 'reads' | 'choice'> {
  readonly name: string
  readonly callers: number
  readonly seconds?: number
  readonly rate?: number
  /** Nodes that the load goes to; all. */
  readonly nodes?: readonly number[]
  /** What it leaves to be done is done so long after it, and counts in its CPU. */
  readonly settleMs?: number
}

export class CacheRows {
  readonly #cluster: BenchCluster
  readonly rows: CacheRow[] = []
  #row = 0

  constructor(cluster: BenchCluster) {
    this.#cluster = cluster
  }

  /** Measured and told. */
  async measure(wish: Wish): Promise<CacheRow> {
    const cluster = this.#cluster
    const [cpuBefore, messagesBefore] = [cluster.cpuSeconds(), await cluster.counter('tricord_cache_messages_total')]
    const outcomes = await this.run(wish)
    if (wish.settleMs !== undefined) await new Promise((resolve) => setTimeout(resolve, wish.settleMs))
    const cpu = cluster.cpuSeconds().map((now, at) => now - (cpuBefore[at] ?? 0))
    const messages = (await cluster.counter('tricord_cache_messages_total')) - messagesBefore
    const row = this.told(wish, outcomes, cpu, messages)
    this.rows.push(row)
    process.stdout.write(`${format(row)}\n`)
    return row
  }

  told(wish: Wish, outcomes: readonly CacheOutcome[], cpu: readonly number[], messages: number): CacheRow {
    const { name, kind, bytes, callers } = wish
    const total = (of: (outcome: CacheOutcome) => number): number => outcomes.reduce((sum, outcome) => sum + of(outcome), 0)
    const [read, write] = ([0, 1] as const).map((isWrite) => msOf(outcomes, isWrite)) as [Float64Array, Float64Array]
    const [reads, writes] = [read.length, write.length]
    const load = kind === 'node' ? 0 : total(({ cpuSeconds }) => cpuSeconds)
    return {
      name,
      kind,
      bytes,
      callers,
      perSecond: Math.round(((reads + writes) * 1_000) / Math.max(...outcomes.map(({ elapsedMs }) => elapsedMs))),
      read: timesOf(read),
      write: timesOf(write),
      hitShare: reads === 0 ? 0 : total(({ hits }) => hits) / reads,
      refused: total(({ refused }) => refused),
      messages: messages / (reads + writes),
      cpuMicros: [...cpu, load].map((seconds) => Math.round((seconds * 1e6) / (reads + writes))),
      verdict: checkHistory(outcomes, wish.keys, this.#row),
    }
  }

  /** One generator per node, or the node itself. */
  run(wish: Wish): Promise<CacheOutcome[]> {
    this.#row += 1
    const { kind, cache, keys, bytes, reads, choice, callers, seconds = 0, rate = 0, nodes = [0, 1, 2] } = wish
    const share = (nth: number): number => Math.floor(callers / nodes.length) + (nth < callers % nodes.length ? 1 : 0)
    return Promise.all(
      nodes.map(async (at, nth): Promise<CacheOutcome> => {
        const url = this.#cluster.urls[at] ?? ''
        const mine = { callers: share(nth), rate: rate / nodes.length, generator: at, row: this.#row }
        const task: CacheTask = { kind, url, cache, keys, bytes, reads, choice, seconds, ...mine }
        if (kind === 'node') return (await this.#cluster.tell(at, task)) as CacheOutcome
        const child = fork(GENERATOR, { serialization: 'advanced' })
        child.send(task)
        return outcomeOf<CacheOutcome>(child)
      }),
    )
  }
}

/** Of the answered calls, sorted. */
export function msOf(outcomes: readonly CacheOutcome[], ofWrites: 0 | 1, ofKey: (key: number) => boolean = () => true): Float64Array {
  const all = outcomes.map(({ ms, isWrite, version, key }) => {
    const isMeant = (_: number, at: number): boolean => isWrite[at] === ofWrites && (version[at] as number) >= 0 && ofKey(key[at] as number)
    return ms.filter(isMeant)
  })
  const joined = new Float64Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of all) {
    joined.set(part, at)
    at += part.length
  }
  return joined.sort()
}

export function timesOf(sorted: Float64Array): Times | null {
  if (sorted.length === 0) return null
  const quantile = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return [quantile(0.5), quantile(0.99), quantile(0.999), quantile(1)]
}

export const HEAD =
  'load                        kind bytes callers    ops/s  read ms p50/p99/p99.9      write ms p50/p99/p99.9     hits  msgs/op  CPU us/op: nats n1 n2 n3 load'

function format(row: CacheRow): string {
  const ms = (times: Times | null): string => (times?.slice(0, 3).map(digits).join(' / ') ?? '-').padEnd(25)
  const head = `${row.name.padEnd(27)} ${row.kind.padEnd(4)} ${String(row.bytes).padStart(5)} ${String(row.callers).padStart(7)} ${String(row.perSecond).padStart(8)}`
  const hits = row.read === null ? '-' : `${(row.hitShare * 100).toFixed(1)}%`
  const tail = `${hits.padStart(6)} ${row.messages.toFixed(2).padStart(8)}  ${row.cpuMicros.join(' ')}`
  const refused = row.refused === 0 ? '' : `  refused ${row.refused}`
  return `${head}  ${ms(row.read)}  ${ms(row.write)} ${tail}${refused}${judged(row.verdict)}`
}

function digits(ms: number): string {
  return ms < 1 ? ms.toFixed(3) : ms.toFixed(2)
}

function judged({ checked, violations }: Verdict): string {
  return violations.length === 0 ? `  ok (${checked})` : `  INCOHERENT\n  ${violations.join('\n  ')}`
}
