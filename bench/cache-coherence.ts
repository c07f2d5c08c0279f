/**
 * What the coherence of caches costs where no network is in the way: the hit path of a node, a miss with its home in the same
 * thread, a write with sharers. Prints nanoseconds per operation and judges nothing.
 *
 *   node bench/cache-coherence.js [lines, default 100000]
 */
import { Controller } from '../src/cache/coherence/controller.ts'
import { CONTROLLER_DEFAULTS } from '../src/cache/coherence/controller-port.ts'
import type { Copy } from '../src/cache/coherence/copies.ts'
import { Directory } from '../src/cache/coherence/directory.ts'
import { HOME_DEFAULTS } from '../src/cache/coherence/home.ts'
import { SILENT_HOME, SILENT_NODE } from '../src/cache/coherence/model/silent-ports.ts'
import type { Held, ToHome, ToNode } from '../src/cache/coherence/protocol.ts'

const LINES = Number(process.argv[2] ?? 100_000)
const READS = 5_000_000
const names = Array.from({ length: LINES }, (_, i) => `e\0app\0sessions\0user:${i}`)
const value = new Uint8Array(256)

function heldAt(version: number): Held {
  return { version, value, contentType: 'application/octet-stream', ttlLeftMs: null, slidingMs: 0, tags: [] }
}

/** Nodes and a home that hand messages to each other at once, in the order of their sending. */
class Loop {
  readonly nodes = new Map<string, Controller>()
  readonly stores = new Map<string, Map<string, Copy>>()
  readonly home: Directory
  version = 1
  private readonly wire: ([to: string, message: ToNode] | [from: string, message: ToHome, up: true])[] = []

  constructor(sharers: number) {
    const home: Directory = new Directory(
      { ...HOME_DEFAULTS, term: 1 },
      {
        ...SILENT_HOME,
        send: (to, message) => this.wire.push([to, message]),
        read: () => heldAt(this.version),
        hold: (node) => home.held(node, 0),
        confirm: (ask) => home.confirmed(ask, 0),
      },
    )
    this.home = home
    home.start(0, [])
    home.caughtUp([], 0)
    for (let i = 0; i < sharers; i++) {
      const id = `n${i}`
      const store = new Map<string, Copy>()
      this.stores.set(id, store)
      const send = (_: string | null, message: ToHome): void => void this.wire.push([id, message, true])
      this.nodes.set(
        id,
        new Controller({ ...CONTROLLER_DEFAULTS, partition: 0, life: 1 }, store, {
          ...SILENT_NODE,
          send,
        }),
      )
    }
  }

  run(): void {
    for (const packet of this.wire) {
      if (packet.length === 3) this.home.receive(packet[0], packet[1], 0)
      else this.nodes.get(packet[0])?.receive('home', packet[1], 0)
    }
    this.wire.length = 0
  }

  read(node: Controller, line: string): void {
    if (node.load(line, 1, Infinity, 0) === null) this.run()
  }
}

function report(what: string, count: number, work: () => void): void {
  const from = process.hrtime.bigint()
  work()
  const ns = Number(process.hrtime.bigint() - from) / count
  process.stdout.write(`${what.padEnd(58)} ${ns.toFixed(0).padStart(8)} ns   ${(1e9 / ns).toFixed(0).padStart(9)}/s\n`)
}

function benchReads(): void {
  const loop = new Loop(1)
  const node = loop.nodes.get('n0') as Controller
  const store = loop.stores.get('n0') as Map<string, Copy>
  report(`miss, the home in the same thread, ${LINES} lines`, LINES, () => names.forEach((line) => loop.read(node, line)))
  let found = 0
  for (let round = 0; round < 2; round++) {
    report('look-up in the store alone', READS, () => {
      for (let i = 0; i < READS; i++) if (store.get(names[(i * 7919) % LINES] as string) !== undefined) found += 1
    })
    report('hit', READS, () => {
      for (let i = 0; i < READS; i++) if (node.load(names[(i * 7919) % LINES] as string, 1, Infinity, 0) !== null) found += 1
    })
  }
  if (found !== 4 * READS) throw new Error(`${found} of ${4 * READS} were hits`)
}

function benchWrites(sharers: number): void {
  const loop = new Loop(sharers)
  const rounds = Math.min(LINES, 50_000)
  const lines = names.slice(0, rounds)
  for (const node of loop.nodes.values()) for (const line of lines) loop.read(node, line)
  report(`write, ${sharers} sharers, acknowledged by all`, rounds, () => {
    for (const line of lines) {
      const previous = heldAt(loop.version)
      loop.version += 1
      loop.home.changed({ line, version: loop.version, cause: 'put', own: 0 }, previous, 0)
      loop.run()
      if (!loop.home.isSettled(loop.version)) throw new Error('a write is not settled')
    }
  })
}

benchReads()
for (const sharers of [0, 1, 2, 5]) benchWrites(sharers)
