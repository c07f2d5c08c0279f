/** How much of what has no other bound a partition holds: queues, fenced resources, dedupIds within their window. */
import { expect, test } from 'vitest'
import { Bed } from '../../test/queue/bed.ts'
import { encodeCommand } from './codec.ts'
import type { NewMessage, QueueCommand, QueueReply } from './types.ts'
import { QUEUE_LIMITS } from './types.ts'

const DEDUP_IDS_MAX = 1_000_000
const BATCH = 250
const FULL = { type: 'refused', code: 'QUOTA' }

function message(dedupId = ''): NewMessage {
  return { body: Uint8Array.of(1), group: '', dedupId, delayMs: 0, priority: 0, ttlMs: 0 }
}

/** Unchecked: the bed looks at the whole state after each command, which takes its time where there is much. */
function fill(bed: Bed, command: QueueCommand): void {
  bed.machine.apply(bed, ++bed.ticket, encodeCommand(command))
}

function enqueue(bed: Bed, queue: string, messages: readonly NewMessage[] = [message()]): QueueReply | null {
  return bed.run({ type: 'queue_enqueue', namespace: 'default', queue, messages })
}

test('queues: one that is there takes messages and settings, another is not made', () => {
  const bed = new Bed()
  for (let nth = 0; nth < QUEUE_LIMITS.queuesMax; nth++)
    fill(bed, { type: 'queue_enqueue', namespace: 'default', queue: `q${nth}`, messages: [message()] })
  expect(enqueue(bed, 'another')).toMatchObject(FULL)
  expect(bed.run({ type: 'queue_put', namespace: 'default', queue: 'another', config: {} })).toMatchObject(FULL)
  expect(enqueue(bed, 'q0')).toMatchObject({ type: 'enqueued' })
  expect(bed.run({ type: 'queue_put', namespace: 'default', queue: 'q0', config: { maxLength: 5 } })).not.toMatchObject(FULL)
  bed.run({ type: 'queue_delete', namespace: 'default', queue: 'q1' })
  expect(enqueue(bed, 'another')).toMatchObject({ type: 'enqueued' })
})

test('fenced resources: one that is known passes, another does not', () => {
  const bed = new Bed()
  enqueue(bed, 'q')
  const ack = (resource: string, token: number): QueueReply | null =>
    bed.run({ type: 'queue_ack', namespace: 'default', queue: 'q', items: [{ id: 'm_3_1', token: 1 }], fence: { resource, token } })
  for (let nth = 0; nth < QUEUE_LIMITS.fencesMax; nth++) ack(`r${nth}`, 1)
  expect(ack('another', 1)).toMatchObject(FULL)
  expect(ack('r0', 2)).not.toMatchObject(FULL)
  expect(ack('r0', 1)).toMatchObject({ type: 'refused', code: 'FENCED' })
})

test('dedupIds: of a queue within its window; without one a message comes in', () => {
  const bed = new Bed()
  bed.run({ type: 'queue_put', namespace: 'default', queue: 'q', config: { maxLength: BATCH, overflow: 'drop-head' } })
  for (let from = 0; from < DEDUP_IDS_MAX; from += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, nth) => message(`d${from + nth}`))
    fill(bed, { type: 'queue_enqueue', namespace: 'default', queue: 'q', messages })
  }
  expect(enqueue(bed, 'q', [message('another')])).toMatchObject(FULL)
  expect(enqueue(bed, 'q', [message('d0')])).toMatchObject({ type: 'enqueued' })
  expect(enqueue(bed, 'q')).toMatchObject({ type: 'enqueued' })
})
