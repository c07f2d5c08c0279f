/** `bin/tricord` itself, not the compiled entry point; and what `npm start` runs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'

let data: string
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'tricord-command-'))
})
afterAll(() => rm(data, { recursive: true }))

const { start } = (JSON.parse(readFileSync('package.json', 'utf8')) as { readonly scripts: { readonly start: string } }).scripts

function dev(command: string, environment: Record<string, string>): ChildProcess {
  const { UV_THREADPOOL_SIZE: _, ...inherited } = process.env
  const args = `--nodes 1 --port 0 --data ${data} --set cluster.partitions=1`
  return spawn('/bin/sh', ['-c', `exec ${command} ${args}`], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...inherited, ...environment } })
}

async function threadsOf(child: ChildProcess): Promise<number> {
  const [line] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [string]
  expect(line).toMatch(/^ready n1 /)
  const threads = readdirSync(`/proc/${child.pid}/task`).length
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  return threads
}

test.skipIf(!existsSync('/proc/self/task')).each(['bin/tricord dev', start])(
  '%s has sixteen threads for the disk, unless told otherwise',
  async (command) => {
    const four = await threadsOf(dev(command, { UV_THREADPOOL_SIZE: '4' }))
    // Other threads come and go by one or two.
    expect((await threadsOf(dev(command, {}))) - four).toBeGreaterThanOrEqual(10)
  },
)
