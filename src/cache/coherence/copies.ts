/**
 * A node's copies of lines. Where they lie is not the controller's business: an LRU of all caches may drop any that is not
 * pinned at any time, for a copy that is gone costs a question and nothing else.
 */
import type { Millis } from '../../base/ids.ts'
import type { Held, LineId } from './protocol.ts'

export interface Copy {
  /** Of its line: who finds it in the store of all need not place the line, which costs more than to find it. */
  readonly partition: number
  readonly held: Held
  /** Of its grant. */
  readonly g: number
  /** The controller's count of sessions when it came: a copy of another one is dead. */
  readonly epoch: number
  /** When its value is past its time, on this node's clock; Infinity: never. */
  readonly until: Millis
  state: 'S' | 'E' | 'M'
  /** It was read since it came. */
  hit: boolean
}

export interface CopyStore {
  get(line: LineId): Copy | undefined
  set(line: LineId, copy: Copy): void
  delete(line: LineId): void
}
