/** A read is confirmed by heartbeats that were answered before it was asked. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'read-confirmed-by-old-echo',
  pitfall: 19,
  harm: 'A read is confirmed by heartbeats that were answered before it was asked.',
  file: 'src/raft/core/read-index.ts',
  find: 'this.#rounds.push({ seq: ++this.seq, index: commit',
  replace: 'this.#rounds.push({ seq: this.seq, index: commit',
  killedBy: namedTest('src/raft/core/read-index.test.ts', 'all that waits shares one round, and rounds are answered in order'),
}
