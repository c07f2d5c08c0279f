/** A node holds copies of which the log knows nothing: the next home does not ask it. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'session-before-its-hold',
  pitfall: 0,
  harm: 'A node holds copies of which the log knows nothing: the next home does not ask it.',
  file: 'src/cache/node/partition-home.ts',
  find: "    this.#deps.writes.submit(this.#partition, { type: 'cache_hold', node }, { timeoutMs: HOLD_TIMEOUT_MS }).then(held, () => {})",
  replace: '    held()',
  killedBy: cacheSimulator(1, 60),
}
