/** What the repository says about itself: versions, dependencies, container files. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../src/config.ts'
import { VERSION } from '../src/version.ts'

const pack = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, unknown>

test('the version is said once', () => {
  expect(VERSION).toBe(pack['version'])
})

test('every dependency is named in docs/dependencies.md, and pinned', () => {
  const page = readFileSync('docs/dependencies.md', 'utf8')
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(pack[kind] as Record<string, string>)) {
      const short = name.startsWith('@opentelemetry/') ? name.slice('@opentelemetry/'.length) : name
      expect(page, name).toMatch(new RegExp(`\`(@opentelemetry/)?${short.replaceAll('/', '\\/')}\``))
      expect(version, name).toMatch(/^\d/)
    }
  }
})

test('the compose file starts NATS, Jaeger and three nodes whose environment is a valid configuration', () => {
  const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
    services: Record<string, { environment?: Record<string, string> }>
  }
  expect(Object.keys(compose.services).sort()).toEqual(['jaeger', 'n1', 'n2', 'n3', 'nats'])
  for (const node of ['n1', 'n2', 'n3']) {
    const environment = compose.services[node]?.environment ?? {}
    const config = parseConfig({ file: readFileSync('config/default.yaml', 'utf8'), environment, sets: [] })
    expect(config.cluster.node_id).toBe(node)
    expect(config.nats.servers).toEqual(['nats://nats:4222'])
  }
})

test('the Dockerfile copies only what exists and runs the entry point that the build makes', () => {
  const file = readFileSync('Dockerfile', 'utf8')
  expect(file).toMatch(/ENTRYPOINT \["node", "dist\/src\/main\.js"\]/)
  expect(readFileSync('config/default.yaml', 'utf8')).toContain('node_id')
})
