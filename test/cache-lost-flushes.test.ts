/** An owner (`writeback`) whose flush is lost on its way three times, while another node asks for the line: nothing that it acknowledged is lost. */
import { expect, test } from 'vitest'
import { decodeEnvelope } from '../src/actors/codec.ts'
import { decodeFrame } from '../src/actors/frame.ts'
import { partitionGroup } from '../src/base/ids.ts'
import { partitionOf } from '../src/cluster/ring.ts'
import { loadHash } from '../src/io/hash.ts'
import { type Running, SimCluster, type SimNode } from '../src/sim/cluster.ts'
import { drawOptions } from '../src/sim/options.ts'
import { World } from '../src/sim/world.ts'
import { textValue } from './cache/text-value.ts'

const hash = await loadHash()
const NAME = { namespace: 'default', cache: 'c', key: 'k' }
const OPTIONS = { timeoutMs: 10_000 }
const nothing = (): void => {}

class Bed {
  readonly world: World
  readonly cluster: SimCluster
  readonly warnings: string[] = []

  constructor(seed: number) {
    this.world = new World(seed)
    const hooks = { admitted: nothing, booting: nothing, ending: nothing, ended: nothing }
    const warned = (_: SimNode, message: string): void => void this.warnings.push(message)
    this.cluster = new SimCluster(this.world, drawOptions(seed, { quiet: true, workload: 'caches' }), hash, { ...hooks, warned })
    this.cluster.found()
    for (const node of this.cluster.nodes) this.cluster.start(node)
  }

  async until(isThere: () => boolean): Promise<void> {
    await this.world.run(this.world.now + 60_000, nothing, isThere)
    expect([this.world.failure, isThere()]).toEqual([null, true])
  }

  async result<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = (): void => void (isOver = true)
    work.then(over, over)
    await this.until(() => isOver)
    return work
  }

  /** What is lost of the commands from one node to another, in their order. */
  lose(from: SimNode, to: SimNode, isLost: (nth: number) => boolean): void {
    const { network } = this.cluster
    const send = network.send.bind(network)
    let nth = 0
    network.send = (source, target, frame) => {
      const envelopes = decodeFrame(frame)?.envelopes ?? []
      const isCommand = envelopes.some((one) => decodeEnvelope(one)?.msgType === 'propose')
      if (source === from.id && target === to.id && isCommand && isLost(++nth)) return
      send(source, target, frame)
    }
  }
}

test.each(Array.from({ length: 10 }, (_, nth) => nth + 1))('seed %i', async (seed) => {
  const bed = new Bed(seed)
  const { cluster } = bed
  const group = partitionGroup(partitionOf(NAME.key, cluster.options.partitions, hash))
  await bed.until(() => cluster.up.length === cluster.nodes.length && cluster.leader(group) !== null)
  const home = cluster.leader(group) as SimNode
  const [owner, asker] = cluster.nodes.filter((node) => node !== home) as [SimNode, SimNode]
  const cachesOf = ({ running }: SimNode): Running['caches'] => (running as Running).caches
  await bed.result(cachesOf(owner).configure(NAME, { durability: 'writeback' }, OPTIONS))
  await bed.result(cachesOf(owner).put(NAME, textValue('1'), null, null, OPTIONS))
  await bed.world.run(bed.world.now + 2_000, nothing)
  let asked: ReturnType<Running['caches']['get']> | null = null
  bed.lose(owner, home, (nth) => {
    asked ??= cachesOf(asker).get(NAME, OPTIONS)
    return nth <= 3
  })
  await bed.result(cachesOf(owner).put(NAME, textValue('2'), null, null, OPTIONS))
  expect(asked).toBeNull()
  await bed.until(() => asked !== null)
  const { entry } = await bed.result(Promise.resolve(asked as unknown as ReturnType<Running['caches']['get']>))
  expect(new TextDecoder().decode(entry?.value)).toBe('2')
  expect(owner.running?.node.coherence.lostWrites).toBe(0)
  expect(bed.warnings.filter((message) => message.startsWith('cache.writeback'))).toEqual([])
})
