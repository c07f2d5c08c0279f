/**
 * The operator: lets new nodes join, takes members out, and replaces nodes whose disk was lost or cannot be trusted. What
 * it wants it asks for again and again, at any node, until the newest table shows it:
 *
 *   join      a new node starts with --join ──> the table has the uid of its disk
 *   leave     remove_member ──> the table has it no more ──> a while later its node, idle since, is stopped for good
 *   replace   remove_member of the lost disk ──> the same node starts with --join on an empty one
 *
 * "The newest table" is the newest that any node ever showed: one that was away for long may show one from before.
 * Asking often has a price that real operators pay too: a late remove_member may hit the node that came after. It is
 * replaced once more then.
 */
import { TricordError } from '../base/errors.ts'
import { META_GROUP, type NodeId } from '../base/ids.ts'
import { MetaMachine } from '../cluster/meta-machine.ts'
import { targetOf } from '../cluster/reconcile-group.ts'
import type { MetaView, Placement } from '../cluster/types.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'

const ROUND_MS = 250
const ASK_SHARE = 0.2
const EARLY_SHARE = 0.4
/** Fewer never stay: a group keeps three replicas, so that one lost disk loses nothing. */
const STAY_MIN = 3
const IDLE_MEAN_MS = 2_000
/** So many rounds without a place in the table, and with nothing to hold: a late remove_member hit it before it was seen. */
const LEFT_OUT_ROUNDS = 8

export class Operator {
  readonly #cluster: SimCluster
  readonly #dice: Dice
  readonly #spares: NodeId[]
  readonly #leaving = new Set<SimNode>()
  /** Those that the table has shown with the disk they have now. */
  readonly #members = new Set<SimNode>()
  readonly #leftOut = new Map<SimNode, number>()
  #view: MetaView | null = null
  /** What keeps the cluster from rest, as of the last round or what was begun since; null: nothing. */
  unsettled: string | null = 'not looked at'

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    this.#dice = cluster.world.dice.fork('operator')
    this.#spares = [...cluster.options.spares]
  }

  /** Whether this run changes members at all. */
  get active(): boolean {
    return this.#cluster.options.spares.length > 0
  }

  start(): void {
    if (this.active) this.#cluster.world.at(this.#dice.between(0.5, 1.5) * ROUND_MS, 'operator', () => this.#round())
  }

  join(): void {
    const id = this.#cluster.formed ? this.#spares.shift() : undefined
    if (id === undefined) return
    this.#cluster.world.fault('join', id)
    this.#cluster.start(this.#cluster.admit(id))
    this.unsettled = `${id} is to join`
  }

  leave(): void {
    const staying = this.#cluster.nodes.filter((node) => node.sound && this.#members.has(node) && !this.#leaving.has(node))
    const candidates = this.#cluster.nodes.filter((node) => this.#members.has(node) && !this.#leaving.has(node))
    if (candidates.length === 0) return
    const node = this.#dice.pick(candidates)
    if (staying.filter((other) => other !== node).length < STAY_MIN) return
    this.#cluster.world.fault('leave', node.id)
    this.#leaving.add(node)
    this.unsettled = `${node.id} is to leave`
  }

  /** One of the nodes that lost their disk, or have one that nothing can be read from. */
  replace(): void {
    const lost = this.#cluster.nodes.filter((node) => !node.sound && !node.join && !this.#leaving.has(node))
    if (lost.length > 0) this.#replace(this.#dice.pick(lost))
  }

  /** No disk that is lost or rotten is left as it is, but for one that has to heal by itself. */
  replaceAll(): void {
    for (const node of this.#cluster.nodes) {
      if (this.#cluster.options.rotten?.heals && !node.wiped && !node.refused) continue
      if (!node.sound && !(node.wiped && node.join) && !this.#leaving.has(node)) this.#replace(node)
    }
  }

  #replace(node: SimNode): void {
    this.#cluster.world.fault('replace', node.id)
    // A disk that was refused at its start is as good as an empty one: it holds a name and nothing else.
    if (!node.wiped) this.#cluster.wipe(node)
    // It may be running on the empty disk, and wait for a cluster that it is not allowed to found.
    this.#cluster.crash(node, 'replaced')
    this.#members.delete(node)
    this.#leftOut.delete(node)
    node.refused = false
    node.join = true
    this.unsettled = `${node.id} is to be replaced`
  }

  #round(): void {
    this.#look()
    for (const node of this.#cluster.nodes.slice()) {
      if (this.#leaving.has(node)) this.#takeOut(node)
      else this.#keep(node)
    }
    // Its last request to join may have come through after it was switched off.
    for (const { id } of this.#view?.members ?? []) if (!this.#cluster.node(id)) this.#remove(id)
    this.unsettled = this.#findUnsettled()
    this.start()
  }

  #look(): void {
    for (const { running } of this.#cluster.up) {
      const machine = running?.node.host.machine(META_GROUP)
      if (!(machine instanceof MetaMachine) || !running?.node.host.status(META_GROUP)?.serving) continue
      const { view } = machine
      if (view.formation && view.epoch >= (this.#view?.epoch ?? 0)) this.#view = view
    }
  }

  #takeOut(node: SimNode): void {
    if (!this.#view) return
    if (this.#isMember(node)) return this.#remove(node.id)
    if (node.retired) return
    node.retired = true
    this.#cluster.world.at(this.#dice.exponential(IDLE_MEAN_MS), 'operator retires', () => {
      // One that was still asking to join may be a member again.
      node.retired = !this.#isMember(node)
      if (node.retired) this.#cluster.retire(node)
    })
  }

  #isMember({ id }: SimNode): boolean {
    return this.#view?.members.some((member) => member.id === id) === true
  }

  #keep(node: SimNode): void {
    const known = this.#view?.members.find(({ id }) => id === node.id)
    if (known?.uid === node.uid) this.#members.add(node)
    else if (known === undefined && (this.#members.has(node) || this.#isLeftOut(node))) return this.#replace(node)
    if (known) this.#leftOut.delete(node)
    if (!node.join || node.joined) return
    const taken = known !== undefined && known.uid !== node.uid
    if (taken) this.#remove(node.id)
    // Impatient at times: it must be refused while its name is still that of the lost disk.
    if (!node.life?.alive && (!taken || this.#dice.chance(EARLY_SHARE))) this.#cluster.start(node)
  }

  #isLeftOut(node: SimNode): boolean {
    const idle = node.joined && node.running?.node.host.groups().length === 0
    const rounds = idle ? (this.#leftOut.get(node) ?? 0) + 1 : 0
    this.#leftOut.set(node, rounds)
    return rounds >= LEFT_OUT_ROUNDS
  }

  #remove(id: NodeId): void {
    const { up, world } = this.#cluster
    if (up.length === 0 || !this.#dice.chance(ASK_SHARE)) return
    const via = this.#dice.pick(up)
    via.life?.run(() => {
      via.running?.node.cluster.removeMember(id).catch((error: unknown) => {
        if (!(error instanceof TricordError)) world.fail(error)
      })
    })
  }

  /** What is, is what the table says: every node a member, every group led and on the members it was given, and nowhere else. */
  #findUnsettled(): string | null {
    const view = this.#view
    if (!view) return 'no table'
    const { nodes } = this.#cluster
    // Asked for, and perhaps not yet heard by anybody: then the table still shows it as if it stayed.
    const going = nodes.find((node) => this.#leaving.has(node))
    if (going) return `${going.id} is to leave`
    const wanted = nodes.map(({ id, uid }) => `${id} ${uid} active`).toSorted()
    const found = view.members.map(({ id, uid, state }) => `${id} ${uid} ${state}`).toSorted()
    if (wanted.join() !== found.join()) return `members ${found.join()} instead of ${wanted.join()}`
    for (const placement of view.placements) if (!this.#isPlaced(placement)) return `group ${placement.group} is not as placed`
    const stray = nodes.find((node) => !this.#holdsItsShare(node, view))
    return stray ? `${stray.id} holds other groups than it was given` : null
  }

  #isPlaced(placement: Placement): boolean {
    const statuses = this.#cluster.up.flatMap(({ running }) => running?.node.host.status(placement.group) ?? [])
    const [leader] = statuses.filter(({ role }) => role === 'leader').toSorted((a, b) => b.term - a.term)
    if (!leader || leader.membership.outgoing.length > 0) return false
    const { voters, learners } = targetOf(placement)
    return same(leader.membership.voters, voters) && same(leader.membership.learners, learners)
  }

  #holdsItsShare({ id, running }: SimNode, { members, placements }: MetaView): boolean {
    const member = members.find((one) => one.id === id)?.member ?? 0
    const given = placements.filter(({ replicas }) => replicas.includes(member)).map(({ group }) => group)
    const held = running?.node.host.groups() ?? []
    return same(held, given) && held.every((group) => running?.node.host.status(group)?.serving === true)
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one))
}
