/** `npm run bench -- locks` (or `caches`, `cache-subscribers`, `commits`, `compaction`, `join`, `million`, `queues`, `tracing`): what a cluster of three processes does on this machine, printed with what it ran on. */
import { benchCacheSubscribers } from './cache-subscribers.ts'
import { benchCaches } from './caches.ts'
import { benchCommits } from './commits.ts'
import { benchCompaction } from './compaction.ts'
import { benchJoin } from './join.ts'
import { benchLocks } from './locks.ts'
import { benchMillion } from './million.ts'
import { benchQueues } from './queues.ts'
import { benchTracing } from './tracing.ts'

const BENCHES: Readonly<Record<string, (options: ReadonlyMap<string, string>) => Promise<void>>> = {
  caches: benchCaches,
  'cache-subscribers': benchCacheSubscribers,
  commits: benchCommits,
  compaction: benchCompaction,
  join: benchJoin,
  locks: benchLocks,
  million: benchMillion,
  queues: benchQueues,
  tracing: benchTracing,
}

const [name = 'locks', ...rest] = process.argv.slice(2)
const options = new Map(rest.flatMap((word, at) => (word.startsWith('--') ? [[word.slice(2), rest[at + 1] ?? ''] as const] : [])))
const bench = BENCHES[name]
if (!bench) {
  process.stderr.write(`no such benchmark: ${name}; there is ${Object.keys(BENCHES).join(', ')}\n`)
  process.exit(2)
}
await bench(options)
process.exit(0)
