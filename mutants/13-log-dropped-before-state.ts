/** The log is released though the state that replaces it is not durable. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'log-dropped-before-state',
  pitfall: 12,
  harm: 'The log is released though the state that replaces it is not durable.',
  file: 'src/raft/host/checkpoints.ts',
  find: 'await this.#kv.batch(live.length === 1 ? first.ops : live.flatMap(({ ops }) => ops), { sync: job.sync })',
  replace: 'await this.#kv.batch(live.length === 1 ? first.ops : live.flatMap(({ ops }) => ops), { sync: false })',
  killedBy: simulator(1, 60),
}
