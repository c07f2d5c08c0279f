/** What is in the store stays in the log as well: the log grows until the disk is full. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'log-never-released',
  pitfall: 0,
  harm: 'What is in the store stays in the log as well: the log grows until the disk is full.',
  file: 'src/raft/host/checkpoints.ts',
  find: '      this.#shared.wal.release(group.id, header.index)\n',
  replace: '',
  killedBy: queueSimulator(1, 30),
}
