/** A copy whose grant was taken back while it was on its way is kept. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'revoked-on-its-way',
  pitfall: 0,
  harm: 'A copy whose grant was taken back while it was on its way is kept.',
  file: 'src/cache/coherence/controller.ts',
  find: "if (g <= fetch.killed) return this.answerAsked(line, fetch, held, until, now, fetch.wants === 'X')\n    this.fetches.delete(line)\n    if (now",
  replace:
    "if (g === 0) return this.answerAsked(line, fetch, held, until, now, fetch.wants === 'X')\n    this.fetches.delete(line)\n    if (now",
  killedBy: cacheSimulator(1, 60),
}
