/**
 * Lines as the operations of a node read them: coherent, from the copy where there is one, else from the home. Implemented by
 * the node's coherence (`coherence.ts`).
 */
import type { Millis } from '../../base/ids.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import type { CacheReply } from '../machine/commands.ts'
import type { LineState } from '../types.ts'
import type { WriteOwned } from './partition-copies.ts'

/** A line as it may be read now without a question. */
export interface Hit {
  readonly held: Held
  readonly state: LineState
}

export interface Lines {
  /** Null: there is no copy that may be read now, and `read` asks for one. */
  hit(line: LineId): Hit | null
  /** At once where this node may say it now; else once the home has answered. Rejects with NO_QUORUM where nobody answers in time. */
  read(line: LineId, timeoutMs: Millis): Held | Promise<Held>
  /** Writes a line alone that this node owns, see partition-copies.ts. */
  writeOwned(line: LineId, timeoutMs: Millis, write: WriteOwned): Promise<CacheReply | null>
  /** Where this node owns the line it does not write it any more: for writes that have to go through the log. */
  giveUp(line: LineId): void
  stateOf(line: LineId): LineState
}
