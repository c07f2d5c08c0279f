/** A request that is sent again under its idempotency key by way of another node takes effect twice. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'key-forgotten',
  pitfall: 22,
  harm: 'A request that is sent again under its idempotency key by way of another node takes effect twice.',
  file: 'src/raft/host/requests.ts',
  find: '(command.key === null ? null : this.#byKey(client, command, time)) ?? { kind',
  replace: '(command.key === null || time >= 0 ? null : this.#byKey(client, command, time)) ?? { kind',
  killedBy: simulator(1, 60),
}
