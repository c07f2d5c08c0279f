/**
 * Homes and nodes whose clocks run at rates of their own, with messages that take their time, are lost and come twice, nodes
 * that stop for a while, and failovers. Against a naive register: what is read is no older than anything told before.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Prng } from '../../base/prng.ts'
import { BORROWERS_DEFAULTS, Borrowers, type Lender } from './borrowers.ts'
import { Controller } from './controller.ts'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import type { Copy } from './copies.ts'
import { Directory } from './directory.ts'
import { nothingAt } from './held.ts'
import { HOME_DEFAULTS } from './home.ts'
import { SILENT_HOME, SILENT_NODE } from './model/silent-ports.ts'
import { DriftClient } from './model/drift-client.ts'

const LINE = 'x'
const RUN_MS = 30_000
const { drift: DRIFT } = HOME_DEFAULTS

interface Event {
  readonly at: number
  readonly run: () => void
}

interface Entry {
  readonly write?: { readonly begun: number }
  readonly holder?: string
}

interface Node {
  readonly id: string
  readonly rate: number
  readonly controller: Controller
  readonly client: DriftClient
  /** Tickets, with what was newest when they were asked for. */
  readonly asked: Map<number, number>
  stoppedUntil: number
  clientStoppedUntil: number
  cutUntil: number
}

/** A home believes to lead until it is told; the agreed log is one array, and what is committed a number. */
class Cluster {
  now = 0
  newest = 0
  reads = 0
  hits = 0
  clientHits = 0
  answered = 0
  readonly stale: string[] = []
  private readonly events: Event[] = []
  private readonly random: Prng
  private readonly log: Entry[] = []
  private readonly nodes: Node[] = []
  private term = 0
  private home: Directory | null = null

  constructor(seed: number, drift: number) {
    this.random = new Prng(seed)
    for (const id of ['a', 'b', 'c']) this.nodes.push(this.node(id, this.rate(drift), this.rate(drift)))
    const rates = [1 - drift, 1, 1 + drift]
    this.elect(rates[this.random.below(3)] as number)
    for (const node of this.nodes) this.loop(20, () => this.read(node))
    for (const node of this.nodes) this.loop(10, () => this.clientActs(node))
    this.loop(120, () => this.write())
    this.loop(4_000, () => this.elect(rates[this.random.below(3)] as number))
    this.loop(3_000, () => this.disturb())
  }

  run(): void {
    while (this.now < RUN_MS) {
      let next = 0
      for (let i = 1; i < this.events.length; i++) if ((this.events[i] as Event).at < (this.events[next] as Event).at) next = i
      const event = this.events.splice(next, 1)[0] as Event
      this.now = event.at
      event.run()
    }
  }

  private after(ms: number, run: () => void): void {
    this.events.push({ at: this.now + ms, run })
  }

  private loop(everyMs: number, run: () => void): void {
    const again = (): void => {
      run()
      this.after(1 + this.random.below(2 * everyMs), again)
    }
    this.after(this.random.below(everyMs), again)
  }

  /** Mostly quick, sometimes very late, now and then lost or doubled. */
  private send(run: () => void): void {
    for (let copies = this.random.below(20) === 0 ? 2 : 1; copies > 0; copies--) {
      if (this.random.below(20) === 0) continue
      this.after(this.random.below(30) === 0 ? this.random.below(3_000) : 1 + this.random.below(4), run)
    }
  }

  private clock(rate: number): number {
    return Math.floor(1_000_000 + this.now * rate)
  }

  private rate(drift: number): number {
    return 1 + drift * (this.random.below(3) - 1)
  }

  private clientActs({ client, clientStoppedUntil }: Node): void {
    if (clientStoppedUntil <= this.now) client.act(this.random.below(4))
  }

  private node(id: string, rate: number, clientRate: number): Node {
    const store = new Map<string, Copy>()
    const controller: Controller = new Controller({ ...CONTROLLER_DEFAULTS, partition: 0, life: 1 }, store, {
      ...SILENT_NODE,
      send: (_, message) => {
        if (node.cutUntil > this.now) return
        this.send(() => this.reach(id, (home, now) => home.receive(id, message, now), 'term' in message ? message.term : this.term))
      },
      answer: (ticket, { version }) => this.seen(node, ticket, version),
      callBack: (line) => borrowers.callBack(line, lender, this.clock(rate)),
      failed: (ticket) => node.asked.delete(ticket),
    })
    const borrowers = new Borrowers({ ...BORROWERS_DEFAULTS, goneMs: Infinity }, () => {})
    const lender: Lender = {
      lend: (line) => controller.lend(line, this.clock(rate)),
      returned: (line) => controller.returned(line, this.clock(rate)),
      lentLeftMs: () => controller.session.leaseUntil - this.clock(rate),
    }
    const onNode = (run: (now: number) => void): void => {
      if (node.stoppedUntil > this.now) this.after(node.stoppedUntil - this.now, () => onNode(run))
      else run(this.clock(rate))
    }
    const world = {
      clock: () => this.clock(clientRate),
      send: (run: () => void) => this.send(run),
      onNode,
      copy: () => store.get(LINE),
      served: (version: number) => {
        this.clientHits += 1
        if (version < this.newest) this.stale.push(`the client of ${id} at ${this.now}: ${version} after ${this.newest}`)
        this.newest = Math.max(this.newest, version)
      },
    }
    const client = new DriftClient(world, borrowers, lender, LINE)
    const node: Node = { id, rate, controller, client, asked: new Map(), stoppedUntil: 0, clientStoppedUntil: 0, cutUntil: 0 }
    const tick = (): void => {
      if (node.stoppedUntil <= this.now && controller.dueAt <= this.clock(rate)) controller.tick(this.clock(rate))
      if (node.stoppedUntil <= this.now && borrowers.dueAt <= this.clock(rate)) borrowers.tick(this.clock(rate))
      this.after(10, tick)
    }
    this.after(0, tick)
    return node
  }

  private homes = new Map<number, { readonly directory: Directory; readonly rate: number }>()

  /** Old homes still hear what is for them. */
  private reach(_from: string, run: (home: Directory, now: number) => void, term: number): void {
    const home = this.homes.get(term)
    if (home !== undefined) run(home.directory, this.clock(home.rate))
  }

  private read(node: Node): void {
    if (node.stoppedUntil > this.now) return
    this.reads += 1
    const ticket = this.reads
    node.asked.set(ticket, this.newest)
    const copy = node.controller.load(LINE, ticket, this.clock(node.rate) + 1_000, this.clock(node.rate))
    if (copy === null) return
    this.hits += 1
    this.seen(node, ticket, copy.held.version)
  }

  private seen(node: Node, ticket: number, version: number): void {
    const begun = node.asked.get(ticket) as number
    node.asked.delete(ticket)
    if (version < begun) this.stale.push(`${node.id} at ${this.now}: ${version} after ${begun}`)
    this.newest = Math.max(this.newest, version)
  }

  private versionAt(length: number): number {
    return this.log.slice(0, length).filter(({ write }) => write !== undefined).length
  }

  /** Committed a little later, if the term lasts. */
  private propose(entry: Entry, applied: (index: number) => void): void {
    const { term } = this
    this.after(1 + this.random.below(10), () => {
      if (term !== this.term) return
      this.log.push(entry)
      applied(this.log.length)
    })
  }

  private write(): void {
    const { home, term } = this
    if (home === null) return
    const rate = this.homes.get(term)?.rate ?? 1
    const begun = this.newest
    if (this.random.below(2) === 0) home.preparing(LINE, 'put', this.clock(rate))
    this.propose({ write: { begun } }, (index) => {
      const version = this.versionAt(index)
      home.changed({ line: LINE, version, cause: 'put', own: 0 }, nothingAt(version - 1), this.clock(rate))
      this.answer(home, version, begun)
    })
  }

  private answer(home: Directory, version: number, begun: number): void {
    if (home !== this.home) return
    if (!home.isSettled(version)) return this.after(1, () => this.answer(home, version, begun))
    if (version <= begun) this.stale.push(`a write is ${version} after ${begun}`)
    this.answered += 1
    this.newest = Math.max(this.newest, version)
  }

  private elect(rate: number): void {
    this.term += 1
    const { term } = this
    const applied = (): number => (this.homes.get(term) === undefined ? 0 : this.log.length)
    const directory: Directory = new Directory(
      { ...HOME_DEFAULTS, term },
      {
        ...SILENT_HOME,
        send: (to, message) => {
          const node = this.nodes.find(({ id }) => id === to) as Node
          const deliver = (): void => {
            if (node.stoppedUntil > this.now) this.after(node.stoppedUntil - this.now, deliver)
            else if (node.cutUntil <= this.now) node.controller.receive(`home ${term}`, message, this.clock(node.rate))
          }
          this.send(deliver)
        },
        // What an old home has applied stands still.
        read: () => nothingAt(this.versionAt(term === this.term ? applied() : (this.frozen.get(term) as number))),
        hold: (node) => this.propose({ holder: node }, () => directory.held(node, this.clock(rate))),
        confirm: (ask) =>
          this.after(1, () => {
            if (term === this.term) this.after(this.random.below(50), () => directory.confirmed(ask, this.clock(rate)))
          }),
      },
    )
    this.frozen.set(term - 1, this.log.length)
    this.home = directory
    this.homes.set(term, { directory, rate })
    const holders = (): string[] => this.log.flatMap(({ holder }) => holder ?? [])
    directory.start(this.clock(rate), holders())
    this.after(this.random.below(20), () => directory.caughtUp(holders(), this.clock(rate)))
    const tick = (): void => {
      if (directory.dueAt <= this.clock(rate)) directory.tick(this.clock(rate))
      if (this.term <= term + 1) this.after(10, tick)
    }
    tick()
  }

  private readonly frozen = new Map<number, number>()

  private disturb(): void {
    const node = this.nodes[this.random.below(3)] as Node
    if (this.random.below(3) === 0) node.clientStoppedUntil = this.now + this.random.below(4_000)
    else if (this.random.below(2) === 0) node.stoppedUntil = this.now + this.random.below(4_000)
    else node.cutUntil = this.now + this.random.below(4_000)
  }
}

function ran(seed: number, drift: number): Cluster {
  const cluster = new Cluster(seed, drift)
  cluster.run()
  return cluster
}

test('clocks within the bound: nothing old is read', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { stale, hits, clientHits, answered } = ran(seed, DRIFT)
      expect(stale).toEqual([])
      expect(Math.min(hits, clientHits, answered)).toBeGreaterThan(10)
    }),
    { numRuns: Number(process.env['CACHE_DRIFT_RUNS'] ?? 25) },
  )
})

test('clocks beyond it: something is', () => {
  const found = Array.from({ length: 40 }, (_, seed) => ran(seed, 0.3).stale.length)
  expect(Math.max(...found)).toBeGreaterThan(0)
})
