/**
 * The nemesis: at random moments it does something bad, of the kinds that the seed drew, and undoes most of it after a
 * while. It may take the quorum away: the first phase asks for safety alone.
 */
import { type GroupId, LOCKS_GROUP, type NodeId, partitionGroup } from '../base/ids.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import type { Operator } from './operator.ts'
import { decay, rot } from './rot.ts'

export const FAULTS = [
  'crash',
  'crashAll',
  'stop',
  'pause',
  'partition',
  'clog',
  'swizzle',
  'disconnect',
  'diskFull',
  'syncError',
  'rot',
  'wipe',
  'transfer',
  'join',
  'leave',
  'replace',
  'suspend',
] as const
export type Fault = (typeof FAULTS)[number]

const RECONNECT_MS = 500
const SUSPENDED_MIN_MS = 2_000

export interface ChaosOptions {
  /** Mean time between two faults. */
  readonly meanMs: number
  /** How often each kind is chosen; 0: never in this run. */
  readonly weights: Readonly<Record<Fault, number>>
  readonly outageMeanMs: number
  /** The only nodes whose disks may rot or be emptied. */
  readonly victims: readonly NodeId[]
  /** From the first moment, while the cluster is still forming; otherwise once it serves. */
  readonly fromStart: boolean
}

export class Chaos {
  readonly #cluster: SimCluster
  readonly #options: ChaosOptions
  readonly #operator: Operator
  readonly #dice: Dice
  /** Its leader is struck more often than others. */
  readonly #hunted: GroupId
  #running = false

  constructor(cluster: SimCluster, options: ChaosOptions, operator: Operator) {
    this.#cluster = cluster
    this.#options = options
    this.#operator = operator
    this.#dice = cluster.world.dice.fork('chaos')
    this.#hunted = cluster.options.workload === 'caches' ? partitionGroup(0) : LOCKS_GROUP
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#cluster.network.options = this.#cluster.options.network
    this.#schedule()
  }

  stop(): void {
    this.#running = false
  }

  #schedule(): void {
    this.#cluster.world.at(this.#dice.exponential(this.#options.meanMs), 'nemesis', () => {
      if (!this.#running) return
      this.#strike(this.#draw())
      this.#schedule()
    })
  }

  #draw(): Fault | null {
    const { weights } = this.#options
    let at = this.#dice.next() * FAULTS.reduce((sum, fault) => sum + weights[fault], 0)
    for (const fault of FAULTS) if ((at -= weights[fault]) < 0) return fault
    return null
  }

  /** Undoes a fault after a while, if the first phase still lasts. */
  #later(what: string, undo: () => void): void {
    this.#cluster.world.at(10 + this.#dice.exponential(this.#options.outageMeanMs), what, () => this.#running && undo())
  }

  #strike(fault: Fault | null): void {
    const node = this.#dice.pick(this.#cluster.nodes)
    switch (fault) {
      case null:
        return
      case 'crash':
        return this.#crash(this.#dice.chance(0.4) ? (this.#cluster.leader(this.#hunted) ?? node) : node)
      case 'crashAll':
        for (const each of this.#cluster.nodes) this.#crash(each)
        return
      case 'stop':
        return this.#stop(node)
      case 'pause':
        return this.#pause(this.#dice.chance(0.4) ? (this.#cluster.leader(this.#hunted) ?? node) : node)
      case 'partition':
        return this.#partition()
      case 'clog':
        return this.#clog(node)
      case 'swizzle':
        return this.#swizzle()
      case 'disconnect':
        return this.#disconnect(node)
      case 'diskFull':
        return this.#fillDisk(node)
      case 'syncError':
        node.disk.failNextSync = true
        return this.#cluster.world.fault('syncError', node.id)
      case 'rot':
        return this.#rot()
      case 'wipe':
        return this.#wipe()
      case 'transfer':
        return this.#transfer()
      case 'join':
        return this.#operator.join()
      case 'leave':
        return this.#operator.leave()
      case 'replace':
        return this.#operator.replace()
      case 'suspend':
        return this.#suspend(this.#dice.chance(0.4) ? (this.#cluster.leader(this.#hunted) ?? node) : node)
    }
  }

  #crash(node: SimNode): void {
    if (!node.life?.alive) return
    this.#cluster.world.fault('crash', node.id)
    this.#cluster.crash(node)
    this.#later('nemesis restarts', () => this.#cluster.start(node))
  }

  #stop(node: SimNode): void {
    if (!node.up || node.life?.paused) return
    this.#cluster.world.fault('stop', node.id)
    this.#cluster.stop(node)
    this.#later('nemesis restarts', () => this.#restart(node))
  }

  #restart(node: SimNode): void {
    if (!node.life?.alive) this.#cluster.start(node)
    else this.#later('nemesis restarts', () => this.#restart(node))
  }

  #pause(node: SimNode): void {
    const { life } = node
    if (!life?.alive || life.paused) return
    this.#cluster.world.fault('pause', node.id)
    life.pause()
    this.#later('nemesis resumes', () => life.resume())
  }

  /**
   * Its machine: the wall goes on and nothing else, and nobody on it notices. Its connections are gone when it wakes, and it works on
   * before it has others.
   */
  #suspend(node: SimNode): void {
    const { world, network } = this.#cluster
    const { life, clock } = node
    const transport = network.transportOf(node.id)
    if (!node.up || !life || !clock || life.paused || !transport?.connected) return
    world.fault('suspend', node.id)
    life.pause()
    clock.suspend()
    transport.setConnected(false)
    const wake = (): void => {
      clock.resume()
      life.resume()
      world.at(this.#dice.exponential(RECONNECT_MS), 'nemesis connects', () => transport.setConnected(true))
    }
    // Long enough for others to believe that its leases are over.
    world.at(SUSPENDED_MIN_MS + this.#dice.exponential(this.#options.outageMeanMs), 'nemesis wakes', wake)
  }

  /** Halves, one node against the rest, or single links; now and then in one direction only. */
  #partition(): void {
    const { links } = this.#cluster.network
    const nodes = this.#dice.shuffle(this.#cluster.ids)
    const size = this.#dice.pick([1, Math.floor(nodes.length / 2), this.#dice.integer(1, nodes.length - 1)])
    const oneWay = this.#dice.chance(0.3)
    const [side, other] = [nodes.slice(0, size), nodes.slice(size)]
    this.#cluster.world.fault('partition', `${side.join()} ${oneWay ? '->' : '|'} ${other.join()}`)
    links.partition(side, other, oneWay)
    this.#later('nemesis heals', () => links.heal())
  }

  #clog(node: SimNode): void {
    const { world, network, ids } = this.#cluster
    const to = this.#dice.pick(ids)
    world.fault('clog', `${node.id}>${to}`)
    network.links.clog(node.id, to, world.now + this.#dice.exponential(this.#options.outageMeanMs))
  }

  /** FoundationDB's: the links of a few nodes stop one after the other, and come back in another order. */
  #swizzle(): void {
    const { world, network, ids } = this.#cluster
    const chosen = this.#dice.shuffle(ids).slice(0, this.#dice.integer(1, ids.length))
    world.fault('swizzle', chosen.join())
    for (const [at, node] of chosen.entries()) {
      world.at(at * this.#dice.exponential(100), 'nemesis clogs', () => {
        if (!this.#running) return
        const until = world.now + 200 + this.#dice.exponential(this.#options.outageMeanMs)
        for (const peer of ids) {
          network.links.clog(node, peer, until)
          network.links.clog(peer, node, until)
        }
      })
    }
  }

  #disconnect(node: SimNode): void {
    const transport = this.#cluster.network.transportOf(node.id)
    if (!node.up || !transport?.connected) return
    this.#cluster.world.fault('disconnect', node.id)
    transport.setConnected(false)
    this.#later('nemesis connects', () => transport.setConnected(true))
  }

  /** Once it serves: a node that cannot even write its first records has nothing to serve. */
  #fillDisk(node: SimNode): void {
    if (node.running?.node.cluster.ready().ready !== true) return
    this.#cluster.world.fault('diskFull', node.id)
    node.disk.full = true
    this.#later('nemesis frees', () => {
      node.disk.full = false
    })
  }

  #rot(): void {
    const node = this.#cluster.node(this.#dice.pick(this.#options.victims))
    if (!node || node.wiped || !this.#cluster.formed) return
    this.#crash(node)
    const where = (this.#cluster.options.rotten ? decay : rot)(node.disk, this.#dice)
    if (where === null) return
    node.rotten = true
    this.#cluster.world.fault('rot', `${node.id} ${where}`)
  }

  #wipe(): void {
    const node = this.#cluster.node(this.#dice.pick(this.#options.victims))
    // Before it has joined there is nothing to lose, and nothing that could tell.
    if (!node || node.wiped || node.lives === 0 || !this.#cluster.formed) return
    this.#crash(node)
    this.#cluster.wipe(node)
    this.#cluster.world.fault('wipe', node.id)
  }

  #transfer(): void {
    const leader = this.#cluster.leader(this.#hunted)
    const host = leader?.running?.node.host
    const voters = host?.status(this.#hunted)?.membership.voters
    if (!host || !voters || leader?.life?.paused) return
    this.#cluster.world.fault('transfer')
    leader?.life?.run(() => void host.transferLeadership(this.#hunted, this.#dice.pick(voters)))
  }
}
