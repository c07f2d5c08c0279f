/**
 * Lines as the operations of a node read them: coherent, from the copy where there is one, else from the home. Implemented by
 * the node's coherence actor.
 */
import type { Millis } from '../../base/ids.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import type { LineState } from '../types.ts'

export interface Lines {
  /** At once where this node may say it now; else once the home has answered. Rejects with NO_QUORUM where nobody answers in time. */
  read(line: LineId, timeoutMs: Millis): Held | Promise<Held>
  stateOf(line: LineId): LineState
}
