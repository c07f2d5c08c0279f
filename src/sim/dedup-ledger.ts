/**
 * Dedup ids whose windows are over and begin again, of one queue, in the cluster time that decides:
 *
 *   T of the first ──window──>|      within: the same id is the same message (and never a second one)
 *                             |────  after: it is another one
 *
 * The entry of an enqueue is applied at some T between its question and its answer, under one of the windows of that while.
 */
import type { Millis } from '../base/ids.ts'
import { parseMessageId } from '../queue/ids.ts'
import type { Span } from './sentry-post.ts'

interface Taken {
  readonly dedupId: string
  readonly id: string
  readonly at: Span
  readonly window: Span
}

export class DedupLedger {
  readonly #taken = new Map<string, Taken>()
  readonly #repeated: { readonly dedupId: string; readonly id: string; readonly at: Span }[] = []
  /** Ids of enqueues without an answer: they may be messages. */
  readonly #inDoubt = new Set<string>()

  /** `id` '' : nobody knows. */
  enqueued(dedupId: string, id: string, deduplicated: boolean, at: Span, windows: ReadonlySet<Millis>): void {
    if (id === '') this.#inDoubt.add(dedupId)
    else if (deduplicated) this.#repeated.push({ dedupId, id, at })
    else this.#taken.set(id, { dedupId, id, at, window: { lo: Math.min(...windows), hi: Math.max(...windows) } })
  }

  check(): string[] {
    const found: string[] = []
    for (const { dedupId, id, at } of this.#repeated) {
      const first = this.#taken.get(id)
      if (first === undefined && this.#inDoubt.has(dedupId)) continue
      if (first?.dedupId !== dedupId) found.push(`dedup: ${dedupId} was taken for ${id}, which is ${first?.dedupId ?? 'not there'}`)
      else if (at.lo - first.at.hi >= first.window.hi)
        found.push(`dedup: ${dedupId} at ${at.lo} was taken for ${id} of ${first.at.hi}, whose window was ${first.window.hi} ms`)
    }
    const inOrder = [...this.#taken.values()].sort((a, b) => numberOf(a.id) - numberOf(b.id))
    for (const [nth, second] of inOrder.entries()) {
      for (const first of inOrder.slice(0, nth)) {
        if (first.dedupId !== second.dedupId || second.at.hi - first.at.lo >= first.window.lo) continue
        found.push(
          `dedup: ${second.dedupId} is ${first.id} of ${first.at.lo} and ${second.id} of ${second.at.hi} within ${first.window.lo} ms`,
        )
      }
    }
    return found
  }
}

function numberOf(id: string): number {
  return parseMessageId(id)?.seq ?? 0
}
