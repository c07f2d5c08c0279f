/**
 * Judges what the callers of a cache saw. Versions of a key order its writes, and every read says which write it read, so a
 * history is linearizable exactly when no call contradicts one that was over before it began:
 *
 *   a read is not older than anything that was answered before       a write is newer than that
 *   a read shows the value that the write of its version wrote       and not before that write began
 */
import { type CacheOutcome, rowOf } from './cache-load.ts'

interface Call {
  readonly isWrite: boolean
  readonly version: number
  readonly stamp: number
  readonly began: number
  readonly ended: number
}

export interface Verdict {
  readonly checked: number
  /** The first of them. */
  readonly violations: readonly string[]
}

const TOLD_MAX = 5

/** Of one row: what earlier rows wrote is known by its stamps. */
export function checkHistory(outcomes: readonly CacheOutcome[], keys: readonly string[], row: number): Verdict {
  const byKey = new Map<number, Call[]>()
  let checked = 0
  for (const { isWrite, key, version, stamp, began, ended } of outcomes) {
    checked += key.length
    for (const [at, one] of key.entries()) {
      const calls = byKey.get(one) ?? []
      byKey.set(one, calls)
      calls.push({
        isWrite: isWrite[at] === 1,
        version: version[at] as number,
        stamp: stamp[at] as number,
        began: began[at] as number,
        ended: ended[at] as number,
      })
    }
  }
  const violations: string[] = []
  for (const [key, calls] of byKey) {
    const complain = (what: string, call: Call): void => {
      if (violations.length < TOLD_MAX) violations.push(`${keys[key]}: ${what}: ${JSON.stringify(call)}`)
    }
    checkOrder(calls, complain)
    checkValues(calls, row, complain)
  }
  return { checked, violations }
}

type Complain = (what: string, call: Call) => void

function checkOrder(calls: readonly Call[], complain: Complain): void {
  const ending = calls.filter(({ version }) => version >= 0).sort((a, b) => a.ended - b.ended)
  let [newest, over] = [0, 0]
  for (const call of calls) if (!Number.isSafeInteger(call.version)) complain('no version', call)
  for (const call of calls.toSorted((a, b) => a.began - b.began)) {
    for (; over < ending.length && (ending[over] as Call).ended < call.began; over++) {
      newest = Math.max(newest, (ending[over] as Call).version)
    }
    if (call.version < 0) continue
    if (call.version < newest) complain(`older than version ${newest}, which was answered before`, call)
    else if (call.isWrite && call.version === newest) complain('the version of another call', call)
  }
}

function checkValues(calls: readonly Call[], row: number, complain: Complain): void {
  const written = new Map<number, Call>()
  const unanswered = new Map<number, Call>()
  for (const call of calls) {
    if (!call.isWrite) continue
    if (call.version < 0) unanswered.set(call.stamp, call)
    else if (written.has(call.version)) complain('two writes have its version', call)
    else written.set(call.version, call)
  }
  const earlier = new Map<number, number>()
  for (const call of calls) {
    if (call.isWrite) continue
    const write = written.get(call.version) ?? unanswered.get(call.stamp)
    if (write !== undefined) {
      if (write.stamp !== call.stamp) complain(`another value than ${write.stamp}, which was written`, call)
      if (write.began > call.ended) complain('read before it was written', call)
      continue
    }
    const stamp = earlier.get(call.version) ?? call.stamp
    earlier.set(call.version, stamp)
    if (stamp !== call.stamp) complain(`another value than ${stamp}, which has its version, too`, call)
    if (call.stamp !== 0 && rowOf(call.stamp) >= row) complain('nobody wrote it', call)
  }
}
