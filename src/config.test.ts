import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ConfigError, parseConfig, settings } from './config.ts'
import { serverOptions } from './gateway.ts'

const parse = (file: string | null, environment = {}, sets: string[] = []) => parseConfig({ file, environment, sets })
const onBug = (error: unknown): never => expect.fail(String(error))
const problems = (run: () => unknown): readonly string[] => {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('configuration', () => {
  test('default.yaml says every setting, with the schema’s own default', () => {
    const documented = parse(readFileSync('config/default.yaml', 'utf8'))
    expect(documented).toEqual(parse(null))
    const text = readFileSync('config/default.yaml', 'utf8')
    for (const path of settings().keys()) expect(text, path).toMatch(new RegExp(`^\\s*${path.split('.').at(-1)}:`, 'm'))
  })

  test('the three node files are valid and differ in node, port and data', () => {
    const nodes = [1, 2, 3].map((n) => parse(readFileSync(`config/node-${n}.yaml`, 'utf8')))
    expect(nodes.map((c) => c.cluster.node_id)).toEqual(['n1', 'n2', 'n3'])
    expect(nodes.map((c) => c.http.port)).toEqual([8080, 8081, 8082])
    expect(nodes.map((c) => c.storage.data_directory)).toEqual(['./data/n1', './data/n2', './data/n3'])
  })

  test('environment overrides the file, --set overrides both', () => {
    const file = 'http:\n  port: 1\ncluster:\n  name: from-file\n'
    const config = parse(file, { TRICORD_HTTP_PORT: '2', TRICORD_CLUSTER_PEERS: 'n1, n2' }, ['http.port=3'])
    expect(config.http.port).toBe(3)
    expect(config.cluster.name).toBe('from-file')
    expect(config.cluster.peers).toEqual(['n1', 'n2'])
  })

  test('a section of which everything is a comment is as if it were not there', () => {
    expect(parse('http:\n  # port: 1\nnats:\n  tls:\nlog:\n  level:\n')).toEqual(parse(null))
    expect(problems(() => parse('htpp:\n'))).toEqual(['htpp: no such setting'])
  })

  test('a wrong key is named with its path and the likely one', () => {
    expect(problems(() => parse('consensus:\n  election_timeout: 300\n'))).toEqual([
      'consensus.election_timeout: no such setting; did you mean consensus.election_timeout_ms?',
    ])
    expect(problems(() => parse(null, {}, ['http.prot=1']))).toEqual(['http.prot: no such setting; did you mean http.port?'])
    expect(problems(() => parse(null, { TRICORD_NOPE: '1' }))).toEqual(['environment variable TRICORD_NOPE: no such setting'])
  })

  test('every whole number of milliseconds is a number of seconds that may be given', () => {
    const ttl = (text: string) =>
      serverOptions(parse(null, {}, [`locks.default_ttl_seconds=${text}`]), { ownThread: false, systemStats: null, onBug }, false)
    for (let ms = 1_000; ms < 3_000; ms++) expect(ttl(String(ms / 1_000)).settings.defaultLeaseMs).toBe(ms)
  })

  test('a wrong value is named with its path', () => {
    expect(problems(() => parse('http:\n  port: eighty\n'))[0]).toMatch(/^http\.port: .*number/)
    expect(problems(() => parse('http:\n  port: 70000\n'))[0]).toMatch(/^http\.port: .*65535/)
    expect(problems(() => parse('consensus:\n  election_timeout_ms: 200\n'))[0]).toMatch(/three heartbeats \(3 \* 100 = 300\)/)
    expect(problems(() => parse('locks:\n  default_ttl_seconds: 1.0005\n'))[0]).toMatch(/^locks\.default_ttl_seconds: .*0\.001/)
    expect(problems(() => parse('cluster:\n  peers: [n1, n1]\n'))[0]).toMatch(/names a node twice/)
    expect(problems(() => parse('- a\n'))[0]).toMatch(/mapping of sections/)
    expect(problems(() => parse('a: [\n'))[0]).toMatch(/not YAML/)
    expect(problems(() => parse(null, {}, ['http.port']))[0]).toMatch(/expected key\.path=value/)
  })
})
