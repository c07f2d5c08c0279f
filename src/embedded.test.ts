import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, type Server, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError } from './config.ts'
import { configOf, startEmbedded } from './embedded.ts'

test('each node of an embedded cluster has ports of its own', () => {
  const ports = (port: number, metricsPort: number) =>
    ['n1', 'n2'].map((id, at) => {
      const { http, metrics } = configOf({ port, sets: [`metrics.port=${metricsPort}`] }, ['n1', 'n2'], id, at)
      return [http.port, metrics.port]
    })
  expect(ports(8080, 9090)).toEqual([
    [8080, 9090],
    [8081, 9091],
  ])
  expect(ports(0, 0)).toEqual([
    [0, 0],
    [0, 0],
  ])
})

test('what is set for all nodes by the environment counts; what each has of its own is refused, or left aside', () => {
  const environment = { TRICORD_LOCKS_DEFAULT_TTL_SECONDS: '7', TRICORD_CLUSTER_NODE_ID: 'n9', TRICORD_HTTP_PUBLIC_URL: 'http://one' }
  const { locks, cluster, http } = configOf({ port: 1, environment }, ['n1'], 'n1', 0)
  expect([locks.default_ttl_seconds, cluster.node_id, http.public_url]).toEqual([7, 'n1', 'http://127.0.0.1:1'])
  const config = (set: string) => configOf({ port: 0, sets: [set] }, ['n1'], 'n1', 0)
  for (const set of ['http.port=1', 'cluster.peers=n1', 'storage.data_directory=/x']) expect(() => config(set)).toThrow(ConfigError)
})

const fail = (error: unknown): void => expect.unreachable(String(error))

/** Listening on three ports that follow each other, below those that the system gives to anybody. */
async function threeInARow(): Promise<readonly [Server, Server, Server]> {
  for (let port = 20_000 + (process.pid % 1_000) * 10; ; port += 3) {
    const servers = [createServer(), createServer(), createServer()] as const
    const listens = servers.map((server, at) => once(server.listen(port + at, '127.0.0.1'), 'listening'))
    const outcomes = await Promise.allSettled(listens)
    if (outcomes.every(({ status }) => status === 'fulfilled')) return servers
    for (const server of servers) server.close()
  }
}

test('with free ports, the others learn the real ones', async () => {
  const cluster = await startEmbedded({ nodes: 3, port: 0, data: null, sets: ['cluster.partitions=1'], onBug: fail, onDiskFatal: fail })
  const urls = cluster.nodes.map(({ url }) => url).toSorted()
  const known = async () => {
    const { nodes } = (await (await fetch(`${urls[0]}/cluster/status`)).json()) as { nodes: { url: string }[] }
    return nodes.map(({ url }) => url).toSorted()
  }
  await expect.poll(known, { timeout: 10_000 }).toEqual(urls)
  await cluster.stop()
})

test('where one node cannot start, none is left: the same directory and ports serve the next try', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tricord-embedded-'))
  const [first, taken, last] = await threeInARow()
  const { port } = first.address() as AddressInfo
  await Promise.all([first, last].map((server) => new Promise((resolve) => server.close(resolve))))
  const start = (nodes = 3) => startEmbedded({ nodes, port, data, sets: ['cluster.partitions=1'], onBug: fail, onDiskFatal: fail })
  try {
    await expect(start()).rejects.toThrow(`cannot listen on 127.0.0.1:${port + 1}`)
    await new Promise((resolve) => taken.close(resolve))
    await expect(start(4)).rejects.toThrow('belongs to a cluster of 3 nodes')
    const cluster = await start()
    expect(cluster.nodes.map(({ url }) => url)).toEqual([0, 1, 2].map((at) => `http://127.0.0.1:${port + at}`))
    await cluster.stop()
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
})

test('the same key gives the same session, secret included, on any node and after a restart', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tricord-embedded-'))
  const start = () => startEmbedded({ nodes: 3, port: 0, data, sets: ['cluster.partitions=1'], onBug: fail, onDiskFatal: fail })
  const open = async (url: string): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'order-1' }
    const answer = await fetch(`${url}/v1/sessions`, { method: 'POST', body: '{"ttlMs":60000}', headers })
    return answer.json()
  }
  try {
    const first = await start()
    const opened = await open(first.nodes[0]!.url)
    expect(opened).toEqual({ session: expect.stringMatching(/^s_\w+\.[\w-]{22}$/), ttlMs: 60_000 })
    expect(await open(first.nodes[1]!.url)).toEqual(opened)
    const secrets = new Set(first.nodes.map(({ node }) => node.secret))
    expect([...secrets]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)])
    await first.stop()
    const again = await start()
    expect(await open(again.nodes[2]!.url)).toEqual(opened)
    expect(again.nodes.map(({ node }) => node.secret)).toEqual([...secrets, ...secrets, ...secrets])
    await again.stop()
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
})
