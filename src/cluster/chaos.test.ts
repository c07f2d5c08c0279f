/**
 * Clusters that are never left in peace: nodes are killed, started, cut off, join and leave, all at once, while commands
 * come in. Afterwards everything heals, and the cluster must come to rest as its table says, with nothing lost or doubled.
 */
import { expect, test } from 'vitest'
import { ClusterBed } from '../../test/cluster-bed.ts'
import { FIRST_PARTITION, type NodeId, memberOf } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { createProposer } from '../raft/host/proposer.ts'
import { ToyMachine, toyCommand } from '../../test/toy-machine.ts'

const FOUNDERS: readonly NodeId[] = ['n1', 'n2', 'n3']
const PARTITIONS = 5
const ACTIONS = 30

class Chaos {
  readonly bed = new ClusterBed({ partitions: PARTITIONS })
  readonly #random: Prng
  /** Per group: the sum of what was acknowledged, and of what may have been applied besides. */
  readonly #sums = new Map<number, { sure: number; maybe: number }>()
  /** Members asked to leave; their nodes are not needed any more. */
  readonly #leaving = new Set<NodeId>()
  #next = 4
  #adders = 0

  constructor(seed: number) {
    this.#random = new Prng(seed)
  }

  async run(): Promise<void> {
    const { bed } = this
    await bed.start(FOUNDERS)
    await bed.until(() => bed.settled, 'the founding')
    for (let i = 0; i < ACTIONS; i++) {
      await this.#act()
      await bed.clock.pass(this.#random.below(1_500))
      if (bed.bugs.length > 0) throw bed.bugs[0]
    }
    await this.#heal()
    await bed.until(() => this.#atRest, 'the cluster comes to rest', 120_000)
    this.#check()
    await bed.close()
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.#random.below(list.length)]
  }

  get #ups(): NodeId[] {
    return this.bed.up.map(({ id }) => id)
  }

  async #act(): Promise<void> {
    const { bed } = this
    const dice = this.#random.below(100)
    const [up, down] = [this.#ups, [...bed.nodes.values()].filter((node) => !node.up).map(({ id }) => id)]
    if (dice < 40) this.#add()
    else if (dice < 55 && up.length > 2) await bed.kill(this.#pick(up)!)
    else if (dice < 75 && down.length > 0) await bed.begin(this.#pick(down)!, FOUNDERS, true)
    else if (dice < 85) this.#cutOrMend(up)
    else if (dice < 93 && bed.nodes.size < 7) await bed.begin(`n${this.#next++}`, FOUNDERS, true)
    else this.#remove(up)
  }

  #add(): void {
    const id = this.#pick(this.#ups)
    if (id === undefined) return
    const group = FIRST_PARTITION + this.#random.below(PARTITIONS)
    const by = 1 + this.#random.below(9)
    const sum = this.#sums.get(group) ?? { sure: 0, maybe: 0 }
    this.#sums.set(group, sum)
    sum.maybe += by
    const proposer = createProposer(this.bed.node(id).system!, { raft: `${id}/raft`, path: `adder-${this.#adders++}` })
    proposer.submit(group, toyCommand({ add: by }), { timeoutMs: 20_000 }, (result) => {
      if (!result.ok && result.error.outcome === 'unknown') return
      sum.maybe -= by
      if (result.ok) sum.sure += by
    })
  }

  #cutOrMend(up: readonly NodeId[]): void {
    const { cut } = this.bed
    if (cut.size > 0) return cut.clear()
    const [a, b] = [this.#pick(up)!, this.#pick(up)!]
    if (a !== b) cut.add(`${a}>${b}`)
  }

  /** At most two leave in a run: three always stay. */
  #remove(up: readonly NodeId[]): void {
    const id = this.#pick([...this.bed.nodes.keys()].filter((one) => !this.#leaving.has(one)))
    const via = this.#pick(up)
    if (id === undefined || via === undefined || this.#leaving.size >= this.bed.nodes.size - 3) return
    this.#leaving.add(id)
    this.#removing(id, via)
  }

  #removing(id: NodeId, via: NodeId): void {
    this.bed
      .node(via)
      .started!.cluster.removeMember(id)
      .catch(() => this.#leaving.delete(id))
  }

  async #heal(): Promise<void> {
    const { bed } = this
    bed.cut.clear()
    for (const node of bed.nodes.values()) if (!node.up) await bed.begin(node.id, FOUNDERS, true)
    // Commands under way are answered, or given up.
    await bed.clock.pass(25_000)
  }

  get #atRest(): boolean {
    const { bed } = this
    const view = bed.up.find((node) => node.view !== null)?.view
    return bed.settled && view?.members.every(({ state }) => state === 'active') === true
  }

  #check(): void {
    const { bed } = this
    expect(bed.bugs).toEqual([])
    for (const [group, { sure, maybe }] of this.#sums) {
      const sums = bed.up.flatMap(({ started }) => {
        const machine = started!.host.machine(group)
        return machine instanceof ToyMachine ? [machine.sum] : []
      })
      expect(new Set(sums).size).toBe(1)
      expect(sums[0]).toBeGreaterThanOrEqual(sure)
      expect(sums[0]).toBeLessThanOrEqual(sure + maybe)
    }
    for (const { started } of bed.up) {
      for (const group of started!.host.groups()) {
        const members = started!.host.status(group)!.membership.voters.map(memberOf)
        expect(new Set(members).size).toBe(members.length)
      }
    }
  }
}

const seeds = Number(process.env['CLUSTER_CHAOS_SEEDS'] ?? 8)
const first = Number(process.env['CLUSTER_CHAOS_FIRST'] ?? 1)
test.each(Array.from({ length: seeds }, (_, i) => first + i))('seed %i', { timeout: 120_000 }, (seed) => new Chaos(seed).run())
