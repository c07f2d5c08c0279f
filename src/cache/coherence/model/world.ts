/**
 * Nodes, homes of several terms, a log that is agreed on, and a network that keeps every message that was ever sent and
 * delivers any of them at any time, any number of times. A state is a row of numbers, each the name of a part that was seen
 * before; what a part does on an event is computed once.
 *
 *   [now, newest, network, node…, home…, committed…, reads…, writes…, looks…, crashes, client]
 *
 * `newest` is the newest version that was answered or read. The promise: nobody reads anything older than what was `newest`
 * when the read began, and a write that is answered is newer than what was `newest` when it was asked for.
 */
import { nothingAt } from '../held.ts'
import { isClean, writable } from '../owned-lines.ts'
import { assert } from '../../../base/assert.ts'
import type { Answer, HomePart, Sent } from './home-part.ts'
import { answerable, applyNext, brokenBy, createHomePart, stepHome, textOf as textOfHome } from './home-part.ts'
import type { NodeEffects, NodePart } from './node-part.ts'
import { LINE, createNodePart, giveUp, leaveNode, readable, stepNode, textOf as textOfNode } from './node-part.ts'
import { type Entry, mayPropose } from './register.ts'
import { EMPTY, Network, entryOf, isDead } from './network.ts'
import { type Outcome, Outcomes, type Visit } from './outcome.ts'
import { Numbers } from './plain.ts'
import { countsWhoLeft, isPinned, restingOwner } from './rest.ts'
import type { World } from './row.ts'
import { DONE, NETWORK, NEWEST, NODES, NONE, NOW, at, electable, firstFree, isSame, nameOf, textOfEntry, with_ } from './row.ts'
import type { Rules, Settings } from './settings.ts'
import { UNIT_MS, sessionEvents } from './settings.ts'

export class Model {
  readonly settings: Settings
  readonly rules: Rules
  protected readonly nodes = new Numbers<NodePart>()
  private readonly homes = new Numbers<HomePart>()
  protected readonly network = new Network()
  private readonly outcomes = new Outcomes()
  private readonly answers: (readonly Answer[])[] = []
  // Where things are in a row.
  private readonly homesAt: number
  private readonly committedAt: number
  protected readonly readsAt: number
  protected readonly writesAt: number
  protected readonly crashesAt: number
  protected visit: Visit = () => {}

  constructor(settings: Settings, rules: Rules) {
    this.settings = settings
    this.rules = rules
    this.homesAt = NODES + settings.nodes
    this.committedAt = this.homesAt + settings.terms
    this.readsAt = this.committedAt + settings.terms
    this.writesAt = this.readsAt + settings.loads
    this.crashesAt = this.writesAt + settings.writes + settings.looks
  }

  first(): World {
    const world = Array.from({ length: this.crashesAt + 2 }, () => NONE)
    world[NOW] = 0
    world[NEWEST] = 0
    world[NETWORK] = EMPTY
    for (let i = 0; i < this.settings.nodes; i++) world[NODES + i] = this.nodeNumber(createNodePart(nameOf(i), 1))
    world[this.crashesAt] = 0
    this.elect(world, 0, [], 0)
    const { sessions, nodes, begin } = this.settings
    return this.follow(world, [...(sessions ? sessionEvents(nodes) : []), ...begin])
  }

  /** The state after these events. */
  private follow(first: World, events: readonly RegExp[]): World {
    let world = first
    for (const event of events) {
      let found: World | null = null
      this.successors(world, (next, name) => {
        if (event.test(name)) found ??= next
      })
      assert(found !== null, `nothing like ${event.source} can happen`)
      world = found
    }
    return world
  }

  successors(world: World, visit: Visit): void {
    this.visit = visit
    if (at(world, NOW) < this.settings.time) this.go(world, 'time', (next) => (next[NOW] = at(next, NOW) + 1))
    for (let node = 0; node < this.settings.nodes; node++) this.nodeEvents(world, node)
    for (let home = 0; home < this.settings.terms; home++) if (at(world, this.homesAt + home) !== NONE) this.homeEvents(world, home)
    for (const packet of this.network.packetsOf(at(world, NETWORK))) this.deliver(world, packet)
    this.elections(world)
    if (this.settings.owners || this.settings.leaves) this.rest(world)
  }

  private rest(world: World): void {
    const term = firstFree(world, this.homesAt, this.settings.terms) ?? this.settings.terms
    const home = this.homes.get(at(world, this.homesAt + term - 1))
    const owner = restingOwner(home)
    for (let node = 0; node < this.settings.nodes; node++) {
      const part = this.nodes.get(at(world, NODES + node))
      if (countsWhoLeft(home, part)) this.visit(world, '', `home ${term} counts ${part.node} among the holders though it has left`)
      if (owner?.node !== part.node || !isPinned(owner, term, part, this.network, at(world, NETWORK), at(world, NOW) * UNIT_MS)) continue
      this.visit(world, '', `${part.node} owns the line by the log, and will not hear of it`)
    }
  }

  protected nodeEvents(world: World, node: number): void {
    const part = this.nodes.get(at(world, NODES + node))
    const now = at(world, NOW) * UNIT_MS
    const name = nameOf(node)
    const copy = readable(part, now)
    if (copy !== null) {
      const { version } = copy.held
      const owned = part.owned.get(LINE)
      const mayBeLost = this.settings.lossy && owned !== undefined && !isClean(owned)
      if (version !== at(world, NEWEST) && !mayBeLost) {
        const old = version < at(world, NEWEST) ? `${name} reads ${version} from its copy after ${at(world, NEWEST)} was told` : null
        this.go(world, `${name} hits ${version}`, (next) => (next[NEWEST] = Math.max(version, at(next, NEWEST))), old)
      }
      if (this.settings.evictions) this.node(world, node, `${name} evicts`, () => ({ ...part, copies: new Map() }))
    } else this.load(world, node, now)
    if (this.settings.owners) this.ownerEvents(world, node, part, now)
    if (now > 0) this.node(world, node, `${name} ticks`, (before) => stepNode(before, now, (controller) => controller.tick(now)))
    if (at(world, this.crashesAt) < this.settings.crashes) this.crash(world, node)
    if (this.settings.leaves) this.node(world, node, `${name} leaves`, (before) => leaveNode(before, now))
    if (this.settings.givesUp) this.node(this.failed(world, part), node, `${name} gives up`, (before) => giveUp(before, now))
  }

  /** It asks to own the line, writes it, flushes it, lets it go. */
  private ownerEvents(world: World, node: number, part: NodePart, now: number): void {
    const owned = part.owned.get(LINE)
    const name = nameOf(node)
    const isWritable = owned !== undefined && writable(owned) !== null && readable(part, now) !== null
    if (owned !== undefined && owned.dirty > 0 && owned.flushing === null && !owned.closing) {
      this.node(world, node, `${name} flushes`, (before) => stepNode(before, now, (controller) => controller.tick(now)))
    }
    if (this.settings.releases && owned !== undefined) {
      this.node(world, node, `${name} lets go`, (before) => stepNode(before, now, (controller) => controller.giveUp(LINE)))
    }
    if (!isWritable) return this.load(world, node, now, true)
    for (let other = 0; other < this.settings.nodes; other++) {
      const copy = other === node ? null : readable(this.nodes.get(at(world, NODES + other)), now)
      if (copy !== null) this.visit(world, '', `${name} may write what ${nameOf(other)} reads`)
    }
    const op = firstFree(world, this.writesAt, this.settings.writes, true)
    if (op === null) return
    const told = owned.next > at(world, NEWEST) ? null : `${name} writes ${owned.next} after ${at(world, NEWEST)} was told`
    if (told !== null) this.visit(world, '', told)
    const newest = this.settings.lossy ? at(world, NEWEST) : Math.max(owned.next, at(world, NEWEST))
    const done = with_(with_(world, this.writesAt + op, DONE), NEWEST, newest)
    this.node(done, node, `${name} stores ${owned.next}`, (before) => stepNode(before, now, (one) => one.write(LINE, nothingAt, now)))
  }

  private load(world: World, node: number, now: number, owns = false): void {
    const ticket = firstFree(world, this.readsAt, this.settings.loads)
    if (ticket === null) return
    const begun = with_(world, this.readsAt + ticket, at(world, NEWEST))
    const name = nameOf(node)
    this.node(begun, node, `${name} ${owns ? 'claims' : 'loads'} #${ticket}`, (part) =>
      stepNode(part, now, (controller) => {
        if (owns) controller.own(LINE, ticket, Infinity, now)
        else controller.load(LINE, ticket, Infinity, now)
      }),
    )
  }

  protected crash(world: World, node: number): void {
    const part = this.nodes.get(at(world, NODES + node))
    const next = this.failed(world, part)
    next[NODES + node] = this.nodeNumber(createNodePart(part.node, this.rules.lives ? part.life + 1 : part.life))
    next[this.crashesAt] = at(world, this.crashesAt) + 1
    this.visit(next, `${part.node} restarts`, null)
  }

  /** Who waits there is told nothing. */
  private failed(world: World, { fetches }: NodePart): number[] {
    const next = [...world]
    for (const { waiters } of fetches.values()) for (const { ticket } of waiters) next[this.readsAt + ticket] = DONE
    return next
  }

  private deliver(world: World, number: number): void {
    const { node, term, up, message } = this.network.packet(number)
    const now = at(world, NOW) * UNIT_MS
    if (!up) {
      this.node(world, node, `${number}:${message.type} to ${nameOf(node)}`, (part) =>
        stepNode(part, now, (controller) => {
          if (message.type === 'flushed') controller.flushed(LINE, message.own, message.version, message.isCommitted, now)
          else controller.receive(`home ${term}`, message, now)
        }),
      )
      return
    }
    if (message.type === 'flush' || message.type === 'release') return this.propose(world, entryOf(message, node))
    for (let home = 0; home < this.settings.terms; home++) {
      if (at(world, this.homesAt + home) === NONE || ('term' in message && message.term !== home + 1)) continue
      this.home(
        world,
        home,
        `${number}:${message.type}${'n' in message ? ` ${message.n % 2 ** 21}` : ''} of ${nameOf(node)} to home ${home + 1}`,
        (part) => stepHome(part, this.rules, now, (directory) => directory.receive(nameOf(node), message, now)),
      )
    }
  }

  /** Whoever leads has it in its log, once. */
  private propose(world: World, entry: Entry): void {
    const next = firstFree(world, this.homesAt, this.settings.terms) ?? this.settings.terms
    const { log } = this.homes.get(at(world, this.homesAt + next - 1))
    if (log.some((other) => isSame(other, entry))) return
    this.home(world, next - 1, `home ${next} proposes a ${textOfEntry(entry)}`, (before) =>
      stepHome(before, this.rules, 0, (_, own) => void own.log.push(entry)),
    )
  }

  private homeEvents(world: World, home: number): void {
    const part = this.homes.get(at(world, this.homesAt + home))
    const now = at(world, NOW) * UNIT_MS
    const leads = home + 1 === this.settings.terms || at(world, this.homesAt + home + 1) === NONE
    const name = `home ${home + 1}`
    if (leads || this.settings.deposed) this.proposals(world, home, part)
    if (leads || !this.rules.fenced) this.replicate(world, home, part)
    if (leads) this.belated(world, home, part)
    if (part.applied < at(world, this.committedAt + home)) {
      this.home(world, home, `${name} applies`, (before) =>
        stepHome(before, this.rules, now, (directory, own, sent) => applyNext(directory, own, now, this.rules, sent)),
      )
    }
    for (const [ask, granted] of part.asks) this.confirmations(world, home, ask, granted, leads)
    if (now > 0) this.home(world, home, `${name} ticks`, (before) => stepHome(before, this.rules, now, (directory) => directory.tick(now)))
    if (leads || this.settings.deposed) this.answersOf(world, home)
  }

  private proposals(world: World, home: number, part: HomePart): void {
    const { writes, looks } = this.settings
    const now = at(world, NOW) * UNIT_MS
    for (let op = 0; op < writes + looks; op++) {
      // The operations of a kind are alike: the first one that is free stands for all.
      const state = at(world, this.writesAt + op)
      if (state === DONE || (op >= this.settings.logged && op < writes) || !mayPropose(part.log, op, this.rules)) continue
      const entry: Entry = { type: op < writes ? 'put' : 'look', op }
      const begun = state === NONE ? with_(world, this.writesAt + op, at(world, NEWEST)) : world
      this.home(begun, home, `home ${home + 1} proposes ${entry.type} ${op}`, (before) =>
        stepHome(before, this.rules, now, (directory, own) => {
          own.log.push(entry)
          if (this.settings.preparing) directory.preparing(LINE, 'put', now)
        }),
      )
      if (state === NONE) op = op < writes ? writes - 1 : writes + looks
    }
  }

  /** What an older home asked for and does not know the fate of comes to the log of this one. */
  private belated(world: World, home: number, part: HomePart): void {
    for (let older = 0; older < home; older++) {
      for (const entry of this.homes.get(at(world, this.homesAt + older)).log) {
        const isAsked = entry.type === 'unhold' || entry.type === 'own' || entry.type === 'release'
        if (!isAsked || entry.by !== older + 1 || part.log.some((other) => isSame(other, entry))) continue
        this.home(world, home, `home ${home + 1} is asked to ${textOfEntry(entry)}`, (before) =>
          stepHome(before, this.rules, 0, (_, own) => void own.log.push({ ...entry, term: home + 1 })),
        )
      }
    }
  }

  /** A majority has one more entry of the newest leader's; the first time, all up to its own first one. */
  private replicate(world: World, home: number, part: HomePart): void {
    const committed = at(world, this.committedAt + home)
    const own = part.log.findIndex((entry) => entry.type === 'first' && entry.term === part.term) + 1
    const next = Math.max(committed + 1, own)
    if (next > part.log.length) return
    this.go(world, `${next} entries of home ${home + 1} are committed`, (row) => (row[this.committedAt + home] = next))
  }

  private confirmations(world: World, home: number, ask: number, granted: boolean, leads: boolean): void {
    const now = at(world, NOW) * UNIT_MS
    if (!granted && leads) {
      this.home(world, home, `home ${home + 1} is confirmed (${ask})`, (before) =>
        stepHome(before, this.rules, now, (_, own) => void own.asks.set(ask, true)),
      )
    }
    if (!granted) return
    this.home(world, home, `home ${home + 1} hears that it was confirmed (${ask})`, (before) =>
      stepHome(before, this.rules, now, (directory, own) => {
        own.asks.delete(ask)
        const asked = directory.home.state.asks.find((other) => other.ask === ask)
        if (asked !== undefined && !this.rules.leaseFromAsking) asked.at = now
        directory.confirmed(ask, now)
      }),
    )
  }

  private answersOf(world: World, home: number): void {
    const number = at(world, this.homesAt + home)
    this.answers[number] ??= answerable(this.homes.get(number), this.rules)
    for (const answer of this.answers[number]) {
      const [op, version] = answer
      const begun = at(world, this.writesAt + op)
      if (begun < 0) continue
      const violation = brokenBy(answer, begun, this.answers[number])
      const next = [...world]
      next[this.writesAt + op] = DONE
      next[NEWEST] = Math.max(version, at(world, NEWEST))
      this.visit(next, `home ${home + 1} answers ${op} with ${version}`, violation)
    }
  }

  private elections(world: World): void {
    const term = firstFree(world, this.homesAt, this.settings.terms)
    if (term === null) return
    const logs = Array.from({ length: term }, (_, home) => this.homes.get(at(world, this.homesAt + home)).log)
    const ends = logs.map((_, home) => at(world, this.committedAt + home))
    for (const { committed, home, log } of electable(logs, ends)) {
      const next = [...world]
      this.elect(next, term, log, committed)
      this.visit(next, `home ${term + 1} is elected with ${log.length} entries of home ${home + 1}`, null)
    }
  }

  private elect(world: number[], home: number, log: Entry[], committed: number): void {
    const { lease, lagging } = this.settings
    const begin = { term: home + 1, leaseMs: lease * UNIT_MS, log, applied: lagging ? 0 : committed }
    const [part, sent] = createHomePart(begin, at(world, NOW) * UNIT_MS, this.rules)
    world[this.homesAt + home] = this.homeNumber(part)
    world[this.committedAt + home] = committed
    world[NETWORK] = this.network.with(at(world, NETWORK), this.packetsOf(home + 1, sent))
  }

  protected node(world: World, node: number, event: string, act: (part: NodePart) => NodePart | [NodePart, NodeEffects]): void {
    const before = at(world, NODES + node)
    const known = this.outcomes.of(before, at(world, NOW), false)
    let outcome = known.get(event)
    if (outcome === undefined) {
      const made = act(this.nodes.get(before))
      const [part, { sent, answered, lost }] = Array.isArray(made) ? made : [made, { sent: [], answered: [], lost: 0 }]
      const packets = sent.map((message) => this.network.numberOf({ node, term: 'term' in message ? message.term : 0, message, up: true }))
      outcome = part.session.n % 2 ** 21 > this.settings.tries ? null : { part: this.nodeNumber(part), packets, answered, lost }
      known.set(event, outcome)
    }
    if (outcome === null) return
    const next = this.after(world, NODES + node, outcome)
    if (next === null) return
    let violation = outcome.lost > 0 && !this.settings.lossy ? `${nameOf(node)} lost ${outcome.lost} writes` : null
    for (const [ticket, version] of outcome.answered) {
      const begun = at(world, this.readsAt + ticket)
      if (version < begun) violation = `${nameOf(node)} is told ${version} though ${begun} was told before it asked`
      next[this.readsAt + ticket] = DONE
      next[NEWEST] = Math.max(version, at(next, NEWEST))
    }
    this.visit(next, event, violation)
  }

  private home(world: World, home: number, event: string, act: (part: HomePart) => [HomePart, Sent[]]): void {
    const before = at(world, this.homesAt + home)
    const known = this.outcomes.of(before, at(world, NOW), true)
    let outcome = known.get(event)
    if (outcome === undefined) {
      const [part, sent] = act(this.homes.get(before))
      outcome =
        part.state.g > this.settings.grants
          ? null
          : { part: this.homeNumber(part), packets: this.packetsOf(home + 1, sent), answered: [], lost: 0 }
      known.set(event, outcome)
    }
    if (outcome === null) return
    const next = this.after(world, this.homesAt + home, outcome)
    if (next !== null) this.visit(next, event, null)
  }

  /** null: nothing is different. */
  protected after(world: World, index: number, { part, packets, answered }: Outcome): number[] | null {
    const network = packets.length === 0 ? at(world, NETWORK) : this.network.with(at(world, NETWORK), packets)
    if (part === world[index] && network === world[NETWORK] && answered.length === 0) return null
    const next = [...world]
    next[index] = part
    next[NETWORK] = this.settings.forgetful ? this.forget(next, network) : network
    return next
  }

  private forget(world: World, network: number): number {
    return this.network.without(network, (packet, isReleased) => {
      const home = packet.term === 0 ? NONE : at(world, this.homesAt + packet.term - 1)
      return isDead(packet, this.nodes.get(at(world, NODES + packet.node)), home === NONE ? null : this.homes.get(home), isReleased)
    })
  }

  protected go(world: World, event: string, change: (next: number[]) => void, violation: string | null = null): void {
    const next = [...world]
    change(next)
    this.visit(next, event, violation)
  }

  protected packetsOf(term: number, sent: readonly Sent[]): number[] {
    return sent.map(([node, message]) => this.network.numberOf({ node: Number(node.slice(1)), term, message, up: false }))
  }

  protected nodeNumber(part: NodePart): number {
    return this.nodes.of(textOfNode(part), () => part)
  }

  private homeNumber(part: HomePart): number {
    return this.homes.of(textOfHome(part), () => part)
  }
}
