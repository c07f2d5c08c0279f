/** What the naive model (`model.test.ts`) does not reach: limits, pacing, fairness over time, deep backlogs, many pages. */
import { describe, expect, test } from 'vitest'
import { Bed } from '../../test/queue/bed.ts'
import { encodeCommand } from './codec.ts'
import { PACE_MS } from './graves.ts'
import { createQueueMachine } from './machine.ts'
import { QUEUE_LIMITS } from './types.ts'
import type { DeliveredMessage, NewMessage, QueueCommand, QueueReply, QueueStatus, Settling } from './types.ts'

const NAME = { namespace: 'default', queue: 'q' }

function message(over: Partial<NewMessage> = {}): NewMessage {
  return { body: Uint8Array.of(1), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0, ...over }
}

function several(count: number, over: Partial<NewMessage> = {}): NewMessage[] {
  return Array.from({ length: count }, () => message(over))
}

function enqueue(bed: Bed, messages: readonly NewMessage[]): QueueReply | null {
  return bed.run({ type: 'queue_enqueue', ...NAME, messages })
}

function dequeueCommand(max = 1, over: { visibilityMs?: number; waitMs?: number; watcher?: string } = {}): QueueCommand {
  return { type: 'queue_dequeue', ...NAME, max, waitMs: 0, visibilityMs: null, consumer: 'w', watcher: '', ...over }
}

function messagesOf(reply: QueueReply | null): readonly DeliveredMessage[] {
  if (reply?.type !== 'delivered') throw new Error(`expected a delivery: ${JSON.stringify(reply)}`)
  return reply.messages
}

function take(bed: Bed, max = 1, visibilityMs?: number): readonly DeliveredMessage[] {
  return messagesOf(bed.run(dequeueCommand(max, visibilityMs === undefined ? {} : { visibilityMs })))
}

function ack(bed: Bed, items: readonly Settling[]): QueueReply | null {
  return bed.run({ type: 'queue_ack', ...NAME, items: items.map(({ id, token }) => ({ id, token })), fence: null })
}

function configure(bed: Bed, config: (QueueCommand & { type: 'queue_put' })['config']): void {
  bed.run({ type: 'queue_put', ...NAME, config })
}

function status(bed: Bed): QueueStatus {
  return bed.status(NAME) as QueueStatus
}

function seqs(messages: readonly DeliveredMessage[]): number[] {
  return messages.map(({ id }) => Number.parseInt(id.split('_')[2] as string, 36))
}

describe('limits', () => {
  test('a delivery stops after the message with which its bodies are too many bytes', () => {
    const bed = new Bed()
    for (let nth = 0; nth < 4; nth++) enqueue(bed, [message({ body: new Uint8Array(QUEUE_LIMITS.dataBytesMax) })])
    expect(take(bed, 10)).toHaveLength(3)
    expect(take(bed, 10)).toHaveLength(1)
    for (let nth = 0; nth < 2; nth++) enqueue(bed, several(200, { body: new Uint8Array(2_048) }))
    expect(take(bed, QUEUE_LIMITS.dequeueMax)).toHaveLength(256)
  })

  test('the waiting are so many, and no more', () => {
    const bed = new Bed()
    enqueue(bed, [message()])
    take(bed)
    const wait = encodeCommand(dequeueCommand(1, { waitMs: 1_000 }))
    for (let nth = 0; nth < QUEUE_LIMITS.waitersPerQueueMax; nth++) bed.machine.apply(bed, ++bed.ticket, wait)
    expect(bed.runMore(wait)).toMatchObject({ type: 'refused', code: 'OVERLOADED' })
    bed.pass(2_000)
    expect(bed.settledLog).toHaveLength(QUEUE_LIMITS.expiriesPerEntryMax)
    while (bed.settledLog.length < QUEUE_LIMITS.waitersPerQueueMax) bed.pass(0)
    expect(bed.settledLog.every(({ reply }) => messagesOf(reply).length === 0)).toBe(true)
  })

  test('an acknowledgement is remembered for as many as are stated, over a restart too', () => {
    const bed = new Bed()
    const first = (enqueue(bed, [message()]), take(bed))
    ack(bed, first)
    const more = Math.floor(QUEUE_LIMITS.settledMax / 256) - 1
    for (let nth = 0; nth < more; nth++) {
      enqueue(bed, several(256))
      ack(bed, take(bed, 256))
    }
    expect(ack(bed, first)).toMatchObject({ outcomes: [''] })
    const copy = bed.copy()
    expect(ack(copy, first)).toMatchObject({ outcomes: [''] })
    for (let nth = 0; nth < 3; nth++) {
      enqueue(copy, several(256))
      ack(copy, take(copy, 256))
    }
    expect(ack(copy, first)).toMatchObject({ outcomes: ['NO_SUCH_MESSAGE'] })
  })

  test('what is due beyond the bound of an entry happens in the next, and says that it is due', () => {
    const bed = new Bed()
    for (let nth = 0; nth < 10; nth++) enqueue(bed, several(250))
    for (let nth = 0; nth < 10; nth++) take(bed, 250, 100)
    bed.pass(100)
    expect(status(bed)).toMatchObject({ leased: 1_500, delayed: 1_000 })
    expect(bed.machine.nextDeadline()).toBeLessThanOrEqual(bed.time)
    bed.pass(0)
    bed.pass(0)
    expect(status(bed)).toMatchObject({ leased: 0, delayed: 2_500 })
    expect(bed.machine.nextDeadline()).toBeGreaterThan(bed.time)
  })

  test('dead messages find room in a full queue: what was taken once is not refused', () => {
    const bed = new Bed()
    configure(bed, { maxLength: 2, maxDeliveries: 1 })
    enqueue(bed, several(2))
    const dead = take(bed, 2).map(({ id, token }) => ({ id, token, delayMs: null, reason: '503', countAttempt: true }))
    bed.run({ type: 'queue_nack', ...NAME, items: dead })
    enqueue(bed, several(2))
    expect(bed.run({ type: 'queue_redrive', ...NAME, max: 10, reason: '' })).toMatchObject({ moved: 2 })
    expect(status(bed)).toMatchObject({ ready: 4, dead: 0 })
    // Nothing comes until there is room again.
    expect(enqueue(bed, [message()])).toMatchObject({ code: 'QUEUE_FULL' })
    ack(bed, take(bed, 2))
    expect(enqueue(bed, [message()])).toMatchObject({ code: 'QUEUE_FULL' })
    ack(bed, take(bed, 1))
    expect(enqueue(bed, [message()])).toMatchObject({ type: 'enqueued' })
  })

  test('after a load the ids of a long window are remembered in many turns', () => {
    const bed = new Bed()
    bed.machine.check = () => {}
    const dedupId = (nth: number) => `id-${nth}`
    for (let first = 0; first < 20_480; first += 256) {
      enqueue(
        bed,
        several(256).map((one, nth) => ({ ...one, dedupId: dedupId(first + nth) })),
      )
    }
    bed.drain()
    const machine = createQueueMachine()
    for (const [key, value] of bed.store) machine.load(Buffer.from(key, 'hex'), value)
    let turns = 1
    while (!machine.prepare?.()) turns += 1
    expect(turns).toBeGreaterThanOrEqual(10)
    machine.loaded()
    bed.machine = machine
    for (const nth of [0, 10_000, 20_479]) {
      expect(enqueue(bed, [message({ dedupId: dedupId(nth) })])).toMatchObject({ items: [{ deduplicated: true }] })
    }
  })

  test('a queue that was made shorter drops some with every command', () => {
    const bed = new Bed()
    for (let nth = 0; nth < 12; nth++) enqueue(bed, several(256))
    configure(bed, { maxLength: 100, overflow: 'drop-head' })
    enqueue(bed, [message()])
    expect(status(bed).ready).toBe(12 * 256 + 1 - 1 - QUEUE_LIMITS.expiriesPerEntryMax)
    for (let nth = 0; nth < 3; nth++) enqueue(bed, [message()])
    expect(status(bed).ready).toBe(100)
    expect(seqs(take(bed, 1))).toEqual([12 * 256 + 4 - 99])
  })
})

describe('whose turn it is', () => {
  test('a group with a long backlog leaves its neighbours their turns', () => {
    const bed = new Bed()
    enqueue(bed, several(200, { group: 'flood' }))
    bed.pass(3_600_000)
    enqueue(bed, [message({ group: 'small' }), message({ group: 'late' })])
    const groups: string[] = []
    for (let nth = 0; nth < 4; nth++) {
      const [delivery] = take(bed) as [DeliveredMessage]
      groups.push(delivery.group)
      ack(bed, [delivery])
      bed.pass(10)
    }
    // The flood waited long for its first; from then on it waits as long as the others.
    expect(groups).toEqual(['flood', 'small', 'late', 'flood'])
  })

  test('a minute of waiting is worth a priority, and a 9 is never left behind', () => {
    const bed = new Bed()
    enqueue(bed, several(3))
    bed.pass(119_999)
    enqueue(bed, several(2, { priority: 2 }))
    expect(seqs(take(bed))).toEqual([4])
    bed.pass(1)
    expect(seqs(take(bed, 2))).toEqual([1, 5])
    bed.pass(3_600_000)
    enqueue(bed, [message({ priority: 9 })])
    expect(seqs(take(bed, 3))).toContain(6)
  })

  test('lanes of one urgency take turns, and keep them over a restart', () => {
    const bed = new Bed()
    for (const group of ['a', 'b', 'c', 'a', 'b', 'c']) enqueue(bed, [message({ group })])
    ack(bed, take(bed, 2))
    const copy = bed.copy((keys) => keys.reverse())
    for (const each of [bed, copy]) expect(take(each, 3).map(({ group }) => group)).toEqual(['c', 'a', 'b'])
  })
})

describe('backlogs', () => {
  test('many pages of runs and marks come back as they were', () => {
    const bed = new Bed()
    configure(bed, { ttlMs: 5_000_000 })
    for (let nth = 0; nth < 300; nth++) {
      bed.time += 7
      const groups = Array.from({ length: 20 }, (_, at) => message({ group: `g${at % 3}`, priority: at % 2 }))
      bed.machine.advance(bed)
      bed.machine.apply(bed, ++bed.ticket, encodeCommand({ type: 'queue_enqueue', ...NAME, messages: [...groups, message()] }))
      if (nth % 50 === 0) bed.drain()
    }
    bed.machine.check()
    for (let nth = 0; nth < 400; nth++) ack(bed, take(bed, 4))
    const copy = bed.copy((keys) => keys.sort())
    expect(status(copy)).toEqual(status(bed))
    for (let nth = 0; nth < 100; nth++) {
      const [left, right] = [take(bed, 5), take(copy, 5)]
      expect(right).toEqual(left)
      ack(bed, left)
      ack(copy, right)
    }
    for (const each of [bed, copy]) each.pass(5_000_000)
    while (status(bed).ready > 0) for (const each of [bed, copy]) each.pass(1)
    expect(status(copy)).toEqual(status(bed))
    expect(copy.copy().store).toEqual(bed.copy().store)
  })

  test('one message in a hundred thousand is one object at most, and records do not grow with the backlog', () => {
    const bed = new Bed()
    let largest = 0
    let written = 0
    for (let nth = 0; nth < 400; nth++) {
      bed.time += 3
      const batch = encodeCommand({ type: 'queue_enqueue', ...NAME, messages: several(250) })
      bed.machine.apply(bed, ++bed.ticket, batch)
      if (nth % 10 > 0) continue
      bed.machine.drain(
        (_, value) => {
          largest = Math.max(largest, value?.length ?? 0)
          written += 1
        },
        () => {},
      )
    }
    expect(status(bed).ready).toBe(100_000)
    expect(largest).toBeLessThanOrEqual(1_100)
    expect(written).toBeLessThan(200)
  })
})

describe('purge', () => {
  test('what is left to delete is the same on every replica, whatever each had stored; and it all goes', () => {
    const [eager, lazy] = [new Bed(), new Bed()]
    const purge = (bed: Bed) => bed.run({ type: 'queue_purge', ...NAME })
    for (const bed of [eager, lazy]) {
      enqueue(bed, several(3))
      if (bed === eager) bed.drain()
      purge(bed)
      enqueue(bed, several(2))
      if (bed === eager) bed.drain()
      purge(bed)
      enqueue(bed, several(1))
    }
    expect(lazy.machine.nextDeadline()).toBe(eager.machine.nextDeadline())
    for (const bed of [eager, lazy]) bed.drain()
    expect(lazy.store).toEqual(eager.store)
    expect([...lazy.cold.keys()]).toEqual([...eager.cold.keys()])
    const loaded = eager.copy()
    purge(loaded)
    for (const bed of [lazy, eager, loaded]) {
      bed.pass(100)
      bed.pass(100)
      bed.drain()
    }
    expect([lazy.cold.size, eager.cold.size, loaded.cold.size]).toEqual([1, 1, 0])
    expect(lazy.store).toEqual(eager.store)
  })

  test('the stored bodies are deleted little by little, and a restart goes on with it', () => {
    const bed = new Bed()
    for (let nth = 0; nth < 40; nth++) enqueue(bed, several(256))
    bed.drain()
    enqueue(bed, several(3))
    take(bed, 5)
    expect(bed.run({ type: 'queue_purge', ...NAME })).toEqual({ type: 'purged', purged: 40 * 256 + 3 })
    enqueue(bed, several(2))
    bed.drain()
    expect(bed.cold.size).toBe(40 * 256 + 3 + 2)
    bed.pass(PACE_MS)
    bed.drain()
    expect(bed.cold.size).toBeLessThan(40 * 256 + 3 + 2)
    const copy = bed.copy()
    for (let nth = 0; nth < 4; nth++) copy.pass(PACE_MS)
    copy.drain()
    expect(copy.cold.size).toBe(2)
    expect(copy.machine.nextDeadline()).toBe(Infinity)
    expect(seqs(take(copy, 5))).toEqual([40 * 256 + 4, 40 * 256 + 5])
  })

  test('a queue that is deleted leaves nothing but its number', () => {
    const bed = new Bed()
    configure(bed, { dedupWindowMs: 1_000_000 })
    enqueue(bed, [message({ group: 'g', dedupId: 'd' }), message({ delayMs: 50 }), message()])
    ack(bed, take(bed))
    bed.drain()
    bed.run({ type: 'queue_delete', ...NAME })
    bed.pass(PACE_MS)
    bed.drain()
    expect([bed.store.size, bed.cold.size, bed.status(NAME)]).toEqual([1, 0, 'NO_SUCH_QUEUE'])
    expect(enqueue(bed.copy(), [message({ dedupId: 'd' })])).toMatchObject({ items: [{ id: 'm_2_1', deduplicated: false }] })
  })
})

describe('dedup', () => {
  test('ids are forgotten page by page once they are out of their window, and not before', () => {
    const bed = new Bed()
    configure(bed, { dedupWindowMs: 1_000 })
    for (let nth = 0; nth < 200; nth++) {
      bed.time += 10
      enqueue(bed, [message({ dedupId: `d${nth}` })])
    }
    const known = (nth: number) => enqueue(bed, [message({ dedupId: `d${nth}` })])
    expect(known(199)).toMatchObject({ items: [{ deduplicated: true, id: 'm_1_5k' }] })
    expect(known(101)).toMatchObject({ items: [{ deduplicated: true }] })
    expect(known(100)).toMatchObject({ items: [{ deduplicated: true }] })
    expect(known(99)).toMatchObject({ items: [{ deduplicated: false }] })
    bed.pass(10_000)
    bed.drain()
    // Counters, queue, lane: no page of ids is left (nor of marks, beyond one).
    expect([...bed.store.keys()].filter((key) => key.startsWith('09'))).toEqual([])
  })
})

describe('the store', () => {
  test('holds the bodies of the messages that are there, and no other', () => {
    const bed = new Bed()
    configure(bed, { maxLength: 12, overflow: 'drop-head', maxDeliveries: 1 })
    const stored = () => {
      bed.drain()
      return bed.cold.size
    }
    enqueue(bed, [...several(8), message({ ttlMs: 50 }), message({ delayMs: 90 })])
    expect(stored()).toBe(10)
    const [first, second] = take(bed, 2) as [DeliveredMessage, DeliveredMessage]
    ack(bed, [first])
    expect(stored()).toBe(9)
    bed.run({ type: 'queue_nack', ...NAME, items: [{ ...second, delayMs: null, reason: 'bad', countAttempt: true }] })
    expect([status(bed).dead, stored()]).toEqual([1, 9])
    bed.pass(60)
    expect(stored()).toBe(8)
    enqueue(bed, several(7))
    expect([status(bed).total, stored()]).toEqual([13, 13])
    const [rest] = [take(bed, 2)]
    enqueue(bed, [message()])
    ack(bed, rest)
    ack(bed, take(bed, 20))
    expect([status(bed).total, stored()]).toEqual([2, 2])
  })
})

describe('room in a transaction', () => {
  const setUp = () => {
    const bed = new Bed()
    configure(bed, { maxLength: 2, overflow: 'drop-head' })
    return bed
  }

  test('what an ack before it sets free may be dropped', () => {
    const bed = setUp()
    enqueue(bed, several(2, { group: 'g' }))
    const [{ id, token }] = take(bed) as [DeliveredMessage]
    expect(enqueue(bed, several(1))).toMatchObject({ code: 'QUEUE_FULL' })
    const reply = bed.run({
      type: 'tx',
      ops: [
        { type: 'queue_ack', ...NAME, items: [{ id, token }], fence: null },
        { type: 'queue_enqueue', ...NAME, messages: several(2) },
      ],
    })
    expect(reply).toMatchObject({ type: 'transacted' })
    expect(seqs(take(bed, 5))).toEqual([3, 4])
  })

  test('what an enqueue before it drops is not there to be dropped again', () => {
    const bed = setUp()
    enqueue(bed, [message({ group: 'g' }), message()])
    expect(seqs(take(bed))).toEqual([1])
    const ops = [several(1), several(2)].map((messages) => ({ type: 'queue_enqueue', ...NAME, messages }) as const)
    expect(bed.run({ type: 'tx', ops })).toMatchObject({ code: 'QUEUE_FULL', details: { op: 1 } })
    expect(seqs(take(bed, 5))).toEqual([2])
  })
})

describe('texts', () => {
  test('one that begins with U+FEFF is another than the one without, also after a restart', () => {
    const bed = new Bed()
    const [bare, marked] = ['r', '\ufeffr']
    enqueue(bed, [message({ group: marked, dedupId: marked }), message({ group: bare, dedupId: bare })])
    const fenced = (on: Bed, resource: string, token: number) =>
      on.run({ type: 'queue_ack', ...NAME, items: [{ id: 'm_1_1', token: 1 }], fence: { resource, token } })
    fenced(bed, marked, 9)
    const copy = bed.copy()
    expect(fenced(copy, marked, 8)).toMatchObject({ code: 'FENCED', details: { highest: 9 } })
    expect(fenced(copy, bare, 8)).toMatchObject({ type: 'settled' })
    expect(copy.browse(NAME, 'ready', 10)).toMatchObject([{ group: marked }, { group: bare }])
    expect(take(copy, 5).map(({ group }) => group)).toEqual([marked, bare])
    expect(enqueue(copy, [message({ dedupId: marked })])).toMatchObject({ items: [{ id: 'm_1_1', deduplicated: true }] })
  })
})
