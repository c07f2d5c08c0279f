/** Whoever loads the state has forgotten which dedup ids there were: a message that is sent twice is there twice. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'dedup-forgotten-at-load',
  pitfall: 0,
  harm: 'Whoever loads the state has forgotten which dedup ids there were: a message that is sent twice is there twice.',
  file: 'src/queue/dedup.ts',
  find: 'for (const page of this.pages) for (const entry of page.entries) this.#byId.set(entry.id, entry)',
  replace: 'for (const page of this.pages) page.entries.slice()',
  killedBy: queueSimulator(1, 60),
}
