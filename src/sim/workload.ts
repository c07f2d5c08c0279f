/**
 * The clients: each does one thing after another, at the pace and with the habits that the seed drew.
 *
 *   register names  exclusive, leases longer than the run: acquire, look, release. Checked for linearizability.
 *   busy names      shared and exclusive, short leases, waits, renewals, sessions, cancelled waits, abandoned holds.
 */
import type { SimCluster } from './cluster.ts'
import { Attempts } from './attempts.ts'
import { BusyClient } from './busy-client.ts'
import type { GrantLedger } from './checkers/lock-grants.ts'
import type { ClientHistory } from './history.ts'
import { RegisterClient } from './register-client.ts'

export const NAMESPACE = 'sim'
/** Owners of leased grants begin so; those of sessions, whose grants end with the session, do not. */
export const LEASED_PREFIX = 'l-'

export interface WorkloadOptions {
  readonly clients: number
  readonly thinkMeanMs: number
  readonly timeoutMs: number
  readonly busyNames: number
  readonly busyLeaseMs: number
  readonly waitMaxMs: number
  /** Share of shared acquires among the busy ones. */
  readonly sharedShare: number
  readonly registerNames: number
  /** Per client: more would make the search for a linearization slow. */
  readonly registerOpsMax: number
  /** Share of operations that are sent again while their outcome is unknown. */
  readonly retryShare: number
}

export function busyNames({ busyNames: count }: WorkloadOptions): string[] {
  return Array.from({ length: count }, (_, i) => `busy${i}`)
}

export function registerNames({ registerNames: count }: WorkloadOptions): string[] {
  return Array.from({ length: count }, (_, i) => `register${i}`)
}

export interface ClientContext {
  readonly cluster: SimCluster
  readonly options: WorkloadOptions
  readonly attempts: Attempts
  readonly history: ClientHistory
  readonly grants: GrantLedger
}

/** Something that acts until it is told to stop. */
export interface Client {
  act(done: () => void): void
}

export class Workload {
  readonly attempts: Attempts
  readonly #context: ClientContext
  #running = true
  #busy = 0

  constructor(cluster: SimCluster, options: WorkloadOptions, history: ClientHistory, grants: GrantLedger) {
    this.attempts = new Attempts(cluster, cluster.world.dice.fork('attempts'))
    this.#context = { cluster, options, attempts: this.attempts, history, grants }
  }

  start(): void {
    const { cluster, options } = this.#context
    for (let i = 0; i < options.clients; i++) {
      const dice = cluster.world.dice.fork(`client ${i}`)
      // Every second client works on the registers, at a pace that spreads its share of operations over the whole chaos.
      const registers = i % 2 === 0
      const client: Client = registers ? new RegisterClient(`c${i}`, dice, this.#context) : new BusyClient(`c${i}`, dice, this.#context)
      const thinkMs = registers ? cluster.options.safetyMs / options.registerOpsMax : options.thinkMeanMs
      const loop = (): void => {
        cluster.world.at(dice.exponential(thinkMs), 'client thinks', () => {
          if (!this.#running) return
          this.#busy++
          client.act(() => {
            this.#busy--
            loop()
          })
        })
      }
      loop()
    }
  }

  /** No new operations; those under way go on to their end. */
  stop(): void {
    this.#running = false
  }

  /** Operations under way. */
  get busy(): number {
    return this.#busy
  }
}
