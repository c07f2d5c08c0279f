/**
 * What a node that writes lines alone (`writeback`) may lose, in the history of a key. Pure.
 *
 *   w4 ── w5 ── w6 ── its node is gone, with two writes that were not in the log
 *         └─────┴─ may be lost, and w5 only with w6: the loss is one operation, after those of them that were acknowledged
 */
import { type CacheOperation, UNKNOWN } from './cache-model.ts'
import type { TimedOperation } from './linearizability.ts'

export interface Loss {
  readonly key: string
  /** The life that wrote. */
  readonly owner: string
  /** Writes that it did not put into the log, those of which nobody was told included. */
  readonly count: number
  /** When it was over, or said so, on the line of time of the history. */
  readonly at: number
}

type Timed = TimedOperation<CacheOperation>

/** The history with the losses in it; the writes that they may concern are marked. */
export function withLosses(history: readonly Timed[], losses: readonly Loss[]): readonly Timed[] {
  if (losses.length === 0) return history
  const losable = new Set<Timed>()
  const operations = losses.map(({ owner, count, at }): Timed => {
    const written = history.filter(({ operation, call }) => operation.alone === owner && call < at && isWrite(operation))
    const acknowledged = written.filter((one) => one.return < at)
    const last = acknowledged
      .filter(({ operation }) => versionOf(operation) > 0)
      .sort((a, b) => versionOf(a.operation) - versionOf(b.operation))
      .slice(-count)
    for (const one of [...last, ...written.filter(({ operation }) => 'result' in operation && operation.result === UNKNOWN)])
      losable.add(one)
    // Whatever else it said later, or never said, it may have said with nothing left.
    const since = Math.max(0, ...last.map((one) => one.return))
    // Not at the very moment of the last answer: that write would overlap it.
    return { call: since + 0.5, return: at, operation: { kind: 'loss', owner, count } }
  })
  const marked = history.map((one) => (losable.has(one) ? { ...one, operation: { ...one.operation, losable: true } } : one))
  return [...marked, ...operations]
}

function isWrite({ kind }: CacheOperation): boolean {
  return kind === 'put' || kind === 'increment' || kind === 'delete'
}

/** 0: it wrote nothing, or nobody was told. */
function versionOf(operation: CacheOperation): number {
  const result = 'result' in operation ? operation.result : null
  return result !== null && typeof result === 'object' && 'version' in result ? result.version : 0
}
