/** The lines of docs/caches.md as somebody pastes them, one after the other, against a cluster as `npm start` makes it. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startEmbedded } from '../src/embedded.ts'

const run = promisify(execFile)

/** Every call also tells its status, and what it answered is of one line. */
const CURL = `curl() { command curl "$@" -w '%{stderr}%{http_code}\\n'; echo; }`

test('every call is answered as it says', async () => {
  const bugs: unknown[] = []
  const onBug = (error: unknown) => void bugs.push(error)
  const cluster = await startEmbedded({ nodes: 3, port: 0, data: null, sets: [], onBug, onDiskFatal: onBug })
  try {
    const docs = await readFile(new URL('../docs/caches.md', import.meta.url), 'utf8')
    const blocks = [...docs.matchAll(/```sh\n(.*?)```/gs)].map(([, lines]) => lines)
    const urls = [8080, 8081, 8082].map((port) => `http://127.0.0.1:${port}`)
    const script = urls.reduce((text, url, nth) => text.replaceAll(url, cluster.nodes[nth]?.url ?? ''), [CURL, ...blocks].join('\n'))
    const { stdout, stderr } = await run('bash', ['-c', script])
    const statuses = stderr.trim().split('\n').map(Number)
    // As the comments have it, in their order; where they name none: 200, of mput and mget the status of the call.
    expect(statuses.slice(0, 9)).toEqual([201, 200, 200, 304, 200, 412, 201, 200, 204])
    expect(statuses.slice(9)).toEqual([200, 200, 200, 200, 202, 201, 201, 200, 200, 201])
    const answers = stdout.split('\n')
    const lineWith = (text: string) => answers.find((line) => line.includes(text)) ?? `none with ${text}`
    const told = (header: string) =>
      answers.filter((line) => line.toLowerCase().startsWith(header)).map((line) => line.trim().split(' ')[1])
    expect([told('tricord-line:')[0], told('tricord-cache:')[0]]).toEqual(['I', 'miss'])
    // Read again it is a hit: at once, unless a lease ran out on a busy machine.
    const again = async (): Promise<unknown> => {
      const { headers } = await fetch(`${cluster.nodes[1]?.url}/v1/caches/app/entries/user%2F8`)
      return [headers.get('tricord-line'), headers.get('tricord-cache')]
    }
    await expect.poll(again).toEqual(['S', 'hit'])
    expect(JSON.parse(lineWith('VERSION_MISMATCH'))).toMatchObject({ version: 1 })
    expect(lineWith('"value":')).toBe('{"value":5,"version":1}')
    expect(lineWith('"invalidated":')).toBe('{"invalidated":1}')
    expect(lineWith('"found":')).toContain('{"key":"c","found":false}')
    expect(JSON.parse(lineWith('"enqueued":'))).toMatchObject({
      results: [{ put: { created: true } }, { enqueued: [{ deduplicated: false }] }],
    })
    expect(lineWith('"loadToken":')).toBe('{"loadToken":"1","leaseMs":10000}')
    const members = [
      'entries',
      'bytes',
      'memoryBytes',
      'hits',
      'misses',
      'hitRatio',
      'evictions',
      'lines',
      'coherence',
      'falseInvalidations',
      'pingPong',
      'unanswered',
      'config',
    ]
    expect(Object.keys(JSON.parse(lineWith('"hitRatio":')) as object)).toEqual(['cache', ...members])
    const line = JSON.parse(lineWith('"lastInvalidation":')) as { nodes: object; lastInvalidation: { ackMs: number } | null }
    expect(Object.keys(line)).toEqual([
      'key',
      'version',
      'home',
      'partition',
      'busy',
      'waitsFor',
      'nodes',
      'unanswered',
      'lastInvalidation',
    ])
    expect(Object.keys(line.nodes)).toEqual(['n1', 'n2', 'n3'])
  } finally {
    await cluster.stop()
  }
  expect(bugs).toEqual([])
})
