/**
 * The machine against the naive model with deep queues: few commands, each of many messages, so that runs, marks, dedup ids
 * and settled deliveries fill page after page, and more is due at once than one entry does.
 *
 * QUEUE_MODEL_RUNS runs as many other lists.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Run } from '../../test/queue/run.ts'
import { NAMES } from '../../test/queue/steps.ts'
import type { NewMessage, Settling } from './types.ts'

const NAME = NAMES[0]
const PATTERNS = {
  'one lane': () => ({}),
  'two priorities': (nth: number) => ({ priority: nth % 2 }),
  'seven groups': (nth: number) => ({ group: `g${nth % 7}` }),
  'a group each': (nth: number) => ({ group: `g${nth}` }),
  'sizes and groups': (nth: number) => ({
    group: nth % 3 === 0 ? '' : `g${nth % 3}`,
    body: new Uint8Array(nth % 5 === 0 ? 2_100 : 4).fill(nth),
  }),
  'some delayed': (nth: number) => ({ delayMs: nth % 4 === 0 ? 500 : 0 }),
  'some short-lived': (nth: number) => ({ ttlMs: nth % 4 === 0 ? 900 : 0 }),
} satisfies Record<string, (nth: number) => Partial<NewMessage>>

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('fill' as const),
      pattern: fc.constantFrom(...(Object.keys(PATTERNS) as (keyof typeof PATTERNS)[])),
      batches: fc.integer({ min: 1, max: 3 }),
      apartMs: fc.constantFrom(0, 1, 20),
      dedup: fc.constantFrom(false, true),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('trickle' as const), count: fc.constantFrom(100, 500) }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('take' as const), max: fc.constantFrom(1, 100, 256, 256) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constantFrom('ack' as const, 'ack' as const, 'nack' as const),
      every: fc.constantFrom(1, 1, 2, 3),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(1, 100, 900, 2_500, 2_500, 30_000).map(Number) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('copy' as const), seed: fc.nat(), instead: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('redrive' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('again' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

class DeepRun {
  readonly run = new Run(new Map())
  readonly acked: Settling[] = []
  #nth = 0

  constructor() {
    this.run.looks = false
    const config = {
      maxDeliveries: 2,
      backoff: { baseMs: 100, jitter: 0 },
      maxLength: 3_000,
      overflow: 'drop-head',
      dedupWindowMs: 2_000,
    } as const
    this.run.command({ type: 'queue_put', ...NAME, config })
  }

  take(next: Step): void {
    const { run } = this
    if (next.type === 'pass' || next.type === 'copy') return run.take(next)
    if (next.type === 'fill') this.#fill(next.pattern, next.batches, next.apartMs, next.dedup)
    else if (next.type === 'trickle') for (let left = next.count; left > 0; left--) this.#trickle()
    else if (next.type === 'take') {
      run.command({ type: 'queue_dequeue', ...NAME, max: next.max, waitMs: 0, visibilityMs: null, consumer: 'w', watcher: 'n' })
    } else if (next.type === 'redrive') run.command({ type: 'queue_redrive', ...NAME, max: 1_000, reason: '' })
    else if (next.type === 'again') {
      // The first ones, which the queue may have to remember across many pages.
      for (const items of [this.acked.slice(0, 100), this.acked.slice(-100)]) {
        if (items.length > 0) run.command({ type: 'queue_ack', ...NAME, items, fence: null })
      }
    } else for (let times = next.times; times > 0; times--) this.#settle(next.type, next.every)
    run.compare()
  }

  #fill(pattern: keyof typeof PATTERNS, batches: number, apartMs: number, dedup: boolean): void {
    for (; batches > 0; batches--) {
      const messages = Array.from({ length: 256 }, (_, at): NewMessage => {
        const nth = ++this.#nth
        const plain = {
          body: new Uint8Array(4).fill(nth),
          group: '',
          dedupId: dedup ? `d${at}` : '',
          delayMs: 0,
          priority: 0,
          ttlMs: 0,
        }
        return { ...plain, ...PATTERNS[pattern](nth) }
      })
      this.run.command({ type: 'queue_enqueue', ...NAME, messages })
      if (apartMs > 0) this.run.take({ type: 'pass', ms: apartMs })
    }
  }

  /** One by one, each in a millisecond of its own. */
  #trickle(): void {
    const message = { body: new Uint8Array(1), group: '', dedupId: '', delayMs: 0, priority: ++this.#nth % 2, ttlMs: 0 }
    this.run.command({ type: 'queue_enqueue', ...NAME, messages: [message] })
    this.run.pass(1)
  }

  #settle(type: 'ack' | 'nack', every: number): void {
    const leased = this.run.model.queue(NAME)!.messages.filter(({ state }) => state === 'leased')
    const items = leased
      .filter((_, at) => at % every === 0)
      .slice(0, 256)
      .map(({ id, token }) => ({ id, token }))
    if (items.length === 0) return
    if (type === 'ack') {
      this.run.command({ type: 'queue_ack', ...NAME, items, fence: null })
      this.acked.push(...items)
    } else {
      const nacks = items.map((item) => ({ ...item, delayMs: null, reason: 'bad', countAttempt: true }))
      this.run.command({ type: 'queue_nack', ...NAME, items: nacks })
    }
  }
}

const LONG = process.env['QUEUE_MODEL_RUNS']

test('the machine and the naive model cannot be told apart by deep queues', { timeout: 900_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), (steps) => {
      const deep = new DeepRun()
      for (const next of steps) deep.take(next)
      deep.run.looks = true
      deep.run.compare()
      deep.run.compareStores()
      expect(deep.run.bed.machine.dirty).toBe(0)
    }),
    LONG === undefined ? { numRuns: 6, seed: 3 } : { numRuns: Number(LONG) },
  )
})
