/**
 * The sampled commands in a group's log that are on their way. Empty nearly always, and then it costs one comparison
 * per question. Bounded: beyond the bound a trace is cut short, the command is not.
 */
import type { GroupId, LogIndex, Millis, ReplicaId } from '../../base/ids.ts'
import type { AppendEntries, Entry } from '../core/types.ts'
import type { RaftObserver } from './observer.ts'

const TRACED_ENTRIES_MAX = 1_000

interface TracedEntry {
  readonly parents: readonly string[]
  readonly since: Millis
  writtenAt: Millis
  readonly sent: Map<ReplicaId, Millis>
}

export class Traces {
  readonly #group: GroupId
  readonly #observer: RaftObserver | null
  readonly #entries = new Map<LogIndex, TracedEntry>()

  constructor(group: GroupId, observer: RaftObserver | null) {
    this.#group = group
    this.#observer = observer
  }

  get active(): boolean {
    return this.#entries.size > 0
  }

  /** The leader made an entry of sampled commands. */
  proposed(index: LogIndex, parents: readonly string[], receivedAt: Millis, now: Millis): void {
    this.#add(index, parents, now)
    for (const traceparent of parents) this.#observer?.proposed({ traceparent, group: this.#group }, index, receivedAt, now)
  }

  /** A follower got entries with a sampled one among them: the last of them stands for it. */
  arrived(entries: readonly Entry[], traceparent: string, now: Millis): void {
    const last = entries.at(-1)
    if (last !== undefined) this.#add(last.index, [traceparent], now)
  }

  #add(index: LogIndex, parents: readonly string[], now: Millis): void {
    if (this.#observer === null || this.#entries.size >= TRACED_ENTRIES_MAX) return
    this.#entries.set(index, { parents, since: now, writtenAt: now, sent: new Map() })
  }

  /** The traceparent that an append carries, '' for none. */
  sending(message: AppendEntries, now: Millis): string {
    let parent = ''
    for (const entry of message.entries) {
      const traced = this.#entries.get(entry.index)
      if (traced === undefined) continue
      traced.sent.set(message.to, now)
      parent ||= traced.parents[0] ?? ''
    }
    return parent
  }

  writing(entries: readonly Entry[], now: Millis): void {
    for (const entry of entries) {
      const traced = this.#entries.get(entry.index)
      if (traced !== undefined) traced.writtenAt = now
    }
  }

  written(entries: readonly Entry[], now: Millis): void {
    for (const entry of entries) {
      this.#each(entry.index, (of, traced) => this.#observer?.walSynced(of, entry.index, traced.writtenAt, now))
    }
  }

  acknowledged(peer: ReplicaId, upTo: LogIndex, now: Millis): void {
    for (const [index, traced] of this.#entries) {
      const sentAt = traced.sent.get(peer)
      if (index > upTo || sentAt === undefined) continue
      traced.sent.delete(peer)
      this.#each(index, (of) => this.#observer?.replicated(of, index, peer, sentAt, now))
    }
  }

  committed(index: LogIndex, now: Millis): void {
    this.#each(index, (of, traced) => this.#observer?.committed(of, index, traced.since, now))
  }

  /** Applied, and (on the leader) answered. Late acknowledgements of peers are still heard for a while. */
  applied(index: LogIndex, startedAt: Millis, now: Millis, replied: boolean): void {
    this.#each(index, (of) => {
      this.#observer?.applied(of, index, startedAt, now)
      if (replied) this.#observer?.replied(of, index, now)
    })
  }

  /** Forgets what began before `horizon`. */
  forget(horizon: Millis): void {
    for (const [index, traced] of this.#entries) if (traced.since < horizon) this.#entries.delete(index)
  }

  #each(index: LogIndex, tell: (of: { traceparent: string; group: GroupId }, traced: TracedEntry) => void): void {
    const traced = this.#entries.get(index)
    if (traced !== undefined) for (const traceparent of traced.parents) tell({ traceparent, group: this.#group }, traced)
  }
}
