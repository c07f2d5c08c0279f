/** Commands larger than a frame of NATS, through three hosts on real disks and a real server, one of which takes less than most. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createActorSystem } from '../../src/actors/system.ts'
import { replicaId } from '../../src/base/ids.ts'
import { SystemClock } from '../../src/io/clock-system.ts'
import { SystemRandom } from '../../src/io/random-system.ts'
import { createFileStorage } from '../../src/io/storage-file.ts'
import { connectNats } from '../../src/io/transport-nats.ts'
import { openGroupHost } from '../../src/raft/host/open.ts'
import { createProposer } from '../../src/raft/host/proposer.ts'
import { type NatsServer, startNatsServer } from '../nats-server.ts'
import { membership } from '../raft-cluster.ts'
import { ToyMachine, toyCommand } from '../toy-machine.ts'

const MEMBERS = [1, 2, 3]
const NAMES = MEMBERS.map((member) => `n${member}`)
const none = { user: '', password: '', token: '', credentialsFile: '', tls: { caFile: '', certFile: '', keyFile: '' } }
let root = ''
const closing: (() => Promise<unknown>)[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tricord-large-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  rmSync(root, { recursive: true, force: true })
})

async function open(server: NatsServer, member: number) {
  const [clock, random, node] = [new SystemClock(), new SystemRandom(), `n${member}`]
  const transport = await connectNats('large', node, 1, { ...none, servers: [server.url] })
  const storage = createFileStorage(join(root, node), 'leveldb')
  const onBug = (error: unknown): never => {
    throw error
  }
  const system = createActorSystem({
    node,
    incarnation: 1,
    cluster: 'large',
    clock,
    random,
    transport,
    mailboxMax: 10_000,
    drainMax: 1_000,
    onBug,
  })
  const host = await openGroupHost(
    system,
    { clock, random, transport, storage },
    {
      machineFor: () => new ToyMachine(),
      directory: { nodeOf: (of) => `n${of}`, hostsOf: () => NAMES, nodes: NAMES },
      member,
      tickMs: 20,
      electionTimeoutMs: 400,
      heartbeatIntervalMs: 60,
      segmentBytes: 1_048_576,
      logBytesMax: 67_108_864,
      checkpointIntervalMs: 200,
      diskLowBytes: 0,
      snapshotBytesPerSecond: 0,
      onDiskFatal: onBug,
      onLog: () => {},
    },
  )
  closing.push(async () => {
    await host.close()
    await system.close()
  })
  return { system, host, proposer: createProposer(system, { raft: host.id }) }
}

test.each([1_048_576, 262_144])(
  'a value of a mebibyte is written by way of every node, and read, where NATS takes %i bytes',
  async (bytesMax) => {
    const settings = join(root, 'nats.conf')
    writeFileSync(settings, `max_payload: ${bytesMax}\n`)
    const server = await startNatsServer(['-c', settings])
    closing.push(() => server.stop())
    const nodes = await Promise.all(MEMBERS.map((member) => open(server, member)))
    const voters = MEMBERS.map((member) => replicaId(member, 0))
    nodes.forEach(({ host }, at) => host.createReplica(1, voters[at]!, membership(voters)))
    for (const [at, { proposer }] of nodes.entries()) {
      const value = String(at).repeat(1_048_576)
      const result = await new Promise((resolve) => {
        proposer.submit(1, toyCommand({ put: `k${at}`, value }), { timeoutMs: 20_000 }, resolve)
      })
      expect(result).toEqual({ ok: true, reply: true })
      for (const other of nodes) {
        const { reply } = await other.proposer.query(1, `k${at}`, { timeoutMs: 10_000, consistency: 'linearizable' })
        expect(reply === value).toBe(true)
      }
    }
    for (const { system } of nodes) expect(system.stats.deadLetters).toMatchObject({ 'too-large': 0, 'bad-frame': 0 })
  },
)
