/** Which bodies a purge leaves to delete depends on what each replica had stored: they drift apart. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'graves-by-what-was-stored',
  pitfall: 26,
  harm: 'Which bodies a purge leaves to delete depends on what each replica had stored: they drift apart.',
  file: 'src/queue/graves.ts',
  find: '    if (this.deadline === Infinity) this.#paceFrom(now)',
  replace: '    if (this.deadline === Infinity && this.#table.cold.size === 0) this.#paceFrom(now)',
  killedBy: queueSimulator(1, 60),
}
