/** Runs what must notice a mutant in the copy that has it, and tells whether it did. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Killer, Mutant } from './mutant.ts'
import { plant } from './patch.ts'

const TIMEOUT_MS = 150_000

export interface Outcome {
  readonly killed: boolean
  /** The first line of the failure, or why nothing was proved. */
  readonly why: string
}

/** What vitest's JSON reporter tells. */
interface Report {
  readonly numFailedTests: number
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly failureMessages?: readonly string[] }[]
  }[]
}

export async function kill(mutant: Mutant): Promise<Outcome> {
  const { directory, remove } = plant(mutant)
  try {
    const report = join(directory, 'report.json')
    const output = await vitest(directory, [...argumentsFor(mutant.killedBy), '--reporter=json', `--outputFile=${report}`], mutant.killedBy)
    // A machine that is slow kills nothing.
    if (output === 'timeout') return { killed: false, why: `no end within ${TIMEOUT_MS / 1_000} s` }
    if (!existsSync(report)) return { killed: false, why: `no report: ${output.slice(-500)}` }
    return judge(JSON.parse(readFileSync(report, 'utf8')) as Report)
  } finally {
    remove()
  }
}

/** A test has to have failed: a file that does not even load proves nothing. */
function judge({ numFailedTests, numPassedTests, testResults }: Report): Outcome {
  if (numFailedTests + numPassedTests === 0) return { killed: false, why: 'no test ran' }
  const messages = testResults.flatMap(({ assertionResults }) => assertionResults.flatMap(({ failureMessages }) => failureMessages ?? []))
  return { killed: numFailedTests > 0, why: messages[0]?.split('\n')[0] ?? 'every test passed' }
}

function argumentsFor(killer: Killer): string[] {
  if (killer.by === 'simulator') return ['--config', 'mutants/vitest.config.ts', 'mutants/seeds.test.ts']
  const name = killer.test.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return ['--project', 'unit', killer.file, '--testNamePattern', name]
}

function simulated({
  seeds,
  safetyMs,
  quiet = false,
  workload,
  driftPpm,
  writeback,
  lending = false,
}: Extract<Killer, { by: 'simulator' }>) {
  return {
    MUTANT_SEEDS: seeds.join(),
    MUTANT_SAFETY_MS: String(safetyMs),
    MUTANT_QUIET: String(quiet),
    MUTANT_WORKLOAD: workload ?? 'locks',
    MUTANT_DRIFT_PPM: String(driftPpm ?? ''),
    MUTANT_WRITEBACK: String(writeback ?? ''),
    MUTANT_LENDING: String(lending),
  }
}

function vitest(directory: string, args: readonly string[], killer: Killer): Promise<string> {
  const seeds = killer.by === 'simulator' ? simulated(killer) : {}
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--maxWorkers=1', ...args], {
      cwd: directory,
      env: { ...process.env, ...seeds },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      output = 'timeout'
    }, TIMEOUT_MS)
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve(output)
    })
  })
}
