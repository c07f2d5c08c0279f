/** Whoever loads the state has forgotten which dedup ids there were: a message that is sent twice is there twice. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'dedup-forgotten-at-load',
  pitfall: 0,
  harm: 'Whoever loads the state has forgotten which dedup ids there were: a message that is sent twice is there twice.',
  file: 'src/queue/dedup.ts',
  find: '      for (const entry of page.entries) this.#byId.set(entry.id, entry)\n      if (nth',
  replace: '      page.entries.slice()\n      if (nth',
  killedBy: queueSimulator(1, 60),
}
