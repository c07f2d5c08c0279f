import { describe, expect, test } from 'vitest'
import type { Plain } from '../actors/envelope.ts'
import type { ApplyContext, ColdReads } from '../raft/machine.ts'
import { BodyCache } from './body-cache.ts'
import { encodeCommand } from './codec.ts'
import { type QueueMachine, createQueueMachine } from './machine.ts'
import { decodeReply } from './replies.ts'
import type { MessagePage, NewMessage, QueueCommand, QueueReply } from './types.ts'

const NAME = { namespace: 'default', queue: 'q' }

/** A machine whose store answers later, and counts what it is asked. */
class Stage implements ApplyContext {
  readonly index = 1
  readonly term = 1
  time = 7
  ticket = 0
  readonly machine: QueueMachine
  readonly cold = new Map<string, Uint8Array>()
  readonly asked: number[] = []

  constructor(cacheBytes: number) {
    this.machine = createQueueMachine({ bodyCache: new BodyCache(cacheBytes) })
  }

  settle(): void {}
  emit(): void {}

  run(command: QueueCommand): Plain {
    return this.machine.apply(this, ++this.ticket, encodeCommand(command)) as Plain
  }

  enqueue(count: number, over: (nth: number) => Partial<NewMessage> = () => ({})): void {
    const messages = Array.from({ length: count }, (_, nth) => {
      return { body: Uint8Array.of(nth, 1, 2), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0, ...over(nth) }
    })
    this.run({ type: 'queue_enqueue', ...NAME, messages })
  }

  dequeue(max: number): Plain {
    return this.run({ type: 'queue_dequeue', ...NAME, max, waitMs: 0, visibilityMs: null, consumer: '', watcher: '' })
  }

  ack(seq: number, token: number): void {
    this.run({ type: 'queue_ack', ...NAME, items: [{ id: `m_1_${seq.toString(36)}`, token }], fence: null })
  }

  drain(): void {
    this.machine.drain(
      () => {},
      (key, value) => {
        if (value === null) this.cold.delete(String(key))
        else this.cold.set(String(key), Uint8Array.from(value))
      },
    )
  }

  /** Other bodies push out of memory what was drained. */
  evict(): void {
    for (let nth = 0; nth < 4; nth++) this.enqueue(3, () => ({ body: new Uint8Array(250_000) }))
    this.drain()
  }

  attach(reply: Plain): Plain | Promise<Plain> {
    const get: ColdReads['get'] = (keys) => {
      this.asked.push(keys.length)
      return Promise.resolve().then(() => keys.map((key) => this.cold.get(String(key))))
    }
    return this.machine.attach(reply, { cold: { get }, durableOn: () => ['n1'] })
  }

  async bodies(reply: Plain): Promise<number[]> {
    const decoded: QueueReply = decodeReply(await this.attach(reply), 0)
    if (decoded.type !== 'delivered') throw new Error('expected a delivery')
    return decoded.messages.map(({ body, enqueuedAt }) => (enqueuedAt === 7 ? (body[0] as number) : -1))
  }
}

describe('bodies of deliveries', () => {
  test('come from memory before and after a drain, at once, and in the answer repeated', async () => {
    const stage = new Stage(1 << 20)
    stage.enqueue(3)
    const first = stage.dequeue(1)
    stage.drain()
    const rest = stage.dequeue(2)
    expect(stage.attach(rest)).not.toBeInstanceOf(Promise)
    expect([await stage.bodies(first), await stage.bodies(rest), await stage.bodies(first)]).toEqual([[0], [1, 2], [0]])
    expect(stage.asked).toEqual([])
  })

  test('come from the store where memory has them no more, and the next ones with them', async () => {
    const stage = new Stage(1 << 20)
    stage.enqueue(200, () => ({ body: new Uint8Array(3_000) }))
    stage.drain()
    stage.evict()
    expect(await stage.bodies(stage.dequeue(2))).toEqual([0, 0])
    expect(stage.asked).toEqual([66])
    expect(await stage.bodies(stage.dequeue(60))).toHaveLength(60)
    expect(stage.asked).toEqual([66])
    expect(await stage.bodies(stage.dequeue(10))).toHaveLength(10)
    expect(stage.asked).toHaveLength(2)
  })

  test('one that is gone is left out, even if it goes while the store is read', async () => {
    const stage = new Stage(0)
    stage.enqueue(3)
    stage.drain()
    stage.evict()
    const reply = stage.dequeue(3)
    stage.ack(1, 1)
    const attached = stage.bodies(reply)
    stage.ack(3, 3)
    stage.drain()
    expect(await attached).toEqual([1])
    stage.ack(2, 2)
    expect(await stage.bodies(reply)).toEqual([])
    stage.run({ type: 'queue_delete', ...NAME })
    expect(await stage.bodies(reply)).toEqual([])
  })

  test('a delivery that is over is left out, though the message is there still', async () => {
    const stage = new Stage(1 << 20)
    stage.enqueue(2)
    const reply = stage.dequeue(2)
    expect(await stage.bodies(reply)).toEqual([0, 1])
    const items = [{ id: 'm_1_1', token: 1, delayMs: 0, reason: '', countAttempt: true }]
    stage.run({ type: 'queue_nack', ...NAME, items })
    expect(await stage.bodies(reply)).toEqual([1])
    const again = stage.dequeue(1)
    expect([await stage.bodies(again), await stage.bodies(reply)]).toEqual([[0], [1]])
  })

  test('one that should be there and is not is damage', async () => {
    const stage = new Stage(0)
    stage.enqueue(1)
    stage.drain()
    stage.evict()
    stage.cold.clear()
    await expect(stage.attach(stage.dequeue(1))).rejects.toThrow('the body of m_1_1 is not in the store')
  })
})

describe('pages of messages', () => {
  test('end before they are too large for an answer, and go on there', async () => {
    const stage = new Stage(0)
    stage.enqueue(3, (nth) => ({ body: new Uint8Array(250_000).fill(nth + 1), group: 'g', priority: 3 }))
    stage.enqueue(3, (nth) => ({ body: Uint8Array.of(nth + 4), priority: 1 }))
    stage.drain()
    const shown: number[] = []
    let pages = 0
    for (let cursor: string | null = ''; cursor !== null; pages++) {
      const bare: Plain = stage.machine.query({ type: 'queue_browse', ...NAME, state: 'ready', cursor, limit: 100 }, 9)
      const page = (await stage.attach(bare)) as unknown as MessagePage
      for (const { body, group, priority } of page.messages) {
        shown.push(body[0] as number)
        expect([group, priority]).toEqual((body[0] as number) <= 3 ? ['g', 3] : ['', 1])
      }
      cursor = page.cursor
    }
    expect([shown, pages]).toEqual([[1, 2, 3, 4, 5, 6], 2])
  })
})

test('memory for bodies is bounded, and what was given away stays as it was', () => {
  const cache = new BodyCache(4 << 20)
  const machines = [createQueueMachine({ bodyCache: cache }), createQueueMachine({ bodyCache: cache })] as const
  const stage = new Stage(0)
  const views: Uint8Array[] = []
  for (let nth = 0; nth < 60; nth++) {
    const machine = machines[nth % 2] as QueueMachine
    const messages = [0, 1].map(() => ({
      body: new Uint8Array(200_000).fill(nth),
      group: '',
      dedupId: '',
      delayMs: 0,
      priority: 0,
      ttlMs: 0,
    }))
    machine.apply(stage, nth + 1, encodeCommand({ type: 'queue_enqueue', ...NAME, messages }))
    expect(machine.dirtyBytes).toBeGreaterThan(400_000)
    machine.drain(
      () => {},
      (_, value) => views.push((value as Uint8Array).subarray(-1)),
    )
    expect(machine.dirtyBytes).toBe(0)
    expect(cache.bytes).toBeLessThanOrEqual(4 << 20)
  }
  expect(views.map(([byte]) => byte)).toEqual(Array.from({ length: 120 }, (_, at) => Math.floor(at / 2)))
})
