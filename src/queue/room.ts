/**
 * Whether an enqueue finds room, asked before anything changes: it is all or nothing. In a transaction the ops before it
 * count as done; what they would do is kept in a draft.
 */
import type { Millis } from '../base/ids.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import type { Lane } from './lane.ts'
import type { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'
import { DEFAULT_CONFIG, type EnqueueCommand, QUEUE_LIMITS } from './types.ts'

/** What the ops of a transaction so far would do to one queue. */
export interface Draft {
  /** Messages more (or fewer, below 0) that count for `maxLength`. */
  added: number
  dropped: number
  /** Ready ones, by group. */
  readonly addedTo: Map<string, number>
  /** Groups whose delivery would be settled. */
  readonly freed: Set<Lane>
  readonly dedupIds: Set<string>
}

export function newDraft(): Draft {
  return { added: 0, dropped: 0, addedTo: new Map(), freed: new Set(), dedupIds: new Set() }
}

/** How many messages are new, or why none may come. `queue` null: it would be made. The draft, if any, is brought up to date. */
export function planEnqueue(
  table: QueueTable,
  queue: Queue | null,
  command: EnqueueCommand,
  now: Millis,
  draft: Draft | null,
): number | Refused {
  if (queue === null && table.byNumber.size >= QUEUE_LIMITS.queuesMax) return refuse('QUOTA', 'too many queues')
  const { maxLength, overflow, dedupWindowMs } = queue?.config ?? DEFAULT_CONFIG
  const seen = draft?.dedupIds ?? new Set<string>()
  const ready: string[] = []
  let count = 0
  let ids = 0
  for (const { dedupId, group, delayMs } of command.messages) {
    if (dedupId !== '') {
      if (seen.has(dedupId) || (queue !== null && queue.dedup.find(dedupId, now) > 0)) continue
      if (dedupWindowMs > 0) {
        seen.add(dedupId)
        ids += 1
      }
    }
    count += 1
    if (delayMs === 0) ready.push(group)
  }
  if (ids > 0 && queue !== null && !queue.dedup.hasRoom(ids)) return refuse('QUOTA', 'too many dedupIds within the window')
  const need = Math.max(0, (queue?.length ?? 0) + (draft?.added ?? 0) + count - maxLength)
  if (need > 0 && (overflow === 'reject' || queue === null || !canDrop(queue, need, draft))) {
    return refuse('QUEUE_FULL', `${command.queue} is full`, { queue: command.queue, maxLength })
  }
  if (draft === null) return count
  draft.dropped += need
  draft.added += count - need
  for (const group of ready) draft.addedTo.set(group, (draft.addedTo.get(group) ?? 0) + 1)
  return count
}

/** Whether so many ready messages are there that may be dropped: those that could be delivered, one after the other. */
function canDrop(queue: Queue, need: number, draft: Draft | null): boolean {
  let left = need + (draft?.dropped ?? 0)
  for (const lane of queue.schedule.heads) {
    left -= lane.ready
    if (left <= 0) return true
  }
  if (draft === null) return false
  for (const lane of draft.freed) if (lane.held !== null) left -= lane.ready
  for (const [group, count] of draft.addedTo) {
    const lane = group === '' ? undefined : queue.groups.get(group)
    if (lane === undefined || lane.held === null || draft.freed.has(lane)) left -= count
  }
  return left <= 0
}
