/**
 * A queue that is deleted and made again is another one, under the same name. Of one that was there before a deletion was asked
 * for, and is gone since that was answered, nothing is ever heard again:
 *
 *   reborn      a message that is enqueued into it        undead    one that is delivered from it, or settled in it
 *   lost        a message that is gone though it came after every deletion
 */
import type { Millis } from '../base/ids.ts'
import type { Known, QueueHistory } from '../queue/history-checker.ts'
import { parseMessageId } from '../queue/ids.ts'

interface Deletion {
  readonly sentAt: Millis
  /** Infinity: nobody knows. */
  readonly answeredAt: Millis
}

export class QueueDeletions {
  readonly #queue: string
  readonly #deletions: Deletion[] = []

  constructor(queue: string) {
    this.#queue = queue
  }

  deleted(sentAt: Millis, answeredAt: Millis, outcome: Known): void {
    if (outcome !== 'refused') this.#deletions.push({ sentAt, answeredAt: outcome === 'ok' ? answeredAt : Infinity })
  }

  /** `gone`: of its messages, those that nobody acknowledged and that are there no more. */
  check(history: QueueHistory, gone: readonly { readonly id: string; readonly sentAt: Millis }[]): string[] {
    const mine = <T extends { readonly queue: string; readonly id: string }>(all: readonly T[]): T[] =>
      all.filter(({ queue, id }) => queue === this.#queue && id !== '')
    const enqueues = mine(history.enqueues)
    const deliveries = mine(history.deliveries)
    const settlings = mine(history.settlings)
    const over = this.#over([
      ...enqueues.map(({ id, answeredAt }) => ({ id, at: answeredAt })),
      ...deliveries.map(({ id, receivedAt }) => ({ id, at: receivedAt })),
    ])
    const isOver = (id: string, at: Millis): boolean => at > (over.get(incarnationOf(id)) ?? Infinity)
    return [
      ...gone
        .filter(({ sentAt }) => !this.#deletions.some(({ answeredAt }) => answeredAt > sentAt))
        .map(({ id }) => `lost: ${this.#queue} ${id}`),
      ...enqueues
        .filter(({ id, sentAt }) => isOver(id, sentAt))
        .map(({ id }) => `reborn: ${this.#queue} ${id} was enqueued after its queue was deleted`),
      ...deliveries
        .filter(({ id, askedAt }) => isOver(id, askedAt))
        .map(({ id }) => `undead: ${this.#queue} ${id} was delivered after its queue was deleted`),
      ...settlings
        .filter(({ id, sentAt, outcome }) => outcome === 'ok' && isOver(id, sentAt))
        .map(({ id, type }) => `undead: ${type} of ${this.#queue} ${id} after its queue was deleted`),
    ]
  }

  /** Since when each of the queues of that name is gone for sure. */
  #over(known: readonly { readonly id: string; readonly at: Millis }[]): Map<number, Millis> {
    const over = new Map<number, Millis>()
    for (const { id, at } of known) {
      const ends = this.#deletions.filter(({ sentAt }) => sentAt > at).map(({ answeredAt }) => answeredAt)
      over.set(incarnationOf(id), Math.min(over.get(incarnationOf(id)) ?? Infinity, ...ends))
    }
    return over
  }
}

function incarnationOf(id: string): number {
  return parseMessageId(id)?.queue ?? 0
}
