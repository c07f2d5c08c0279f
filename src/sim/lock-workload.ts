/**
 * The work on locks: clients that fight for them, what they saw, and what the machine of each replica must keep.
 *
 *   register names  exclusive, leases longer than the run: acquire, look, release. Checked for linearizability.
 *   busy names      shared and exclusive, short leases, waits, renewals, sessions, cancelled waits, abandoned holds.
 */
import type { Answered, LockCommand } from '../lock/types.ts'
import { type Answer, Attempts } from './attempts.ts'
import { BusyClient } from './busy-client.ts'
import type { Checker } from './checkers/checker.ts'
import { type GrantLedger, lockGrants } from './checkers/lock-grants.ts'
import { lockHolders } from './checkers/lock-holders.ts'
import { LockViews } from './checkers/lock-views.ts'
import { stateDigest } from './checkers/state-digest.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import { ClientHistory } from './history.ts'
import { RegisterClient } from './register-client.ts'
import { Clients, type Workload, type WorkloadTally } from './workload.ts'
import { SimFailure } from './world.ts'

export const NAMESPACE = 'sim'
/** Owners of leased grants begin so; those of sessions, whose grants end with the session, do not. */
export const LEASED_PREFIX = 'l-'

export interface LockWorkloadOptions {
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

export function busyNames({ busyNames: count }: LockWorkloadOptions): string[] {
  return Array.from({ length: count }, (_, i) => `busy${i}`)
}

export function registerNames({ registerNames: count }: LockWorkloadOptions): string[] {
  return Array.from({ length: count }, (_, i) => `register${i}`)
}

export type LockAnswer = Answer<Answered>
export type LockAttempts = Attempts<LockCommand, Answered>

export interface ClientContext {
  readonly cluster: SimCluster
  readonly options: LockWorkloadOptions
  readonly attempts: LockAttempts
  readonly history: ClientHistory
  readonly grants: GrantLedger
}

const FINAL_NAME = 'final'
const RETRY_MS = 250

export class LockWorkload implements Workload {
  readonly checkers: readonly Checker[]
  readonly #context: ClientContext
  readonly #clients: Clients

  constructor(cluster: SimCluster, options: LockWorkloadOptions) {
    const views = new LockViews(NAMESPACE, [...busyNames(options), ...registerNames(options)])
    const starting = (): boolean => cluster.nodes.some(({ life, running }) => life?.alive && !running)
    const grants = lockGrants(views, (owner) => owner.startsWith(LEASED_PREFIX), starting)
    this.checkers = [stateDigest(views), lockHolders(views), grants]
    const attempts: LockAttempts = new Attempts(cluster, cluster.world.dice.fork('attempts'), ({ locks }, ...request) =>
      locks.submit(...request),
    )
    this.#context = { cluster, options, attempts, history: new ClientHistory(), grants }
    this.#clients = new Clients(cluster.world)
  }

  start(): void {
    const { cluster, options } = this.#context
    for (let i = 0; i < options.clients; i++) {
      const dice = cluster.world.dice.fork(`client ${i}`)
      // Every second client works on the registers, at a pace that spreads its share of operations over the whole chaos.
      if (i % 2 === 0) {
        const client = new RegisterClient(`c${i}`, dice, this.#context)
        this.#clients.run(client, dice, cluster.options.safetyMs / options.registerOpsMax)
      } else this.#clients.run(new BusyClient(`c${i}`, dice, this.#context), dice, options.thinkMeanMs)
    }
  }

  stop(): void {
    this.#clients.stop()
  }

  get busy(): number {
    return this.#clients.busy
  }

  get open(): number {
    return this.#context.attempts.open
  }

  nodeEnded(node: SimNode): void {
    this.#context.attempts.nodeEnded(node)
  }

  get tally(): WorkloadTally {
    const { operations, acknowledged, unknown } = this.#context.history
    return { operations, acknowledged, unknown }
  }

  check(): number {
    return this.#context.history.check().inconclusive
  }

  /** A lock that nobody else wants, for longer than the run. */
  ask(node: SimNode, at: number, timeoutMs: number, done: () => void): void {
    const { world } = this.#context.cluster
    const acquire = {
      type: 'lock_acquire',
      namespace: NAMESPACE,
      items: [{ name: `${FINAL_NAME}${at}`, mode: 'exclusive' }],
      session: null,
      implicitProof: 'proof',
      owner: `final-${node.id}`,
      waitMs: 0,
      leaseMs: 60_000,
      priority: 0,
      reentrant: false,
      metadata: null,
    } as const
    node.running?.locks.submit(acquire, { timeoutMs }, (reply) => {
      if (!(reply instanceof Error)) done()
      // It looks at its disk now and then: room is noticed a while after it is there.
      else if (reply.code === 'DISK_LOW') world.at(RETRY_MS, 'final grant again', () => this.ask(node, at, timeoutMs, done))
      else world.fail(new SimFailure(`liveness: ${node.id} could not acquire: ${reply.message}`))
    })
  }
}
