/** A cache machine on a test bed: time by hand, a store in memory, answers and changes in the order they came. */
import type { Plain } from '../../src/actors/envelope.ts'
import type { Held } from '../../src/cache/coherence/protocol.ts'
import { entryLine } from '../../src/cache/line-id.ts'
import { encodeCommand } from '../../src/cache/machine/codec.ts'
import type {
  CacheCommand,
  CacheReply,
  DeleteCommand,
  IncrementCommand,
  LoadCommand,
  PutCommand,
  Share,
} from '../../src/cache/machine/commands.ts'
import { type CacheMachine, createCacheMachine } from '../../src/cache/machine/machine.ts'
import { decodeReply, gateOf } from '../../src/cache/machine/replies.ts'
import type { ObservedChange } from '../../src/cache/machine/table.ts'
import type { ApplyContext, WriteRecord } from '../../src/raft/machine.ts'

export interface Settled {
  readonly ticket: number
  readonly reply: CacheReply
}

export const NAME = { namespace: 'default', cache: 'orders' } as const
export const SHARE: Share = { bytes: 1 << 20, entries: 1_000, policy: 'lru', configVersion: 0 }

const TEXT = new TextEncoder()
const FROM_TEXT = new TextDecoder()

export class Bed implements ApplyContext {
  readonly term = 1
  index = 0
  time = 0
  ticket = 0
  readonly changes: ObservedChange[] = []
  readonly machine: CacheMachine
  store = new Map<string, Uint8Array>()
  settledLog: Settled[] = []

  constructor() {
    this.machine = createCacheMachine({ observer: { changed: (change) => void this.changes.push(change) } })
  }

  settle(ticket: number, reply: Plain): void {
    if (this.settledLog.some((settled) => settled.ticket === ticket)) throw new Error(`ticket ${ticket} is settled twice`)
    this.settledLog.push({ ticket, reply: this.#leaves(reply) })
  }

  emit(): void {
    throw new Error('the caches have no events')
  }

  /** Applies a command as an entry of its own; null: it waits. */
  run(command: CacheCommand): CacheReply | null {
    this.index += 1
    this.machine.advance(this)
    return this.runMore(encodeCommand(command))
  }

  /** Applies a command as one more of the same entry. */
  runMore(command: Uint8Array): CacheReply | null {
    this.ticket += 1
    // As the host does it: the machine is lent the bytes of the entry, which are written over afterwards.
    const lent = Uint8Array.from(command)
    const reply = this.machine.apply(this, this.ticket, lent)
    lent.fill(0xff)
    this.machine.check()
    return reply === null ? null : this.#leaves(reply)
  }

  /** Lets time pass, and does what is due. */
  pass(ms: number): void {
    this.index += 1
    this.time += ms
    this.machine.advance(this)
    this.machine.check()
  }

  cancel(ticket: number): void {
    this.index += 1
    this.machine.advance(this)
    this.machine.cancel(this, ticket)
    this.machine.check()
  }

  // ---- in short ----

  put(key: string, value: string, over: Partial<PutCommand> = {}): CacheReply {
    return this.run(putOf(key, value, over)) as CacheReply
  }

  delete(key: string, over: Partial<DeleteCommand> = {}): CacheReply {
    return this.run({ type: 'cache_delete', ...NAME, key, condition: null, dead: 0, known: null, own: 0, ...over }) as CacheReply
  }

  increment(key: string, by: number, over: Partial<IncrementCommand> = {}): CacheReply {
    const plain = { ttlMs: null, tags: [], share: SHARE, dead: 0, known: null, own: 0 }
    return this.run({ type: 'cache_increment', ...NAME, key, by, ...plain, ...over }) as CacheReply
  }

  touch(...keys: string[]): CacheReply {
    return this.run({ type: 'cache_touch', ...NAME, keys }) as CacheReply
  }

  held(key: string): Held {
    return this.machine.read(entryLine(NAME.namespace, NAME.cache, key), this.time)
  }

  /** The value of a key as text; null: there is none. */
  get(key: string): string | null {
    const { value } = this.held(key)
    return value === null ? null : FROM_TEXT.decode(value)
  }

  /** Of these keys, those that are there. */
  there(keys: readonly string[]): string {
    return keys.filter((key) => this.get(key) !== null).join('')
  }

  /** A load that does not wait, unless it is told to. */
  load(key: string, over: Partial<LoadCommand> = {}): CacheReply | null {
    return this.run({ type: 'cache_load', ...NAME, key, waitMs: 0, staleOk: false, tags: [], dead: 0, ...over })
  }

  /** Its token. */
  granted(key: string, over: Partial<LoadCommand> = {}): number {
    const reply = this.load(key, over)
    if (reply?.type !== 'load') throw new Error(`no load but ${JSON.stringify(reply)}`)
    return reply.token
  }

  status(): Plain {
    return this.machine.query({ type: 'cache_status', ...NAME }, this.time)
  }

  #leaves(reply: Plain): CacheReply {
    // Whatever it waits for is a change that was made, or a line.
    for (const version of gateOf(reply).versions) if (version > this.machine.version) throw new Error('a gate that never opens')
    return decodeReply(this.machine.attach(reply))
  }

  drain(): void {
    const write: WriteRecord = (key, value) => {
      const text = Buffer.from(key).toString('hex')
      if (value === null && !this.store.delete(text)) throw new Error('a record is deleted that was never written')
      if (value !== null) this.store.set(text, Uint8Array.from(value))
    }
    this.machine.drain(write, () => {
      throw new Error('the caches have no cold records')
    })
    if (this.machine.dirty !== 0 || this.machine.dirtyBytes !== 0) throw new Error('something is left after a drain')
  }

  /** A second bed with the same state, out of the records in the order that `sort` gives them. `bed`: one to reset and use again. */
  copy(sort: (keys: string[]) => string[] = (keys) => keys, bed = new Bed()): Bed {
    this.drain()
    bed.machine.reset()
    bed.changes.length = 0
    Object.assign(bed, { index: this.index, time: this.time, ticket: this.ticket, store: new Map(this.store), settledLog: [] })
    for (const key of sort([...this.store.keys()])) {
      bed.machine.load(Uint8Array.from(Buffer.from(key, 'hex')), Uint8Array.from(this.store.get(key) as Uint8Array))
    }
    bed.machine.loaded()
    bed.machine.check()
    return bed
  }
}

export function putOf(key: string, value: string, over: Partial<PutCommand> = {}): PutCommand {
  const plain = { ttlMs: null, slidingMs: 0, tags: [], condition: null, loadToken: null, share: SHARE, dead: 0, known: null, own: 0 }
  return { type: 'cache_put', ...NAME, key, value: TEXT.encode(value), contentType: 'text/plain', ...plain, ...over }
}
