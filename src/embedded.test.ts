import { expect, test } from 'vitest'
import { ConfigError } from './config.ts'
import { configOf } from './embedded.ts'

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
