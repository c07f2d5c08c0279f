/**
 * Clients that keep what a node lends them, while that node is frozen, and killed and started again: they are cut off and do not know it,
 * serve as long as their lease lasts, and never anything older than an answered write. A writer waits for them no longer than for the node.
 * ROUNDS=30 for the long run.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LentClient } from '../cache/lent-client.ts'
import { type SocketClient, openSocket } from '../socket-client.ts'
import { type NodeProcess, type ProcessCluster, startProcesses } from './processes.ts'

const KEYS = Array.from({ length: 20 }, (_, nth) => `k${nth}`)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await startProcesses({ sets: ['cluster.partitions=4'] })
})
afterAll(() => cluster.stop())

const socketOf = (url: string): Promise<SocketClient> => openSocket(`${url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')

async function put(writer: SocketClient, cache: string, key: string, data: number): Promise<number> {
  const members = { cache, key, data, idempotencyKey: `${cache}-${key}-${data}` }
  let answer = await writer.call('cache.put', members)
  while (answer['ok'] !== true) answer = await writer.call('cache.put', members)
  return (answer['result'] as { version: number }).version
}

type Fault = (node: NodeProcess) => Promise<void>
const FAULTS: readonly (readonly [name: string, break_: Fault, mend: Fault])[] = [
  ['frozen', async (node) => node.pause(), async (node) => node.resume()],
  [
    'killed and started again at once',
    async (node) => {
      await node.kill()
      await node.start()
    },
    async () => {},
  ],
]

test.each(FAULTS)(
  'a node that is %s',
  async (name, fail, mend) => {
    const lender = cluster.nodes[0] as NodeProcess
    const writer = await socketOf(cluster.nodes[1]!.url)
    const waits: number[] = []
    let hits = 0
    for (let round = 0; round < ROUNDS; round++) {
      const cache = `${name.slice(0, 6)}-${round}`
      const told = new Map<string, number>()
      for (const key of KEYS) told.set(key, await put(writer, cache, key, 0))
      const client = await LentClient.connect(lender.url, { cache, all: true })
      const isKept = async (key: string): Promise<boolean> => {
        await client.get(cache, key)
        return client.cache.get(key, performance.now()) !== undefined
      }
      for (const key of KEYS) await expect.poll(() => isKept(key), { timeout: 20_000 }).toBe(true)
      client.stop()
      let isOver = false
      const serving = (async () => {
        for (let nth = 0; !isOver; nth++) {
          const key = KEYS[nth % KEYS.length] as string
          const kept = client.cache.get(key, performance.now())
          if (kept !== undefined) {
            hits += 1
            expect(kept.version).toBeGreaterThanOrEqual(told.get(key) as number)
          }
          await nextTurn()
        }
      })()
      const failing = fail(lender)
      const from = performance.now()
      await Promise.all(
        KEYS.map(async (key) => {
          told.set(key, await put(writer, cache, key, 1))
          waits.push(performance.now() - from)
        }),
      )
      isOver = true
      await serving
      await failing
      await mend(lender)
      client.socket.terminate()
    }
    await writer.close()
    console.log(
      `${name}: ${hits} hits of who was cut off; writers waited ${Math.round(Math.min(...waits))} to ${Math.round(Math.max(...waits))} ms`,
    )
    expect(hits).toBeGreaterThan(100)
  },
  60_000 * ROUNDS,
)
