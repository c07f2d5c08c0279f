/**
 * `npm run sim -- --seed N --count M [--safety MS] [--membership on|off] [--workload locks|queues|both|caches|all] [--drift 20%]
 * [--writeback on|off] [--lending on|off] [--room] [--quiet] [--rotten] [--trace]`: runs M seeds from N on. A line per failing seed with the
 * command that repeats it; at the end what was simulated and how fast. Exits with 1 if a seed failed.
 */
import { parseArgs } from 'node:util'
import { loadHash } from '../io/hash.ts'
import { WORKLOADS, type WorkloadChoice } from './options.ts'
import { type RunResult, runSeed } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '20' },
    safety: { type: 'string' },
    membership: { type: 'string' },
    drift: { type: 'string' },
    writeback: { type: 'string' },
    lending: { type: 'string' },
    room: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    workload: { type: 'string' },
    rotten: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    hashes: { type: 'boolean', default: false },
  },
})
const overrides = {
  ...(values.safety !== undefined && { safetyMs: Number(values.safety) }),
  ...(values.membership !== undefined && { membership: values.membership === 'on' }),
  ...(values.writeback !== undefined && { writeback: values.writeback === 'on' }),
  ...(values.lending !== undefined && { lending: values.lending === 'on' }),
  ...(values.room && { room: true }),
  ...(values.quiet && { quiet: true }),
  ...(values.workload !== undefined && { workload: workloadOf(values.workload) }),
  ...(values.rotten && { rotten: true }),
  ...(values.drift !== undefined && { driftPpm: driftOf(values.drift) }),
}
const first = Number(values.seed)
const count = Number(values.count)

const hash = await loadHash()
const began = performance.now()
const faults = new Map<string, number>()
let [events, elapsedMs, operations, unknown, inconclusive, stale, failed] = [0, 0, 0, 0, 0, 0, 0]

for (let seed = first; seed < first + count; seed++) {
  const result = await runSeed(seed, hash, overrides)
  events += result.events
  elapsedMs += result.elapsedMs
  operations += result.operations
  unknown += result.unknown
  inconclusive += result.inconclusive
  stale += result.stale
  for (const [kind, times] of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + times)
  if (values.hashes) print(`seed ${seed} ${result.hash} ${result.events} events`)
  if (result.failure) {
    failed++
    report(result)
  }
}

const seconds = (performance.now() - began) / 1_000
print(`seeds ${first} to ${first + count - 1}: ${count - failed} passed, ${failed} failed`)
print(
  `${events} events, ${Math.round(events / seconds)} per second; ${Math.round(elapsedMs / 1_000)} s of cluster time in ${seconds.toFixed(1)} s`,
)
print(
  `${operations} operations, ${unknown} of unknown outcome, ${inconclusive} searches given up${stale > 0 ? `, ${stale} histories with stale reads` : ''}`,
)
print(
  `faults: ${[...faults]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, times]) => `${kind} ${times}`)
    .join(', ')}`,
)
process.exitCode = failed > 0 ? 1 : 0

function report({ seed, failure, options, hash: digest, trace, events: at }: RunResult): void {
  print(`seed ${seed} FAILED after ${at} events, hash ${digest}: ${failure?.message ?? ''}`)
  const kind = `${values.room ? ' --room' : ''}${values.quiet ? ' --quiet' : ''}${values.rotten ? ' --rotten' : ''}`
  const how = `${given('safety')}${given('membership')}${given('workload')}${given('drift')}${given('writeback')}${given('lending')}${kind}`
  print(`  repeat: npm run sim -- --seed ${seed} --count 1${how} --trace`)
  if (!values.trace) return
  print(JSON.stringify(options, null, 1))
  for (const line of trace) print(line)
  print(failure?.stack ?? '')
}

function workloadOf(text: string): WorkloadChoice {
  const found = WORKLOADS.find((workload) => workload === text)
  if (!found) throw new Error(`--workload ${text}: one of ${WORKLOADS.join(', ')}`)
  return found
}

/** In parts of a million. */
function driftOf(text: string): number {
  const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? []
  if (percent === undefined) throw new Error(`--drift ${text}: in percent, as 20%`)
  return Number(percent) * 10_000
}

function given(name: 'safety' | 'membership' | 'workload' | 'drift' | 'writeback' | 'lending'): string {
  return values[name] === undefined ? '' : ` --${name} ${values[name]}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
