/** The replicated path alone: commands of 64 bytes through the log of one group, three processes over NATS, fsync on. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './cluster.ts'
import { describeMachine } from './machine.ts'

const NODE = fileURLToPath(new URL('./commit-node.js', import.meta.url))
const IN_FLIGHT = [1, 16, 128, 1_024, 4_096]

export async function benchCommits(options: ReadonlyMap<string, string>): Promise<void> {
  const seconds = Number(options.get('seconds') ?? 5)
  const machine = describeMachine()
  process.stdout.write(`${machine}\nthree nodes and nats-server as processes, fsync on, 64-byte commands, ${seconds} s a row\n\n`)
  const root = mkdtempSync(join(tmpdir(), 'tricord-bench-'))
  const port = await freePort()
  const nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  const flags = options.has('profiles') ? ['--cpu-prof', `--cpu-prof-dir=${options.get('profiles')}`] : []
  const start = async (id: string): Promise<{ readonly child: ChildProcess; readonly leads: boolean }> => {
    const child = fork(NODE, [id, join(root, id), `nats://127.0.0.1:${port}`], {
      serialization: 'advanced',
      execArgv: flags,
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    })
    const [{ leads }] = (await once(child, 'message')) as [{ leads: boolean }]
    return { child, leads }
  }
  const nodes = await Promise.all(['n1', 'n2', 'n3'].map(start))
  try {
    const { child } = nodes.find(({ leads }) => leads) ?? nodes[0] ?? { child: nats }
    const rows = []
    process.stdout.write('in flight  commits/s   p50 ms   p95 ms   p99 ms\n')
    for (const inFlight of IN_FLIGHT) {
      child.send({ inFlight, seconds })
      const [{ latencies }] = (await once(child, 'message')) as [{ latencies: number[] }]
      latencies.sort((a, b) => a - b)
      const [p50 = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((quantile) => latencies[Math.floor(latencies.length * quantile)] ?? 0)
      const perSecond = Math.round(latencies.length / seconds)
      rows.push({ inFlight, perSecond, p50, p95, p99 })
      const times = [p50, p95, p99].map((ms) => ms.toFixed(2).padStart(8)).join(' ')
      process.stdout.write(`${String(inFlight).padStart(9)} ${String(perSecond).padStart(10)} ${times}\n`)
    }
    const file = options.get('json')
    if (file) writeFileSync(file, `${JSON.stringify({ machine, seconds, rows }, null, 2)}\n`)
  } finally {
    for (const { child } of nodes) child.kill('SIGKILL')
    nats.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  }
}
