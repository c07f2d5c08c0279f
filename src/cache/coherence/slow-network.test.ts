/** A node that is far from its home: the way takes a good part of a lease, and answers come when the question was long repeated. */
import { describe, expect, test } from 'vitest'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import { Controller } from './controller.ts'
import type { Copy } from './copies.ts'
import { Directory } from './directory.ts'
import { nothingAt } from './held.ts'
import { HOME_DEFAULTS } from './home.ts'
import { SILENT_HOME, SILENT_NODE } from './model/silent-ports.ts'
import type { ToHome, ToNode } from './protocol.ts'

const LINE = 'x'
const TERM = 1
const RUN_MS = 30_000
const READ_TIMEOUT_MS = 10_000

/** One home and one node, `rttMs` apart; reads ten times a second, writes once in three. */
class Far {
  now = 0
  reads = 0
  hits = 0
  failed = 0
  readonly stale: string[] = []
  /** How long writes waited for the node. */
  readonly waits: number[] = []
  readonly controller: Controller
  readonly #directory: Directory
  readonly #events: { readonly at: number; readonly run: () => void }[] = []
  readonly #asked = new Map<number, number>()
  readonly #begun = new Map<number, number>()
  #version = 0
  #newest = 0

  /** `confirmMs`: until a majority has answered the home. */
  constructor(rttMs: number, confirmMs: number) {
    this.#directory = new Directory(
      { ...HOME_DEFAULTS, term: TERM },
      {
        ...SILENT_HOME,
        send: (_, message) => this.#after(rttMs / 2, () => this.controller.receive('home', message, this.now)),
        read: () => nothingAt(this.#version),
        hold: (node) => this.#after(confirmMs, () => this.#directory.held(node, this.now)),
        confirm: (ask) => this.#after(confirmMs, () => this.#directory.confirmed(ask, this.now)),
        settled: (version) => this.#answered(version),
      },
    )
    this.controller = new Controller({ ...CONTROLLER_DEFAULTS, partition: 0, life: 1 }, new Map<string, Copy>(), {
      ...SILENT_NODE,
      send: (_, message) => this.#after(rttMs / 2, () => this.#directory.receive('far', message, this.now)),
      answer: (ticket, { version }) => this.#seen(ticket, version),
      failed: () => this.failed++,
    })
    this.#directory.start(0, [])
    this.#directory.caughtUp([], 0)
    this.#every(10, () => {
      this.#directory.tick(this.now)
      this.controller.tick(this.now)
    })
    this.#every(97, () => this.#read())
    this.#every(3_001, () => this.#write())
  }

  run(): this {
    while (this.now < RUN_MS) {
      let next = 0
      for (let i = 1; i < this.#events.length; i++) if (this.#events[i]!.at < this.#events[next]!.at) next = i
      const [event] = this.#events.splice(next, 1)
      this.now = event!.at
      event!.run()
    }
    return this
  }

  /** Once the lines are known and sessions are in use. */
  get renewsPerSecond(): number {
    return this.#directory.counts.renew / (RUN_MS / 1_000)
  }

  #after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, run })
  }

  #every(ms: number, run: () => void): void {
    this.#after(ms, () => {
      run()
      this.#every(ms, run)
    })
  }

  #read(): void {
    const ticket = ++this.reads
    this.#asked.set(ticket, this.#newest)
    const copy = this.controller.load(LINE, ticket, this.now + READ_TIMEOUT_MS, this.now)
    if (copy === null) return
    this.hits++
    this.#seen(ticket, copy.held.version)
  }

  #seen(ticket: number, version: number): void {
    const begun = this.#asked.get(ticket) ?? 0
    if (version < begun) this.stale.push(`${version} after ${begun} at ${this.now}`)
    this.#newest = Math.max(this.#newest, version)
  }

  #write(): void {
    const before = nothingAt(this.#version)
    const version = ++this.#version
    this.#begun.set(version, this.now)
    this.#directory.changed({ line: LINE, version, cause: 'put', own: 0 }, before, this.now)
    if (this.#directory.isSettled(version)) this.#answered(version)
  }

  #answered(version: number): void {
    this.waits.push(this.now - (this.#begun.get(version) ?? 0))
    this.#newest = Math.max(this.#newest, version)
  }
}

describe('a node keeps a session', () => {
  test.each([
    [50, 5],
    [300, 5],
    [300, 300],
    [600, 5],
    [600, 300],
    [1_000, 5],
    [1_000, 100],
    [1_400, 5],
  ])('%i ms from its home, which hears its majority after %i ms', (rttMs, confirmMs) => {
    const far = new Far(rttMs, confirmMs).run()
    expect(far.stale).toEqual([])
    expect(far.failed).toBe(0)
    // What is written is asked for anew, and the invalidation takes its way.
    expect(far.hits / far.reads).toBeGreaterThan(0.9 - (2 * rttMs) / 3_000)
    // From half a lease on, an invalidation that is under way for long may cost the session: not oftener than there are writes.
    expect(far.controller.counts.breaks).toBeLessThanOrEqual(rttMs < 1_000 ? 0 : far.waits.length)
    expect(far.renewsPerSecond).toBeLessThan(12)
    expect(Math.max(...far.waits)).toBeLessThanOrEqual(rttMs + 10)
  })

  test.each([2_100, 5_000])('none at %i ms, where no lease is left when the answer comes: reads fail in their time', (rttMs) => {
    const far = new Far(rttMs, 5).run()
    expect(far.stale).toEqual([])
    expect(far.hits).toBe(0)
    expect(far.failed).toBeGreaterThan(100)
    // Nobody waits for longer than for a node that is dead.
    expect(Math.max(...far.waits)).toBeLessThanOrEqual(HOME_DEFAULTS.leaseMs * 1.03 + HOME_DEFAULTS.marginMs + 10)
  })
})

describe('opens of one node at a home', () => {
  function home() {
    const sent: ToNode[] = []
    const asks: number[] = []
    const directory = new Directory(
      { ...HOME_DEFAULTS, term: TERM },
      {
        ...SILENT_HOME,
        send: (_, message) => void sent.push(message),
        read: () => nothingAt(1),
        hold: (node) => directory.held(node, 0),
        confirm: (ask) => void asks.push(ask),
      },
    )
    directory.start(0, [])
    directory.caughtUp([], 0)
    const open = (n: number, first: number, now: number): void => directory.receive('far', { type: 'open', n, first }, now)
    const receive = (message: ToHome, now: number): void => directory.receive('far', message, now)
    return { directory, sent, asks, open, receive }
  }

  test('what was asked before the last session of the node is not opened any more', () => {
    const { directory, sent, asks, open } = home()
    open(1, 1, 0)
    open(2, 1, 10)
    directory.confirmed(asks[0]!, 20)
    expect(sent.at(-1)).toMatchObject({ type: 'opened', n: 1, sid: 1 })
    // It had a session, and has none any more.
    open(3, 3, 30)
    const before = sent.length
    directory.confirmed(asks[1]!, 40)
    expect(sent.length).toBe(before)
    directory.confirmed(asks[2]!, 50)
    expect(sent.at(-1)).toMatchObject({ type: 'opened', n: 3, sid: 2 })
    // Its copies are of the session that this one is about: it stays.
    open(4, 3, 60)
    directory.confirmed(asks[3]!, 70)
    expect(sent.at(-1)).toMatchObject({ type: 'opened', n: 4, sid: 2 })
  })

  test('many of them under way do not keep each other from being answered', () => {
    const { directory, sent, asks, open } = home()
    for (let n = 1; n <= 40; n++) {
      open(n, 1, n * 20)
      // A confirmation takes 600 ms.
      if (n > 30) directory.confirmed(asks[n - 31]!, n * 20)
    }
    expect(sent.some(({ type }) => type === 'opened')).toBe(true)
  })
})
