/** A reset has the number of what was told before: who has that takes it for a copy. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'reset-without-a-number',
  pitfall: 0,
  harm: 'A reset has the number of what was told before: who has that takes it for a copy.',
  file: 'src/api/socket/cache-subscription.ts',
  find: "    this.#push({ event: 'cache.reset', sub: this.options.sub, seq: ++this.#seq }, 0)",
  replace: "    this.#push({ event: 'cache.reset', sub: this.options.sub, seq: this.#seq }, 0)",
  killedBy: cacheSimulator(1, 30),
}
