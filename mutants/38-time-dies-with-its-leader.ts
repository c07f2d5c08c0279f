/** What an idle group’s leader knows of the cluster time is never written: with each leader all of it since the last entry is lost. */
import { type Mutant, quietSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'time-dies-with-its-leader',
  pitfall: 0,
  harm: 'What an idle group’s leader knows of the cluster time is never written: with each leader all of it since the last entry is lost.',
  file: 'src/raft/host/group.ts',
  find: 'this.#pulse = time + pulseMs(next - time)',
  replace: 'this.#pulse = Math.max(Infinity, pulseMs(next - time))',
  killedBy: quietSimulator(1, 8),
}
