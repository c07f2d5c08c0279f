/** Everything a node may touch outside itself. Three sets exist: real, embedded, simulated. */
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'
import type { Storage } from './storage.ts'
import type { Transport } from './transport.ts'

export interface Ports {
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly storage: Storage
}
