/**
 * The house rules that the compiler cannot check, read off the sources: floors, purity, bans with their replacement,
 * package doors, sizes. Each rule has a planted violation below, so that a rule that stopped working is seen.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Folder or top-level file -> what it may import besides its own folder. */
const FLOORS: Record<string, readonly string[]> = {
  base: [],
  io: ['base'],
  telemetry: ['base', 'io', 'actors', 'raft'],
  actors: ['base', 'io'],
  raft: ['base', 'io', 'actors'],
  cluster: ['base', 'io', 'actors', 'raft'],
  lock: ['base', 'actors', 'raft'],
  queue: ['base', 'actors', 'raft', 'cluster'],
  cache: ['base', 'io', 'actors', 'raft', 'cluster'],
  'config.ts': ['base'],
  'version.ts': [],
  'node.ts': [
    'base',
    'io',
    'telemetry',
    'actors',
    'raft',
    'cluster',
    'lock',
    'queue',
    'cache',
    'config.ts',
    'version.ts',
    'admin.ts',
    'partition-machine.ts',
  ],
  'partition-machine.ts': ['base', 'raft', 'actors', 'queue', 'cache', 'transaction'],
  transaction: ['base', 'actors', 'raft', 'cluster', 'queue', 'cache'],
  'admin.ts': ['base', 'io', 'telemetry', 'actors', 'raft', 'cluster', 'lock', 'version.ts'],
  api: ['base', 'io', 'telemetry', 'actors', 'lock', 'queue', 'cache', 'transaction', 'cluster', 'version.ts'],
  client: ['base', 'lock', 'queue', 'cache'],
  cli: ['base', 'lock', 'queue', 'cache', 'cluster', 'version.ts', 'config.ts'],
  sim: [
    'base',
    'io',
    'actors',
    'raft',
    'cluster',
    'lock',
    'queue',
    'cache',
    'transaction',
    'api',
    'node.ts',
    'partition-machine.ts',
    'config.ts',
  ],
  'gateway.ts': ['*'],
  'serve.ts': ['*'],
  'gateway-worker.ts': ['*'],
  'gateway-thread.ts': ['*'],
  'embedded.ts': ['*'],
  'main.ts': ['*'],
  'index.ts': ['*'],
}

/** A package and the only files that may import it. */
const PACKAGES: readonly (readonly [prefix: string, files: RegExp])[] = [
  ['hono', /^api\//],
  ['@hono/', /^api\//],
  ['ws', /^api\//],
  ['zod', /^(api\/|config\.ts)/],
  ['yaml', /^config\.ts/],
  ['@nats-io/', /^io\/transport-nats/],
  ['classic-level', /^io\/kv\//],
  ['@nxtedition/', /^io\/kv\//],
  ['abstract-level', /^io\/kv\//],
  ['lru-cache', /^cache\/node\/line-store/],
  ['msgpackr', /^(actors\/codec|actors\/pack|lock\/codec|cluster\/|raft\/|api\/socket|sim\/)/],
  ['xxhash-wasm', /^io\/hash/],
  ['@opentelemetry/', /^telemetry\//],
  ['prom-client', /^(telemetry|api)\//],
  ['pino', /^(telemetry\/|main\.ts)/],
  ['commander', /^(cli\/|main\.ts)/],
  ['node:', /^(io\/|telemetry\/|api\/|cli\/|sim\/|main|embedded|serve|gateway)/],
]

/** Pure cores: no clock, chance, promise or node:*; only other pure files. */
const PURE =
  /^(base\/|raft\/core\/|raft\/batch|raft\/bytes|raft\/command-reader|raft\/plain|raft\/host\/(request|answer-pages|cluster-clock)|cluster\/(types|ring|placement|meta-machine)|lock\/(?!facade)|queue\/(?!facade|lost-leases)|cache\/(types|line-id|machine\/|coherence\/))/
const PURE_BANS: readonly RegExp[] = [
  /\bDate\b/,
  /\bMath\.random\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bprocess\./,
  /\bperformance\./,
  /\bawait\b/,
  /\basync\b/,
]
/** Ambient time and chance: allowed at the doors only; everybody else uses the ports. */
const AMBIENT: readonly RegExp[] = [
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bMath\.random\b/,
  /\bset(Timeout|Interval|Immediate)\(/,
  /\bperformance\.now\b/,
  /\brandomUUID\b/,
]
const AMBIENT_DOORS = /^(io\/|telemetry\/|api\/server|main\.ts|embedded\.ts|gateway|cli\/|sim\/(main|world|ambient))/
const LINES_MAX = 400
const LINE_LENGTH_MAX = 160

interface Source {
  readonly file: string
  readonly text: string
}

const zone = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : file)
const isTest = (file: string) => file.endsWith('.test.ts')
const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')

function importsOf(code: string): string[] {
  return [...code.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map((match) => match[1] ?? '')
}

function checkImport(file: string, specifier: string): string[] {
  if (!specifier.startsWith('.')) {
    const door = PACKAGES.find(
      ([prefix]) => specifier === prefix || specifier.startsWith(prefix.endsWith('/') || prefix.endsWith(':') ? prefix : `${prefix}/`),
    )
    return door && !door[1].test(file) ? [`${file}: may not import ${specifier}`] : []
  }
  const target = normalize(join(dirname(file), specifier)).replaceAll('\\', '/')
  const [here, there] = [zone(file), zone(target)]
  const found: string[] = []
  const may = FLOORS[here]
  if (!may) found.push(`${file}: no floor named ${here}`)
  else if (here !== there && !may.includes('*') && !may.includes(there)) found.push(`${file}: ${here} may not import ${there}`)
  const outside = here === 'api' || here === 'client' || here === 'cli'
  if (
    outside &&
    ['lock', 'queue', 'cache', 'cluster', 'transaction'].includes(there) &&
    !/\/types\.ts$|^queue\/message-body\.ts$/.test(target)
  )
    found.push(`${file}: only types.ts of ${there}`)
  if (
    PURE.test(file) &&
    !PURE.test(target) &&
    !target.startsWith('actors/') &&
    !/^(raft\/machine|raft\/proposer|raft\/group-host)/.test(target)
  ) {
    found.push(`${file}: a pure file imports ${target}`)
  }
  return found
}

function check({ file, text }: Source): string[] {
  const code = withoutComments(text)
  const found: string[] = []
  if (/\b(TODO|FIXME|XXX|HACK)\b/.test(text)) found.push(`${file}: leftover note`)
  if (/\bexport default\b/.test(code)) found.push(`${file}: default export`)
  if (/\.(only|skip)\(/.test(code) && isTest(file)) found.push(`${file}: a focused or skipped test`)
  if (isTest(file)) return found
  const lines = text.split('\n')
  if (lines.length > LINES_MAX + 1) found.push(`${file}: ${lines.length} lines, at most ${LINES_MAX}`)
  if (!/^(#!.*\n)?\/\*\*/.test(text)) found.push(`${file}: no head comment`)
  for (const [at, line] of lines.entries()) if (line.length > LINE_LENGTH_MAX) found.push(`${file}:${at + 1}: ${line.length} columns`)
  for (const specifier of importsOf(code)) found.push(...checkImport(file, specifier))
  if (PURE.test(file)) for (const ban of PURE_BANS) if (ban.test(code)) found.push(`${file}: a pure file uses ${ban.source}`)
  if (!AMBIENT_DOORS.test(file))
    for (const ban of AMBIENT) if (ban.test(code)) found.push(`${file}: uses ${ban.source}; take it from the ports`)
  return found
}

function sources(): Source[] {
  const files = (readdirSync('src', { recursive: true }) as string[])
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'))
  return files.sort().map((file) => ({ file, text: readFileSync(join('src', file), 'utf8') }))
}

describe('house rules', () => {
  test('the tree keeps them', () => {
    expect(sources().flatMap(check)).toEqual([])
  })

  const planted: readonly (readonly [what: string, file: string, code: string])[] = [
    ['importing upwards', 'actors/x.ts', `import { y } from '../raft/y.ts'`],
    ['a foreign package', 'lock/x.ts', `import { Hono } from 'hono'`],
    ['the API past types.ts', 'api/x.ts', `import { y } from '../lock/machine.ts'`],
    ['a clock in a core', 'raft/core/x.ts', `const at = Date.parse('0')`],
    ['a promise in a core', 'lock/x.ts', `export async function f() {}`],
    ['ambient time', 'cluster/x.ts', `const at = Date.now()`],
    ['ambient chance', 'raft/host/x.ts', `const x = Math.random()`],
    ['a timer', 'actors/x.ts', `setTimeout(f, 1)`],
    ['a default export', 'base/x.ts', `export default 1`],
    ['a long file', 'base/x.ts', '\n'.repeat(500)],
    ['no head comment', 'base/x.ts', 'const x = 1'],
  ]
  test.each(planted)('%s is seen', (what, file, code) => {
    const text = what === 'no head comment' ? code : `/** Head. */\n${code}`
    expect(check({ file, text })).not.toEqual([])
    expect(check({ file, text: '/** Head. */\nexport const x = 1\n' })).toEqual([])
  })
})
