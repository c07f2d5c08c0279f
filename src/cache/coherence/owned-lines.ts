/**
 * A line that this node writes alone. What it wrote and has not flushed is here and nowhere else, so it is not dropped before its
 * flush came to an end. All of a partition: `owned-by-due.ts`.
 *
 *   E ──write──▶ M ──flushMs──▶ flush ──committed──▶ E
 *   ├──idle──▶ gone, and released
 *                └─ taken back, session over, newer term: closing (not read, not written) ──flush──▶ gone, then the acknowledgement
 */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Ordered } from '../../base/lazy-heap.ts'
import type { Copy } from './copies.ts'
import type { Held, LineId, ToNode } from './protocol.ts'

export interface OwnedLine extends Ordered {
  readonly line: LineId
  readonly own: number
  /** Among those that are due, see `owned-by-due.ts`. */
  place: number
  /** Of what it holds, as counted there. */
  bytes: number
  copy: Copy
  /** The version of the next write. */
  next: number
  readonly versionMax: number
  /** Writes since the last flush was sent. */
  dirty: number
  /** On its way through the log, and how many writes it has. */
  flushing: { readonly version: number; readonly count: number } | null
  flushAt: Millis
  /** When it was written last; reads leave their mark on the copy. */
  usedAt: Millis
  /** Given up: nothing is read or written any more. */
  closing: boolean
  /** Revocations to be acknowledged when it is gone. */
  acks: { readonly to: NodeId; readonly t: number }[]
}

export interface OwnedPort {
  /**
   * Commit what the line holds, and lives until then on this node's clock; told by `flushed`. Until that is certain. The answer must not
   * wait at the gate of a silent home.
   */
  flush(line: LineId, own: number, version: number, held: Held, until: Millis): void
  /** Nothing is written under this ownership any more, and nobody has asked for the line: the log may know. */
  release(line: LineId, own: number): void
  /** Acknowledged writes are gone: the line became another's before they were flushed. */
  lost(line: LineId, count: number): void
}

export function createOwned(
  { line, own, versionFirst, versionMax }: Pick<Extract<ToNode, { type: 'dataX' }>, 'line' | 'own' | 'versionFirst' | 'versionMax'>,
  copy: Copy,
  now: Millis,
): OwnedLine {
  const fresh = { dirty: 0, flushing: null, flushAt: Infinity, usedAt: now, closing: false, acks: [], place: -1, bytes: 0 }
  return { line, own, order: own, copy, next: versionFirst, versionMax, ...fresh }
}

/** The line, where it may be written now. */
export function writable(owned: OwnedLine | undefined): OwnedLine | null {
  return owned !== undefined && !owned.closing && owned.next <= owned.versionMax ? owned : null
}

/** The next write of it; the copy as it is then. */
export function writeOwned(owned: OwnedLine, make: (version: number) => Held, now: Millis, flushAt: Millis): Copy {
  const held = make(owned.next)
  const until = held.ttlLeftMs === null ? Infinity : now + held.ttlLeftMs
  owned.copy = { ...owned.copy, held, until, state: 'M' }
  owned.next += 1
  owned.dirty += 1
  owned.usedAt = now
  if (owned.flushing === null) owned.flushAt = Math.min(owned.flushAt, flushAt)
  return owned.copy
}

export function flushNow(port: OwnedPort, owned: OwnedLine): void {
  if (owned.dirty === 0 || owned.flushing !== null) return
  const { held, until } = owned.copy
  owned.flushing = { version: held.version, count: owned.dirty }
  owned.dirty = 0
  owned.flushAt = Infinity
  port.flush(owned.line, owned.own, held.version, held, until)
}

/** When something is to be done with it: flushed, or given back, for nobody has used it for so long. Infinity: it waits for a flush. */
export function dueAtOf(owned: OwnedLine, idleMs: Millis): Millis {
  return owned.closing || !isClean(owned) ? owned.flushAt : owned.usedAt + idleMs
}

/** Whether it was read since it was written, or since it was asked the last time. */
export function wasRead(owned: OwnedLine, now: Millis): boolean {
  if (!owned.copy.hit) return false
  owned.copy.hit = false
  owned.usedAt = now
  return true
}

export function isClean({ dirty, flushing }: OwnedLine): boolean {
  return dirty === 0 && flushing === null
}

/** How many writes are gone with it. */
export function unflushed({ dirty, flushing }: OwnedLine): number {
  return dirty + (flushing?.count ?? 0)
}
