/** That a line is a node's to write, and what that means for everybody else. What becomes of it: `ownership.ts`. */
import type { Plain } from '../../actors/envelope.ts'
import type { NodeId } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import type { LineId } from '../coherence/protocol.ts'
import { OWNERSHIP } from './kinds.ts'
import { owned, refused } from './replies.ts'
import { Stored } from './stored.ts'
import type { CacheTable } from './table.ts'

export class Ownership extends Stored {
  readonly kind = OWNERSHIP
  readonly line: LineId
  readonly node: NodeId
  readonly own: number
  readonly versionFirst: number
  /** 0: used up by a write of another kind. */
  versionMax: number
  /** The last version that was flushed; 0: none. */
  flushed = 0

  constructor(line: LineId, node: NodeId, own: number, versionFirst: number, versionMax: number) {
    super()
    this.line = line
    this.node = node
    this.own = own
    this.versionFirst = versionFirst
    this.versionMax = versionMax
  }
}

/** The answer to a write that the owner of the line has to make, or make room for; null: go on. */
export function refuseOwned(table: CacheTable, line: LineId, own: number): Plain | null {
  // A line is a text that was just made: to look it up costs more than to know that there is nothing.
  const there = table.owned.size === 0 ? undefined : table.owned.get(line)
  if (there === undefined) return own === 0 ? null : refused(refuse('FENCED', 'the ownership is over', { own: 0 }))
  return there.own === own ? null : owned(line, there.node, there.own)
}

/** A write through the log has passed what the owner could still flush. */
export function outrun(table: CacheTable, line: LineId): void {
  const there = table.owned.get(line)
  if (there === undefined) return
  there.versionMax = 0
  table.changes.touched(there)
}
