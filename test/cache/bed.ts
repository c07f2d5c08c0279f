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
import { MachineBed } from '../machine-bed.ts'
import { into, loadRecords } from '../records.ts'

export const NAME = { namespace: 'default', cache: 'orders' } as const
export const SHARE: Share = { bytes: 1 << 20, entries: 1_000, policy: 'lru', configVersion: 0 }

const TEXT = new TextEncoder()
const FROM_TEXT = new TextDecoder()

export class Bed extends MachineBed<CacheMachine, CacheCommand, CacheReply> {
  readonly changes: ObservedChange[]
  /** Lines, as it is told of them. */
  readonly swept: string[]

  constructor() {
    const changes: ObservedChange[] = []
    const swept: string[] = []
    super(createCacheMachine({ observer: { changed: (change) => void changes.push(change), swept: (line) => void swept.push(line) } }))
    this.changes = changes
    this.swept = swept
  }

  emit(): void {
    throw new Error('the caches have no events')
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

  protected encode(command: CacheCommand): Uint8Array {
    return encodeCommand(command)
  }

  protected leaves(reply: Plain): CacheReply {
    // Whatever it waits for is a change that was made, or a line.
    for (const version of gateOf(reply).versions) if (version > this.machine.version) throw new Error('a gate that never opens')
    return decodeReply(this.machine.attach(reply))
  }

  drain(): void {
    this.machine.drain(into(this.store, 'record'), () => {
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
    loadRecords(bed.machine, bed.store, sort)
    return bed
  }
}

export function putOf(key: string, value: string, over: Partial<PutCommand> = {}): PutCommand {
  const plain = { ttlMs: null, slidingMs: 0, tags: [], condition: null, loadToken: null, share: SHARE, dead: 0, known: null, own: 0 }
  return { type: 'cache_put', ...NAME, key, value: TEXT.encode(value), contentType: 'text/plain', ...plain, ...over }
}
