/** A leader that was paused lets the whole pause pass in cluster time: leases end that nobody could renew. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'pause-expires-leases',
  pitfall: 27,
  harm: 'A leader that was paused lets the whole pause pass in cluster time: leases end that nobody could renew.',
  file: 'src/raft/host/cluster-clock.ts',
  find: 'this.#uptime += Math.min(Math.max(now - this.#last, 0), this.#stepMax)',
  replace: 'this.#uptime += Math.max(now - this.#last, 0)',
  killedBy: namedTest('src/raft/host/cluster-clock.test.ts', 'counts a pause as two ticks'),
}
