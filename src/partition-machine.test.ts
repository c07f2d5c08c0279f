/** One machine for the queues and the caches of a partition: each is given its own, and what is for both is done whole or not at all. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Plain } from './actors/envelope.ts'
import { entryLine, tagLine } from './cache/line-id.ts'
import { encodeCommand as encodeCache } from './cache/machine/codec.ts'
import type { CacheCommand, PutCommand } from './cache/machine/commands.ts'
import { type Gate, decodeReply as decodeCache } from './cache/machine/replies.ts'
import { type PartitionMachine, createPartitionMachine } from './partition-machine.ts'
import { encodeCommand as encodeQueue } from './queue/codec.ts'
import { decodeReply as decodeQueue } from './queue/replies.ts'
import type { LoggedCommand, QueueReply, TransactionCommand, TransactionOp } from './queue/types.ts'
import type { ApplyContext, AttachContext } from './raft/machine.ts'
import { decodeMixed, decodeReply as decodeMixedReply, encodeMixed } from './transaction/codec.ts'

const CACHE = { namespace: 'default', cache: 'c' } as const
const QUEUE = { namespace: 'default', queue: 'q' } as const
const SHARE = { bytes: 1_000_000, entries: 100, policy: 'lru', configVersion: 0 } as const
const TEXT = new TextEncoder()
const TAKE = { type: 'queue_dequeue', ...QUEUE, max: 1, waitMs: 0, visibilityMs: null, consumer: '', watcher: '' } as const

const put = (key: string, value: string, more: Partial<PutCommand> = {}): PutCommand => ({
  type: 'cache_put',
  ...CACHE,
  key,
  value: TEXT.encode(value),
  contentType: 'text/plain',
  ttlMs: null,
  slidingMs: 0,
  tags: [],
  condition: null,
  loadToken: null,
  share: SHARE,
  dead: 0,
  known: null,
  own: 0,
  ...more,
})
const enqueue = (text: string, queue: string = QUEUE.queue): TransactionOp => ({
  type: 'queue_enqueue',
  namespace: 'default',
  queue,
  messages: [{ body: TEXT.encode(text), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }],
})
const fence = (token: number): TransactionOp => ({ type: 'require_fence', fence: { resource: 'r', token } })

type Op = TransactionOp | PutCommand
const isPut = (op: Op): op is PutCommand => op.type === 'cache_put'

function mixed(ops: readonly Op[]): Uint8Array {
  const own = ops.filter((op): op is TransactionOp => !isPut(op))
  const queues = own.length === 0 ? null : encodeQueue({ type: 'tx', ops: own })
  return encodeMixed({ ops: ops.map((op) => (isPut(op) ? encodeCache(op) : null)), queues })
}

class Bed implements ApplyContext {
  readonly term = 3
  index = 0
  time = 1
  gates: Gate[] = []
  readonly prepared: string[] = []
  readonly spared: string[] = []
  readonly clearing: string[] = []
  readonly changed: string[] = []
  opened: Promise<void> | null = null
  readonly store = new Map<string, Uint8Array>()
  readonly machine: PartitionMachine

  constructor() {
    this.machine = createPartitionMachine({
      coherence: {
        changed: (change) => void this.changed.push(change.line),
        swept: () => {},
        preparing: (line, cause) => void this.prepared.push(`${cause} ${line}`),
        unchanged: (line) => void this.spared.push(line),
        clearing: (line) => void this.clearing.push(line),
        gate: (gate) => {
          this.gates.push(gate)
          return this.opened
        },
      },
    })
  }

  settle(): void {}
  emit(): void {}

  run(bytes: Uint8Array): Plain {
    this.index++
    this.machine.advance(this)
    const reply = this.machine.apply(this, this.index, bytes)
    this.machine.check()
    return reply as Plain
  }

  queue(command: LoggedCommand | TransactionCommand): QueueReply {
    return decodeQueue(this.attached(this.run(encodeQueue(command))), 0)
  }

  cache(command: CacheCommand) {
    return decodeCache(this.run(encodeCache(command)))
  }

  attached(reply: Plain): Plain {
    const cold = { get: (keys: readonly Uint8Array[]) => keys.map((key) => this.store.get(Buffer.from(key).toString('hex'))) }
    const context: AttachContext = { cold, durableOn: () => ['n1', 'n2'] }
    const whole = this.machine.attach?.(reply, context)
    if (whole instanceof Promise) throw new Error('it waits')
    return whole as Plain
  }

  read(key: string): string | null {
    const { value } = this.machine.caches.read(entryLine(CACHE.namespace, CACHE.cache, key), this.time)
    return value === null ? null : new TextDecoder().decode(value)
  }

  /** The whole state, as the store has it. */
  state(): string {
    const write = (key: Uint8Array, value: Uint8Array | null): void => {
      const name = Buffer.from(key).toString('hex')
      if (value === null) this.store.delete(name)
      else this.store.set(name, value.slice())
    }
    this.machine.drain(write, write)
    expect(this.machine.dirty).toBe(0)
    return [...this.store]
      .map(([key, value]) => `${key} ${Buffer.from(value).toString('hex')}`)
      .sort()
      .join('\n')
  }
}

describe('each its own', () => {
  test('commands, questions, records and replies find the machine that they belong to', () => {
    const bed = new Bed()
    expect(bed.cache(put('a', 'x'))).toEqual({ type: 'put', version: 1, created: true })
    expect(bed.queue({ type: 'tx', ops: [enqueue('m')] })).toMatchObject({ type: 'transacted', receipt: { durableOn: ['n1', 'n2'] } })
    expect(bed.machine.query({ type: 'queue_status', ...QUEUE }, 1)).toMatchObject({ ready: 1 })
    expect(bed.machine.query({ type: 'cache_status', ...CACHE }, 1)).toMatchObject({ entries: 1 })
    expect((bed.machine.query('nonsense', 1) as readonly Plain[]).slice(0, 2)).toEqual([0, 'INVALID_ARGUMENT'])
    const before = bed.state()
    const other = new Bed()
    for (const [key, value] of [...bed.store].reverse()) {
      const bytes = Uint8Array.from(Buffer.from(key, 'hex'))
      if (bytes[0] !== 12) other.machine.load(bytes, value)
    }
    other.machine.loaded()
    other.machine.check()
    expect(other.read('a')).toBe('x')
    expect(other.machine.query({ type: 'queue_status', ...QUEUE }, 1)).toMatchObject({ ready: 1 })
    bed.machine.reset()
    bed.machine.loaded()
    expect(bed.read('a')).toBeNull()
    expect(before.length).toBeGreaterThan(0)
  })

  test('the answer to an owner that flushes waits for nothing: a silent home waits for the owner', () => {
    const bed = new Bed()
    const line = entryLine(CACHE.namespace, CACHE.cache, 'owned')
    const own = bed.cache({ type: 'cache_own', line, node: 'n1', count: 10, term: bed.term })
    if (own.type !== 'own') throw new Error('nobody else owns it')
    const { share, value, contentType, ttlMs, slidingMs, tags } = put('owned', 'x')
    const version = own.versionFirst
    const flush = { type: 'cache_flush', line, own: own.own, version, value, contentType, ttlMs, slidingMs, tags, share } as const
    bed.opened = new Promise(() => {})
    expect(decodeCache(bed.attached(bed.run(encodeCache(flush))))).toEqual({ type: 'flushed', version })
    expect(bed.gates).toEqual([])
    expect(() => bed.attached(bed.run(encodeCache(put('b', 'x'))))).toThrow('it waits')
  })

  test('the next deadline is the earlier one of the two', () => {
    const bed = new Bed()
    bed.cache(put('a', 'x', { ttlMs: 500 }))
    expect(bed.machine.nextDeadline()).toBe(501)
    const delayed = { ...enqueue('m'), messages: [{ body: TEXT.encode('m'), group: '', dedupId: '', delayMs: 100, priority: 0, ttlMs: 0 }] }
    bed.queue(delayed as LoggedCommand)
    expect(bed.machine.nextDeadline()).toBe(101)
    bed.time = 600
    bed.machine.advance(bed)
    expect(bed.read('a')).toBeNull()
    expect(bed.machine.query({ type: 'queue_status', ...QUEUE }, 600)).toMatchObject({ ready: 1, delayed: 0 })
  })
})

const line = (key: string): string => entryLine(CACHE.namespace, CACHE.cache, key)
const UNSEEN = { dead: 0, known: null, own: 0 } as const
const remove = (key: string, condition: null | number): CacheCommand => ({ type: 'cache_delete', ...CACHE, key, condition, ...UNSEEN })
const increment = (key: string): CacheCommand => {
  return { type: 'cache_increment', ...CACHE, key, by: 1, ttlMs: null, tags: [], share: SHARE, ...UNSEEN }
}
const drop = (...keys: string[]): CacheCommand => ({ type: 'cache_invalidate_keys', ...CACHE, keys })
const seen = (known: PutCommand['known']): Partial<PutCommand> => ({ condition: 'present', known })
const TAG = tagLine(CACHE.namespace, CACHE.cache, 't')

test.each<[CacheCommand, string, readonly string[]]>([
  [put('a', '1'), 'put', [line('a')]],
  [put('a', '1', { known: [] }), 'put', [line('a')]],
  [increment('a'), 'put', [line('a')]],
  [remove('a', null), 'delete', [line('a')]],
  [{ ...remove('a', 7), known: [] } as CacheCommand, 'delete', [line('a')]],
  [drop('a', 'b'), 'invalidate', [line('a'), line('b')]],
  [{ type: 'cache_bump', lines: [TAG] }, 'invalidate', [TAG]],
])('what is proposed is told with what it means to do: %j', (command, cause, lines) => {
  const bed = new Bed()
  bed.machine.preparing?.(encodeCache(command))
  expect(bed.prepared).toEqual(lines.map((each) => `${cause} ${each}`))
})

describe('a line that a command meant to change and did not is told', () => {
  test.each<[string, CacheCommand, readonly string[]]>([
    ['a put', put('a', '2'), []],
    ['a condition that does not hold', put('a', '2', { condition: 'absent' }), ['a']],
    ['a token that is over', put('a', '2', { loadToken: 7 }), ['a']],
    ['tags that were not seen', put('tagged', '2', seen([])), ['tagged']],
    ['tags that were seen', put('tagged', '2', seen([[TAG, 3]])), []],
    ['an owner', put('owned', '2'), ['owned']],
    ['an increment', increment('n'), []],
    ['an increment of what is no number', increment('a'), ['a']],
    ['a delete', remove('a', null), []],
    ['a delete of another version', remove('a', 9), ['a']],
    ['a delete of nothing', remove('none', null), ['none']],
    ['an invalidation that finds one of two', drop('a', 'none'), ['none']],
    ['an invalidation of what is owned', drop('owned'), ['owned']],
  ])('%s', (_, command, told) => {
    const bed = new Bed()
    bed.cache(put('a', 'one'))
    bed.cache(put('tagged', '1', { tags: [[TAG, 3]] }))
    bed.cache({ type: 'cache_own', line: line('owned'), node: 'n2', count: 9, term: bed.term })
    bed.changed.length = 0
    bed.cache(command)
    expect(bed.spared.filter((one) => !bed.changed.includes(one))).toEqual(told.map(line))
    if (told.length === 0) expect(bed.spared).toEqual([])
  })

  test('of what was applied before all of them: it is not applied again', () => {
    const bed = new Bed()
    for (const command of [encodeCache(put('a', '1')), mixed([put('b', '1'), enqueue('m')])]) {
      bed.machine.preparing?.(command)
      bed.machine.known?.(command)
    }
    bed.machine.known?.(encodeQueue({ type: 'tx', ops: [enqueue('m')] }))
    expect(bed.prepared).toEqual([`put ${line('a')}`, `put ${line('b')}`])
    expect(bed.spared).toEqual([line('a'), line('b')])
  })

  test('what an invalidation leaves to its owner is told, for it comes again', () => {
    const bed = new Bed()
    bed.cache(put('a', '1'))
    bed.cache({ type: 'cache_own', line: line('owned'), node: 'n2', count: 9, term: bed.term })
    bed.cache(put('owned', '2'))
    bed.cache(drop('a'))
    expect(bed.clearing).toEqual([])
    bed.cache(drop('a', 'owned'))
    expect(bed.clearing).toEqual([line('owned')])
  })

  test('of a transaction that is refused all of them, of one that is done none', () => {
    const bed = new Bed()
    bed.run(mixed([put('a', '1'), enqueue('m'), fence(7)]))
    expect(bed.spared).toEqual([])
    bed.run(mixed([put('a', '2'), put('b', '2'), fence(6)]))
    expect(bed.spared).toEqual([line('a'), line('b')])
  })
})

describe('a transaction of both', () => {
  test('is one entry: results in the order of the ops, its gate, its receipt, and the lines that are told as it is proposed', async () => {
    const bed = new Bed()
    const command = mixed([put('a', '1'), enqueue('m'), put('b', '2'), fence(7), put('a', '3')])
    bed.machine.preparing?.(command)
    expect(bed.prepared).toEqual([`put ${line('a')}`, `put ${line('b')}`, `put ${line('a')}`])
    const reply = bed.run(command)
    expect([bed.read('a'), bed.read('b')]).toEqual(['3', '2'])
    let open = (): void => {}
    bed.opened = new Promise((resolve) => (open = resolve))
    const leaving = bed.machine.attach?.(reply, { cold: { get: () => [] }, durableOn: (index) => [`n${index}`] })
    expect(leaving).toBeInstanceOf(Promise)
    expect(bed.gates).toEqual([{ versions: [1, 2, 3], lines: [], below: 0 }])
    open()
    const whole = decodeMixedReply((await leaving) as Plain)
    expect(whole?.puts).toEqual([
      { version: 1, created: true },
      { version: 2, created: true },
      { version: 3, created: false },
    ])
    expect(decodeQueue(whole?.queues as Plain, 0)).toMatchObject({
      type: 'transacted',
      results: [{ enqueued: [{ deduplicated: false }] }, { fenced: true }],
      receipt: { index: 1, term: 3, durableOn: ['n1'] },
    })
  })

  test('of puts alone has a receipt too', () => {
    const bed = new Bed()
    const whole = decodeMixedReply(bed.attached(bed.run(mixed([put('a', '1')]))))
    expect(decodeQueue(whole?.queues as Plain, 4)).toEqual({
      type: 'transacted',
      results: [],
      receipt: { partition: 4, index: 1, term: 3, durableOn: ['n1', 'n2'] },
    })
  })

  test('is refused whole: by an op of the queues, by a line that a node writes alone, by what is no plain put', () => {
    const bed = new Bed()
    bed.queue({ type: 'tx', ops: [fence(9)] })
    bed.cache({ type: 'cache_own', line: entryLine(CACHE.namespace, CACHE.cache, 'owned'), node: 'n2', count: 10, term: 3 })
    const before = bed.state()
    const refused = (ops: readonly Op[]) => decodeQueue(bed.attached(bed.run(mixed(ops))), 0)
    expect(refused([put('a', '1'), enqueue('m'), fence(8)])).toMatchObject({ code: 'FENCED', details: { op: 2, highest: 9 } })
    expect(refused([enqueue('m'), put('a', '1'), put('owned', '1')])).toMatchObject({ code: 'OWNER_BUSY', details: { op: 2 } })
    for (const more of [{ condition: 'absent' }, { loadToken: 3 }, { own: 1 }] as const) {
      expect(refused([enqueue('m'), put('a', '1', more)])).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    expect(refused([enqueue('m'), put('', '1')])).toMatchObject({ code: 'INVALID_ARGUMENT', details: { op: 1 } })
    const ack = { type: 'queue_ack', ...QUEUE, items: [{ id: 'm_1_1', token: 1 }], fence: null } as const
    expect(refused([put('a', '1'), ack])).toMatchObject({ code: 'NO_SUCH_QUEUE', details: { op: 1 } })
    expect(bed.state()).toBe(before)
    expect(bed.gates).toEqual([])
  })

  test('finds room for its caches, or is refused', () => {
    const bed = new Bed()
    for (let i = 0; i < 9_999; i++) bed.machine.apply(bed, ++bed.index, encodeCache(put('k', 'x', { cache: `c${i}` })))
    const both = [put('k', 'x', { cache: 'one' }), put('k', 'x', { cache: 'two' }), enqueue('m')]
    expect(decodeQueue(bed.attached(bed.run(mixed(both))), 0)).toMatchObject({ code: 'QUOTA' })
    expect((bed.machine.query({ type: 'queue_status', ...QUEUE }, 1) as readonly Plain[]).slice(0, 2)).toEqual([0, 'NO_SUCH_QUEUE'])
    bed.machine.apply(
      bed,
      ++bed.index,
      encodeCache({ type: 'cache_delete', ...CACHE, cache: 'c5', key: 'k', condition: null, dead: 0, known: null, own: 0 }),
    )
    expect(decodeMixedReply(bed.run(mixed(both)))?.puts.length).toBe(2)
    const third = [put('k', 'x', { cache: 'three' })]
    expect(decodeQueue(bed.attached(bed.run(mixed(third))), 0)).toMatchObject({ code: 'QUOTA' })
  })

  test('is all or nothing, whatever came before', () => {
    const key = fc.constantFrom('a', 'b')
    const op: fc.Arbitrary<Op> = fc.oneof(
      fc.tuple(key, fc.string({ maxLength: 3 })).map(([name, value]) => put(name, value)),
      fc.constantFrom('q', 'r').map((queue) => enqueue('m', queue)),
      fc.integer({ min: 1, max: 9 }).map(fence),
      fc.integer({ min: 1, max: 3 }).map((token): Op => ({ type: 'queue_ack', ...QUEUE, items: [{ id: 'm_1_1', token }], fence: null })),
    )
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.array(op, { minLength: 1, maxLength: 4 }).map((ops) => ({ ops })) },
      { weight: 1, arbitrary: fc.constant({ take: true }) },
      { weight: 1, arbitrary: key.map((owned) => ({ owned })) },
    )
    const seen = { done: 0, refused: 0, acknowledged: 0 }
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const bed = new Bed()
        const expected = { values: new Map<string, string>(), enqueued: 1, acknowledged: 0, fence: 0 }
        bed.queue({ type: 'tx', ops: [enqueue('first')] })
        bed.queue(TAKE)
        for (const one of steps) {
          if ('take' in one) {
            bed.queue(TAKE)
          } else if ('owned' in one) {
            bed.cache({ type: 'cache_own', line: entryLine(CACHE.namespace, CACHE.cache, one.owned), node: 'n2', count: 5, term: 3 })
          } else {
            const before = bed.state()
            const reply = bed.attached(bed.run(mixed(one.ops)))
            const told = decodeMixedReply(reply)
            if (told === null) {
              expect(decodeQueue(reply, 0)).toMatchObject({ type: 'refused' })
              expect(bed.state()).toBe(before)
              seen.refused++
              continue
            }
            seen.done++
            if (one.ops.some(({ type }) => type === 'queue_ack')) seen.acknowledged++
            for (const each of one.ops) {
              if (isPut(each)) expected.values.set(each.key, new TextDecoder().decode(each.value))
              else if (each.type === 'queue_enqueue') expected.enqueued++
              else if (each.type === 'queue_ack') expected.acknowledged = 1
              else if (each.type === 'require_fence')
                expect((expected.fence = Math.max(expected.fence, each.fence.token))).toBe(each.fence.token)
            }
          }
          for (const name of ['a', 'b'])
            if (!steps.some((s) => 'owned' in s)) expect(bed.read(name)).toBe(expected.values.get(name) ?? null)
        }
        const stats = ['q', 'r'].map((queue) => bed.machine.query({ type: 'queue_status', namespace: 'default', queue }, 1))
        const total = stats.reduce((sum: number, one) => sum + ((one as { total?: number }).total ?? 0), 0)
        expect(total).toBe(expected.enqueued - expected.acknowledged)
      }),
      { numRuns: 400 },
    )
    expect(seen.done).toBeGreaterThan(100)
    expect(seen.acknowledged).toBeGreaterThan(5)
    expect(seen.refused).toBeGreaterThan(100)
  })

  test('no bytes harm it', () => {
    const good = mixed([put('a', '1'), enqueue('m'), put('b', '2')])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.nat(255), (noise, at, byte) => {
        const bed = new Bed()
        const bent = good.slice()
        bent[at % bent.length] = byte
        for (const bytes of [Uint8Array.of(0x81, ...noise), bent, good.subarray(0, at % good.length)]) {
          decodeMixed(bytes)
          bed.machine.preparing?.(bytes)
          bed.attached(bed.run(bytes))
        }
      }),
      { numRuns: 500 },
    )
  })
})

test('what an owner flushes is answered by a silent home as well: that waits for it', () => {
  const bed = new Bed()
  const line = entryLine(CACHE.namespace, CACHE.cache, 'k')
  const own = bed.cache({ type: 'cache_own', line, node: 'n1', count: 10, term: bed.term })
  if (own.type !== 'own') throw new Error('not given')
  const life = { contentType: 'text/plain', ttlMs: null, slidingMs: 0, tags: [] }
  const flush = { type: 'cache_flush', line, version: own.versionFirst, value: TEXT.encode('v'), ...life, share: SHARE } as const
  bed.opened = new Promise(() => {})
  bed.gates = []
  expect(decodeCache(bed.attached(bed.run(encodeCache({ ...flush, own: own.own }))))).toMatchObject({ type: 'flushed' })
  expect(decodeCache(bed.attached(bed.run(encodeCache({ ...flush, own: own.own + 1 }))))).toMatchObject({ code: 'FENCED' })
  expect(bed.gates).toEqual([])
})
