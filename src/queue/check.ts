/**
 * The invariants of the queue machine, asserted over the whole state. For tests and the simulator.
 *
 *  (1) what is counted is what is there, and every message is in one place      (2) a group has one delivery at a time
 *  (3) nobody waits who could be served      (4) nothing overdue is alive      (5) tokens and numbers are below their counters
 *  (6) what has nothing to remember is not in memory      (7) every index agrees with what it was made of
 */
import { assert } from '../base/assert.ts'
import type { Millis } from '../base/ids.ts'
import { QUEUES_PER_PARTITION } from './ids.ts'
import type { Lane } from './lane.ts'
import { BACKOFF, DEAD, DELAYED, LEASED, type Note, READY, TIMED } from './note.ts'
import type { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'
import { QUEUE_LIMITS } from './types.ts'

/** `time`: of the last apply. `paced`: the last `advance` left something due for the next entry, or a command made it due. */
export function checkTable(table: QueueTable, time: Millis, paced: boolean): void {
  table.due.check()
  table.patience.check()
  assert(table.due.size === table.byNumber.size, 'every queue is among the due')
  assert(table.touched.length === 0, '(3) somebody was not looked at')
  let waiters = 0
  for (const queue of table.byNumber.values()) {
    checkQueue(queue)
    assert(table.find(queue.name) === queue, 'a queue is not found under its name')
    assert(queue.number - table.partition * QUEUES_PER_PARTITION <= table.lastQueue, '(5) a queue above the counter')
    assert(queue.deadline <= queue.due(), '(4) a deadline that nobody knows of')
    assert(paced || queue.due() > time, '(4) something overdue is alive')
    for (const waiter of queue.waiters.values()) assert(table.waiters.get(waiter.ticket) === waiter, 'a waiter is not found by its ticket')
    waiters += queue.waiters.size
  }
  assert(waiters === table.waiters.size && waiters === table.patience.size, 'waiters by queue, ticket and deadline differ')
  for (const waiter of table.waiters.values()) assert(paced || waiter.deadline > time, '(4) a wait is overdue')
}

function checkQueue(queue: Queue): void {
  const { schedule, waiters, dead } = queue
  const counts = [0, 0, 0, 0, 0]
  for (const note of queue.notes.values()) {
    counts[note.state] = (counts[note.state] as number) + 1
    checkNote(queue, note)
  }
  let plain = 0
  let deliverable = 0
  for (const lane of queue.lanes.values()) {
    plain += checkLane(queue, lane)
    if (lane.isDeliverable) deliverable += 1
  }
  const where = `of ${queue.name.queue}`
  assert(queue.ready === plain + (counts[READY] as number), `(1) the count of ready messages ${where}`)
  assert(queue.leased === counts[LEASED], `(1) the count of leased messages ${where}`)
  assert(queue.delayed === (counts[DELAYED] as number) + (counts[BACKOFF] as number), `(1) the count of delayed messages ${where}`)
  assert(dead.size === counts[DEAD], `(1) the count of dead messages ${where}`)
  assert(queue.presence.size === plain + queue.notes.size, `(1) the messages that are there ${where}`)
  assert(schedule.heads.size === deliverable, `(7) the lanes to deliver from ${where}`)
  assert(deliverable === 0 || waiters.size === 0, `(3) somebody waits who could be served ${where}`)
  assert(waiters.size <= QUEUE_LIMITS.waitersPerQueueMax, `too many wait ${where}`)
  schedule.check()
  for (const heap of [queue.timed, queue.ages, queue.ownAges, queue.heldAges]) heap.check()
  assert(queue.ages.size + queue.ownAges.size === counts[READY], `(7) the ages of what is ready ${where}`)
}

function checkNote(queue: Queue, note: Note): void {
  const { lane, seq, state } = note
  assert(queue.lanes.get(lane.number) === lane, '(7) a note of a lane that is not there')
  assert(queue.presence.has(seq), '(1) a note of a message that is not there')
  assert(seq <= queue.lastSeq && note.token <= queue.lastToken, '(5) a number above the counter')
  assert(queue.timed.has(note) === (state !== DEAD && note.deadline < Infinity), '(7) a note has its deadline, and only then')
  assert(state !== LEASED || (note.token > 0 && note.at[TIMED] !== -1), 'a lease without token or end')
  assert((lane.held === note) === (lane.isGroup && (state === LEASED || state === BACKOFF)), '(2) what holds a group')
}

/** Returns how many of its messages have no note. */
function checkLane(queue: Queue, lane: Lane): number {
  const { runs } = lane
  let count = 0
  let end = 0
  for (const [first, length] of [...runs].sort(([a], [b]) => a - b)) {
    assert(first >= end && length > 0, '(7) runs rise')
    count += length
    end = first + length
  }
  assert(count === runs.size && end <= queue.lastSeq + 1, '(7) the runs of a lane')
  assert(!lane.isGroup || (!lane.isEmpty && queue.groups.get(lane.group) === lane), '(6) a group without messages')
  assert(queue.schedule.oldest.has(lane) === runs.size > 0, '(7) a lane is among those with runs')
  assert(lane.urgency >= 0 === lane.isDeliverable, '(7) a lane is scheduled if it can be delivered from')
  assert(lane.turn <= queue.lastTurn, '(5) a turn above the counter')
  for (const note of lane.returned ?? []) assert(note.state === READY && note.lane === lane, '(7) what came back to a lane is ready')
  let notes = 0
  for (const note of queue.notes.values()) if (note.lane === lane) notes += 1
  assert(notes === lane.notes, '(7) the notes of a lane')
  return count
}
