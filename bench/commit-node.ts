/**
 * One node of the bench of commits: the cluster floor with machines that do nothing, no gateway. Told its id, directory and
 * NATS server by its arguments; told by a message to load, it keeps so many commands in flight and tells their latencies.
 */
import { createActorSystem } from '../src/actors/system.ts'
import { LOCKS_GROUP } from '../src/base/ids.ts'
import { createEmptyMachine } from '../src/cluster/empty-machine.ts'
import { openIdentity } from '../src/cluster/identity.ts'
import { startCluster } from '../src/cluster/start.ts'
import { SystemClock } from '../src/io/clock-system.ts'
import { loadHash } from '../src/io/hash.ts'
import { SystemRandom } from '../src/io/random-system.ts'
import { createFileStorage } from '../src/io/storage-file.ts'
import { connectNats } from '../src/io/transport-nats.ts'
import { createProposer } from '../src/raft/host/proposer.ts'
import type { Proposer } from '../src/raft/proposer.ts'

const [id = '', directory = '', nats = ''] = process.argv.slice(2)
const COMMAND = new Uint8Array(64)

function stop(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
}

export interface Load {
  readonly inFlight: number
  readonly seconds: number
}

function load(proposer: Proposer, { inFlight, seconds }: Load): void {
  const latencies: number[] = []
  const end = performance.now() + seconds * 1_000
  let running = inFlight
  const next = (): void => {
    const began = performance.now()
    if (began >= end) return void (--running === 0 && process.send?.({ latencies }))
    proposer.submit(LOCKS_GROUP, COMMAND, { timeoutMs: 10_000 }, (result) => {
      if (!result.ok) stop(result.error)
      latencies.push(performance.now() - began)
      next()
    })
  }
  for (let i = 0; i < inFlight; i++) next()
}

const [clock, random] = [new SystemClock(), new SystemRandom()]
const storage = createFileStorage(directory, 'leveldb')
const identity = await openIdentity(storage, clock, random, { node: id, cluster: 'bench' })
const none = { user: '', password: '', token: '', credentialsFile: '', tls: { caFile: '', certFile: '', keyFile: '' } }
const transport = await connectNats('bench', id, identity.incarnation, { ...none, servers: [nats] })
const system = createActorSystem({
  node: id,
  incarnation: identity.incarnation,
  cluster: 'bench',
  clock,
  random,
  transport,
  mailboxMax: 65_536,
  drainMax: 4_096,
  onBug: stop,
})
const { cluster, host } = await startCluster(system, { clock, random, transport, storage }, identity, {
  peers: ['n1', 'n2', 'n3'],
  partitions: 64,
  replicas: 3,
  failureTimeoutMs: 1_000,
  url: '',
  version: '',
  hash: await loadHash(),
  tickMs: 50,
  electionTimeoutMs: 400,
  heartbeatIntervalMs: 100,
  segmentBytes: 67_108_864,
  logBytesMax: 4_194_304,
  checkpointIntervalMs: 1_000,
  diskLowBytes: 0,
  snapshotBytesPerSecond: 0,
  onDiskFatal: stop,
  onLog: () => undefined,
  machineFor: createEmptyMachine,
})
const proposer = createProposer(system, { raft: host.id, pendingMax: 100_000 })
while (!cluster.ready().ready) await new Promise<void>((resolve) => clock.after(20, resolve))
process.on('message', (task: Load) => load(proposer, task))
process.send?.({ leads: host.status(LOCKS_GROUP)?.role === 'leader' })
