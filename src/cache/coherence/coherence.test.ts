/** A home and some nodes with a network between them that the test holds in its hand. */
import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../base/ids.ts'
import { Controller } from './controller.ts'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import type { Copy } from './copies.ts'
import { Directory } from './directory.ts'
import { HOME_DEFAULTS } from './home.ts'
import { waitMs } from './lease.ts'
import { SILENT_HOME, SILENT_NODE } from './model/silent-ports.ts'
import type { Held, ToHome, ToNode } from './protocol.ts'

type Packet = { readonly to: NodeId; readonly message: ToNode } | { readonly from: NodeId; readonly message: ToHome }

const LINE = 'line'
const WAIT_MS = waitMs(HOME_DEFAULTS)

function heldAt(version: number, ttlLeftMs: number | null = null): Held {
  return { version, value: Uint8Array.of(version), contentType: 'x', ttlLeftMs, slidingMs: 0, tags: [] }
}

class Bench {
  now = 1_000
  value = heldAt(1)
  readonly wire: Packet[] = []
  readonly settled: number[] = []
  readonly answers: [NodeId, number, number | 'failed'][] = []
  readonly held = new Set<NodeId>()
  /** To be taken out of the log's holders. */
  readonly leaving: NodeId[] = []
  readonly nodes = new Map<NodeId, Controller>()
  /** Nodes that hear nothing and are not heard. */
  readonly cut = new Set<NodeId>()
  opened = false
  confirms = true
  directory = this.elect(1)

  elect(term: number): Directory {
    this.opened = false
    const directory: Directory = new Directory(
      { ...HOME_DEFAULTS, term },
      {
        ...SILENT_HOME,
        send: (to, message) => this.wire.push({ to, message }),
        read: () => this.value,
        hold: (node) => {
          this.held.add(node)
          directory.held(node, this.now)
        },
        unhold: (node) => this.leaving.push(node),
        confirm: (ask) => {
          if (this.confirms) directory.confirmed(ask, this.now)
        },
        settled: (version) => this.settled.push(version),
        opened: () => (this.opened = true),
      },
    )
    this.directory = directory
    directory.start(this.now, this.held)
    return directory
  }

  node(id: NodeId, life = 1): Controller {
    const store = new Map<string, Copy>()
    const controller = new Controller({ ...CONTROLLER_DEFAULTS, partition: 0, life }, store, {
      ...SILENT_NODE,
      send: (_, message) => this.wire.push({ from: id, message }),
      answer: (ticket, { version }) => this.answers.push([id, ticket, version]),
      failed: (ticket) => this.answers.push([id, ticket, 'failed']),
    })
    this.nodes.set(id, controller)
    return controller
  }

  /** Delivers what is on the wire and what comes of it, in order; `stop` picks what stays there. */
  run(stop: (packet: Packet) => boolean = () => false): void {
    const stopped: Packet[] = []
    for (let packet = this.wire.shift(); packet !== undefined; packet = this.wire.shift()) {
      if (stop(packet)) stopped.push(packet)
      else this.deliver(packet)
    }
    this.wire.push(...stopped)
  }

  deliver(packet: Packet): void {
    if ('to' in packet) {
      if (!this.cut.has(packet.to)) this.nodes.get(packet.to)?.receive('home', packet.message, this.now)
    } else if (!this.cut.has(packet.from)) this.directory.receive(packet.from, packet.message, this.now)
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + 10)
      if (this.directory.dueAt <= this.now) this.directory.tick(this.now)
      for (const node of this.nodes.values()) if (node.dueAt <= this.now) node.tick(this.now)
      this.run()
    }
  }

  /** What the read gives, a hit or an answer. */
  read(id: NodeId): number | 'failed' | null {
    const ticket = this.answers.length + 1_000
    const copy = this.nodes.get(id)?.load(LINE, ticket, this.now + 5_000, this.now)
    if (copy) return copy.held.version
    this.run()
    return this.answers.find(([node, other]) => node === id && other === ticket)?.[2] ?? null
  }

  write(): number {
    const previous = this.value
    this.value = heldAt(previous.version + 1)
    this.directory.changed({ line: LINE, version: this.value.version, cause: 'put', own: 0 }, previous, this.now)
    return this.value.version
  }
}

function started(...ids: readonly NodeId[]): Bench {
  const bench = new Bench()
  bench.directory.caughtUp([], bench.now)
  for (const id of ids) bench.node(id)
  return bench
}

describe('copies', () => {
  test('the first read asks, the second hits', () => {
    const bench = started('a')
    expect(bench.read('a')).toBe(1)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('S')
    expect(bench.read('a')).toBe(1)
    expect(bench.nodes.get('a')?.counts).toMatchObject({ hits: 1, misses: 1, getS: 1 })
    expect([...bench.held]).toEqual(['a'])
  })

  test('a write is settled once every copy is gone, and not before', () => {
    const bench = started('a', 'b', 'c')
    expect(['a', 'b'].map((id) => bench.read(id))).toEqual([1, 1])
    const version = bench.write()
    expect(bench.directory.isSettled(version)).toBe(false)
    expect(bench.directory.unsettledOf(LINE)).toBe(2)
    expect(bench.directory.view(LINE)).toMatchObject({ busy: true, waits: ['a', 'b'] })
    expect(bench.read('a')).toBe(1)
    // The ask of c overtakes the acknowledgements: it gets what a and b may still serve.
    bench.nodes.get('c')?.load(LINE, 1, Infinity, bench.now)
    bench.run(({ message }) => message.type === 'invAck')
    expect(bench.answers.at(-1)).toEqual(['c', 1, 1])
    expect(bench.settled).toEqual([])
    bench.run()
    expect(bench.settled).toEqual([2])
    expect(bench.directory.isSettled(version)).toBe(true)
    expect(bench.directory.view(LINE)).toMatchObject({ busy: false, copies: [], last: { cause: 'put', ackMs: 0 } })
    expect(['a', 'b', 'c'].map((id) => bench.read(id))).toEqual([2, 2, 2])
  })

  test('a write that was prepared settles at once', () => {
    const bench = started('a')
    bench.read('a')
    bench.directory.preparing(LINE, 'put', bench.now)
    bench.run()
    expect(bench.read('a')).toBe(1)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('I')
    expect(bench.directory.isSettled(bench.write())).toBe(true)
    expect(bench.read('a')).toBe(2)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('S')
  })

  test('an invalidation that is over before its write is applied says what the write was', () => {
    for (const cause of ['put', 'delete', 'invalidate'] as const) {
      const bench = started('a')
      bench.read('a')
      bench.directory.preparing(LINE, cause, bench.now)
      bench.run()
      expect(bench.directory.view(LINE)).toMatchObject({ busy: false, last: { cause } })
    }
  })

  test('a write that was prepared and never came leaves nothing behind', () => {
    const bench = started('a')
    bench.read('a')
    bench.directory.preparing(LINE, 'put', bench.now)
    bench.pass(HOME_DEFAULTS.expectMs + 100)
    expect(bench.read('a')).toBe(1)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('S')
  })

  test('a node that does not answer delays a write until its session is over, and no longer', () => {
    const bench = started('a', 'b')
    bench.read('a')
    bench.cut.add('a')
    const began = bench.now
    const version = bench.write()
    while (!bench.directory.isSettled(version)) {
      bench.pass(10)
      if (bench.nodes.get('a')?.stateOf(LINE, bench.now) === 'S') expect(bench.directory.isSettled(version)).toBe(false)
    }
    expect(bench.now - began).toBeLessThanOrEqual(WAIT_MS + 10)
    expect(bench.settled).toEqual([version])
  })

  test('a node that renews and never acknowledges is let go after half a second', () => {
    const bench = started('a')
    bench.read('a')
    const version = bench.write()
    const began = bench.now
    const { deliver } = Bench.prototype
    bench.deliver = (packet) => (packet.message.type === 'inv' ? undefined : deliver.call(bench, packet))
    while (!bench.directory.isSettled(version)) bench.pass(10)
    expect(bench.now - began).toBeLessThanOrEqual(HOME_DEFAULTS.unackedMs + WAIT_MS + 10)
    expect(bench.nodes.get('a')?.counts.breaks).toBe(1)
  })

  test('a session is kept while it is used, and let go when it is not', () => {
    const bench = started('a')
    bench.read('a')
    for (let i = 0; i < 10; i++) {
      bench.pass(1_000)
      expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('S')
    }
    bench.pass(CONTROLLER_DEFAULTS.idleMs + WAIT_MS)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('I')
    expect(bench.nodes.get('a')?.dueAt).toBe(Infinity)
    // All that is left to do is to let the node go from the holders.
    expect(bench.directory.tick(bench.now)).toBeGreaterThan(bench.now + HOME_DEFAULTS.holderIdleMs / 2)
    bench.pass(HOME_DEFAULTS.holderIdleMs)
    expect(bench.leaving).toEqual(['a'])
    expect(bench.directory.tick(bench.now)).toBe(Infinity)
    bench.directory.unheld('a', bench.now)
    expect(bench.read('a')).toBe(1)
  })

  test('a value past its time is asked for again', () => {
    const bench = started('a')
    bench.value = heldAt(1, 300)
    bench.read('a')
    bench.pass(299)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('S')
    bench.pass(1)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('I')
    expect(bench.read('a')).toBe(1)
  })

  test('who waits is told when it is too late', () => {
    const bench = started('a')
    bench.cut.add('a')
    expect(bench.read('a')).toBe(null)
    bench.pass(5_010)
    expect(bench.answers).toEqual([['a', 1_000, 'failed']])
    bench.cut.clear()
    expect(bench.read('a')).toBe(null)
    bench.pass(500)
    expect(bench.answers.at(-1)).toEqual(['a', 1_001, 1])
  })
})

describe('a new home', () => {
  test('speaks as soon as all holders dropped what is older', () => {
    const bench = started('a', 'b')
    bench.read('a')
    bench.read('b')
    bench.elect(2)
    bench.directory.caughtUp(bench.held, bench.now)
    expect(bench.opened).toBe(false)
    expect(bench.read('a')).toBe(1)
    bench.run()
    expect(bench.opened).toBe(true)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('I')
    expect(bench.read('a')).toBe(1)
  })

  test('waits for a holder that is silent until its lease is over', () => {
    const bench = started('a', 'b')
    bench.read('a')
    bench.cut.add('a')
    bench.elect(2)
    bench.directory.caughtUp(bench.held, bench.now)
    const version = bench.write()
    bench.pass(WAIT_MS - 10)
    expect(bench.opened || bench.directory.isSettled(version)).toBe(false)
    bench.pass(10)
    expect(bench.opened && bench.directory.isSettled(version)).toBe(true)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('I')
  })

  test('does not speak before it has caught up', () => {
    const bench = started('a')
    bench.elect(2)
    bench.pass(2 * WAIT_MS)
    expect(bench.opened).toBe(false)
    bench.directory.caughtUp([], bench.now)
    expect(bench.opened).toBe(true)
  })

  test('a home that cannot confirm renews nothing and opens nothing', () => {
    const bench = started('a', 'b')
    bench.read('a')
    bench.confirms = false
    bench.pass(2_000)
    expect(bench.nodes.get('a')?.stateOf(LINE, bench.now)).toBe('I')
    expect(bench.read('b')).toBe(null)
  })

  test('a renewal that came while a majority was asked already is shorter by as long as that was ago', () => {
    const bench = started('a')
    expect(bench.read('a')).toBe(1)
    const { directory } = bench
    const renew = (n: number): void => directory.receive('a', { type: 'renew', term: 1, sid: 1, n }, bench.now)
    bench.confirms = false
    bench.now += 500
    renew(1)
    const { asked } = directory.home.state
    bench.now += 200
    renew(2)
    expect(directory.home.state.asked).toBe(asked)
    bench.now += 40
    directory.confirmed(asked, bench.now)
    const leaseMs = HOME_DEFAULTS.leaseMs - 200
    expect(bench.wire.at(-1)).toMatchObject({ to: 'a', message: { type: 'renewed', n: 2, leaseMs } })
  })

  test('what it asked for before it was suspended confirms nothing: another may have been elected since', () => {
    const bench = started('a')
    expect(bench.read('a')).toBe(1)
    const { directory } = bench
    const renewals = (n: number): number => {
      directory.receive('a', { type: 'renew', term: 1, sid: 1, n }, bench.now)
      return bench.wire.filter((packet) => 'to' in packet && packet.message.type === 'renewed').length
    }
    bench.confirms = false
    bench.now += 500
    expect(renewals(1)).toBe(0)
    const { asked } = directory.home.state
    directory.suspended()
    directory.confirmed(asked, bench.now)
    expect(renewals(2)).toBe(0)
    directory.confirmed(directory.home.state.asked, bench.now)
    expect(renewals(3)).toBe(2)
  })
})

describe('holders', () => {
  const { holderIdleMs } = HOME_DEFAULTS

  test('one without a session for long is let go, so that it delays no later home', () => {
    const bench = started('a')
    expect(bench.read('a')).toBe(1)
    bench.cut.add('a')
    bench.pass(WAIT_MS + holderIdleMs + 100)
    expect(bench.leaving).toEqual(['a'])
    bench.held.delete('a')
    bench.directory.unheld('a', bench.now)
    bench.elect(2)
    bench.directory.caughtUp(bench.held, bench.now)
    expect(bench.opened).toBe(true)
  })

  test('one that is being let go is let in again only after that', () => {
    const bench = started('a')
    expect(bench.read('a')).toBe(1)
    bench.cut.add('a')
    bench.pass(WAIT_MS + holderIdleMs + 100)
    bench.cut.delete('a')
    bench.held.clear()
    expect(bench.read('a')).toBeNull()
    expect(bench.held.size).toBe(0)
    bench.directory.unheld('a', bench.now)
    expect([...bench.held]).toEqual(['a'])
    bench.run()
    expect(bench.read('a')).toBe(1)
  })

  test('one that left is let in again only with a new word in the log, though an older one came behind its leaving', () => {
    const bench = started('a')
    expect(bench.read('a')).toBe(1)
    bench.nodes.get('a')?.leave(bench.now)
    bench.pass(10)
    expect(bench.leaving).toEqual(['a'])
    // Each `open` that knocks asks for a hold of its own: this one is in the log before the end of it.
    bench.directory.held('a', bench.now)
    bench.held.clear()
    bench.directory.unheld('a', bench.now)
    bench.node('a', 2)
    expect(bench.read('a')).toBe(1)
    expect([...bench.held]).toEqual(['a'])
  })

  test('who reads stays', () => {
    const bench = started('a')
    for (let left = 3; left > 0; left--) {
      expect(bench.read('a')).toBe(1)
      bench.pass(holderIdleMs / 2)
    }
    expect(bench.leaving).toEqual([])
  })
})
