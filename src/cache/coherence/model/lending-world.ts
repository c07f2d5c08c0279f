/**
 * The model with a client of the first node that keeps copies of what it is lent: it may read them at any time as long as its lease
 * lasts, hears late or never, and acknowledges when it likes. Its promise is that of all the others.
 *
 *   offer  on its way, and may be overtaken by what calls it back
 *   hears  what it was told last, or that the node is another one: it drops what it holds
 *   beats  acknowledges what it has heard, and has a new lease
 *
 * Its lease counts from when the node heard the question: the longest that it may be.
 */
import type { Borrower, Borrowers } from '../borrowers.ts'
import { CLIENT } from './lendings.ts'
import type { NodeEffects, NodePart } from './node-part.ts'
import { LINE, stepNode } from './node-part.ts'
import { Numbers, write } from './plain.ts'
import { NEWEST, NODES, NOW, type World, at, with_ } from './row.ts'
import { UNIT_MS } from './settings.ts'
import { Model } from './world.ts'
import type { Visit } from './outcome.ts'

interface Offer {
  readonly life: number
  readonly after: number
  readonly version: number
  readonly until: number
}

interface ClientPart {
  /** Of the node that it knows. */
  readonly life: number
  /** What it was told last. */
  readonly floor: number
  readonly held: number | null
  readonly until: number
  readonly offers: readonly Offer[]
  /** The node says nothing before. */
  readonly quietUntil: number
}

const FIRST: ClientPart = { life: 1, floor: 0, held: null, until: 0, offers: [], quietUntil: 0 }
const NOBODY = -1

export class LendingModel extends Model {
  private readonly clients = new Numbers<ClientPart>()
  private readonly steps = new Map<string, { readonly part: number; readonly packets: readonly number[]; readonly result: unknown }>()

  override successors(world: World, visit: Visit): void {
    super.successors(world, visit)
    const client = this.clientOf(world)
    const now = at(world, NOW) * UNIT_MS
    this.clientReads(world, client, now)
    const part = this.nodes.get(at(world, NODES))
    this.clientHears(world, client, part)
    if (now < client.quietUntil) return
    for (let version = 0; version <= this.settings.writes; version++) this.lends(world, client, version, now)
    if (client.life === part.life) this.beats(world, client, now)
    this.step(
      world,
      'the lendings of n0 tick',
      (borrowers) => borrowers.tick(now),
      () => client,
    )
  }

  /** What was lent before lives on. */
  protected override crash(world: World, node: number): void {
    const { visit } = this
    const client = this.clientOf(world)
    const quietUntil = node === 0 && this.rules.quiet ? (at(world, NOW) + 1) * UNIT_MS : client.quietUntil
    this.visit = (next, event, violation) => visit(this.withClient(next, { ...client, quietUntil }), event, violation)
    super.crash(world, node)
    this.visit = visit
  }

  /** One that is quiet might as well be asleep. */
  protected override node(world: World, node: number, event: string, act: (part: NodePart) => NodePart | [NodePart, NodeEffects]): void {
    if (node !== 0 || at(world, NOW) * UNIT_MS >= this.clientOf(world).quietUntil) super.node(world, node, event, act)
  }

  private clientReads(world: World, client: ClientPart, now: number): void {
    const { held, until } = client
    if (held !== null && (now < until || !this.rules.clientLease) && held !== at(world, NEWEST)) {
      const old = held < at(world, NEWEST) ? `c reads ${held} after ${at(world, NEWEST)} was told` : null
      this.visit(with_(world, NEWEST, Math.max(held, at(world, NEWEST))), `c hits ${held}`, old)
    }
    for (const offer of client.offers) {
      const offers = client.offers.filter((other) => other !== offer)
      const isGood = offer.life === client.life && (client.floor <= offer.after || !this.rules.overtaken)
      const taken = isGood ? { ...client, held: offer.version, until: Math.max(client.until, offer.until) } : client
      this.visit(this.withClient(world, { ...taken, offers }), `c takes ${offer.version}`, null)
    }
  }

  private clientHears(world: World, client: ClientPart, { life, lendings }: NodePart): void {
    const floor = lendings.pending.at(-1)?.n ?? 0
    if (life !== client.life) {
      const next = { ...client, life, floor: 0, held: null, until: 0, offers: [] }
      this.visit(this.withClient(world, next), 'c hears of another life of n0', null)
    } else if (floor > client.floor) this.visit(this.withClient(world, { ...client, floor, held: null }), `c hears ${floor}`, null)
  }

  private lends(world: World, client: ClientPart, version: number, now: number): void {
    this.step(
      world,
      `n0 lends ${version} to c`,
      (borrowers, borrower, { lender }) => borrowers.lend(borrower, LINE, [{ line: LINE, version, lender }], now),
      (lent, { life }) => {
        if (lent === null) return null
        const offer = { life, after: lent.after, version, until: now + lent.leaseMs }
        const isKnown = client.offers.some((other) => JSON.stringify(other) === JSON.stringify(offer))
        return isKnown ? client : { ...client, offers: [...client.offers, offer] }
      },
    )
  }

  private beats(world: World, client: ClientPart, now: number): void {
    this.step(
      world,
      `c beats ${client.floor}`,
      (borrowers, borrower) => borrowers.beat(borrower, client.floor, now),
      (leaseMs) => ({ ...client, until: leaseMs === 0 ? client.until : Math.max(client.until, now + leaseMs) }),
    )
  }

  /** Null: nothing comes of it. */
  private step<T>(
    world: World,
    event: string,
    act: (borrowers: Borrowers, borrower: Borrower, effects: NodeEffects) => T,
    then: (result: T, part: NodePart) => ClientPart | null,
  ): void {
    const before = at(world, NODES)
    const key = `${before} ${at(world, NOW)} ${event}`
    let made = this.steps.get(key)
    if (made === undefined) {
      let result: unknown = null
      const [part, { sent }] = stepNode(this.nodes.get(before), at(world, NOW) * UNIT_MS, (_, effects) => {
        result = act(effects.borrowers, effects.borrowers.all.get(CLIENT) as Borrower, effects)
      })
      const packets = sent.map((message) =>
        this.network.numberOf({ node: 0, term: 'term' in message ? message.term : 0, message, up: true }),
      )
      made = { part: this.nodeNumber(part), packets, result }
      this.steps.set(key, made)
    }
    const part = this.nodes.get(made.part)
    if (part.session.n % 2 ** 21 > this.settings.tries) return
    const client = then(made.result as T, part)
    if (client === null) return
    const next = this.after(world, NODES, { ...made, answered: [], lost: 0 }) ?? world
    const after = this.withClient(next, client)
    if (after.some((value, nth) => value !== world[nth])) this.visit(after, event, null)
  }

  private clientOf(world: World): ClientPart {
    const number = at(world, this.crashesAt + 1)
    return number === NOBODY ? FIRST : this.clients.get(number)
  }

  /** Offers that can do nothing any more are forgotten. */
  private withClient(world: World, client: ClientPart): World {
    const now = at(world, NOW) * UNIT_MS
    const { overtaken, clientLease } = this.rules
    const offers = client.offers.filter(
      ({ life, after, until }) => life === client.life && (after >= client.floor || !overtaken) && (until > now || !clientLease),
    )
    const next = { ...client, offers }
    return with_(
      world,
      this.crashesAt + 1,
      this.clients.of(write(next, new Set()), () => next),
    )
  }
}
