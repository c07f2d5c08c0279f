import { expect, test } from 'vitest'
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
