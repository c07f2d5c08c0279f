/**
 * kill -9 of the home of a key, again and again, while somebody on another node is subscribed to it: each answered write is told,
 * in its order and without a gap, soon after the next home speaks. KILLS=20 for the long run.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, openSocket } from '../socket-client.ts'
import { type ProcessCluster, call, startProcesses } from './processes.ts'

const KILLS = Number(process.env['KILLS'] ?? 3)
const WRITES_BETWEEN = 50

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await startProcesses({ sets: ['cluster.partitions=8'] })
})
afterAll(() => cluster.stop())

const socketOf = (url: string) => openSocket(`${url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')

/** By the word of any node that knows. */
async function homeOf(key: string): Promise<string> {
  for (;;) {
    for (const { url } of cluster.nodes) {
      const { body } = await call(url, 'GET', `/v1/caches/c/lines/${key}`)
      if (typeof body['home'] === 'string') return body['home']
    }
  }
}

test('no answered write goes untold', async () => {
  const [tellMs, answerMs]: [number[], number[]] = [[], []]
  let round = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const home = await homeOf('k')
    const victim = cluster.nodes.find(({ id }) => id === home)!
    const [a, b] = cluster.nodes.filter(({ id }) => id !== home)
    const [reader, writer] = [await socketOf(a!.url), await socketOf(b!.url)]
    const { seq } = await reader.result('cache.subscribe', { cache: 'c', all: true })
    const versions: number[] = []
    const write = async (): Promise<void> => {
      const members = { cache: 'c', key: 'k', data: ++round, idempotencyKey: `${round}` }
      let answer: Answer = await writer.call('cache.put', members)
      while (answer['ok'] !== true) answer = await writer.call('cache.put', members)
      versions.push((answer['result'] as { version: number }).version)
      // Both nodes have copies again, the home as well: it is known who may serve what was before.
      await Promise.all([reader, writer].map((socket) => socket.call('cache.get', { cache: 'c', key: 'k' })))
    }
    for (let nth = 0; nth < WRITES_BETWEEN; nth++) await write()
    const killedAt = performance.now()
    const killed = victim.kill()
    await write()
    answerMs.push(Math.round(performance.now() - killedAt))
    let heard = seq
    const told: number[] = []
    const hearAll = async (): Promise<void> => {
      while (told.at(-1) !== versions.at(-1)) {
        const event = await reader.answer('cache.invalidate')
        expect(event['seq']).toBe(++heard)
        // The next home may tell what the last one told.
        if (event['version'] !== told.at(-1)) told.push(event['version'] as number)
      }
    }
    await hearAll()
    tellMs.push(Math.round(performance.now() - killedAt))
    for (let nth = 0; nth < WRITES_BETWEEN; nth++) await write()
    await hearAll()
    expect(told).toEqual(versions)
    await Promise.all([reader.close(), writer.close()])
    await killed
    await victim.start()
  }
  console.log(
    `${KILLS} kills; ms from a kill to the answer of the next write: ${answerMs.join(' ')}; until it was told: ${tellMs.join(' ')}`,
  )
}, 600_000)
