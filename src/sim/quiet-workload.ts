/**
 * The work of a quiet run: one lock is held for good, and through every node somebody waits for it, for long, in vain. Each wait
 * has to end as a refusal, not before its time and not much after it, also where the leader died meanwhile.
 */
import type { Millis } from '../base/ids.ts'
import { type LockCommand, LIMITS } from '../lock/types.ts'
import { Attempts } from './attempts.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import { type LockAnswer, type LockAttempts, NAMESPACE } from './lock-workload.ts'
import { Clients, type Workload } from './workload.ts'
import { SimFailure } from './world.ts'

const NAME = 'quiet'
const HOLD_MS: Millis = 3_600_000
const ANSWER_MS: Millis = 10_000
const THINK_MS: Millis = 2_000
/**
 * What a wait may last beyond its time: once the lead goes back to the preferred node, which forgets a share of T
 * (checkers/punctual.ts); and for each failover its silence besides.
 */
const LATE_MS: Millis = 3_500
const FAILOVER_MS: Millis = 4_000

export class QuietWorkload implements Workload {
  readonly checkers = []
  readonly #cluster: SimCluster
  readonly #attempts: LockAttempts
  readonly #clients: Clients
  readonly #dice: Dice
  #waits = 0
  #ended = 0
  #unknown = 0
  #stopped = false

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    this.#attempts = new Attempts(cluster, cluster.world.dice.fork('attempts'), ({ locks }, ...request) => locks.submit(...request))
    this.#dice = cluster.world.dice.fork('quiet')
    this.#clients = new Clients(cluster.world)
  }

  start(): void {
    this.#attempts.run(this.#acquire('holder', 0), { timeoutMs: ANSWER_MS, key: 'holder', cancelAfterMs: Infinity }, (answer) => {
      if (answer.type !== 'reply') return this.#cluster.world.fail(new SimFailure(`quiet: the holder got ${JSON.stringify(answer)}`))
      this.#clients.run({ act: (done) => this.#round(done) }, this.#dice, THINK_MS)
    })
  }

  /** All at about the same moment: so their nodes ask again together, each five seconds, and together might doubt the leader. */
  #round(done: () => void): void {
    const waitMs = this.#dice.pick([1_000, 10_000, LIMITS.waitMsMax, LIMITS.waitMsMax])
    const spreadMs = this.#dice.pick([0, 100, 5_000])
    let left = this.#cluster.nodes.length
    const ended = (): void => void (--left === 0 && done())
    for (const { id } of this.#cluster.nodes) {
      this.#cluster.world.at(this.#dice.next() * spreadMs, 'client thinks', () => this.#wait(id, waitMs, ended))
    }
  }

  #acquire(owner: string, waitMs: Millis): LockCommand {
    return {
      type: 'lock_acquire',
      namespace: NAMESPACE,
      items: [{ name: NAME, mode: 'exclusive' }],
      session: null,
      implicitProof: 'proof',
      owner,
      waitMs,
      leaseMs: HOLD_MS,
      priority: 0,
      reentrant: false,
      metadata: null,
    }
  }

  #wait(id: string, waitMs: Millis, done: () => void): void {
    const { world, options } = this.#cluster
    const since = world.now
    const crashes = (): number => world.faults.get('crash') ?? 0
    // The last one may still be felt.
    const before = Math.max(0, crashes() - 1)
    const drift = 1 + options.driftPpm / 1e6
    const command = this.#acquire(`${id}-${this.#waits++}`, waitMs)
    this.#attempts.runAt(id, command, { timeoutMs: waitMs * drift + ANSWER_MS, key: '', cancelAfterMs: Infinity }, (answer) => {
      const lasted = world.now - since
      const isEnd = answer.type === 'refused' && answer.code === 'WAIT_TIMEOUT'
      const lateMs = LATE_MS + (crashes() - before) * FAILOVER_MS
      if (isEnd && lasted * drift >= waitMs && lasted <= waitMs * drift + lateMs) this.#ended++
      else if (isEnd || !this.#excused(answer)) {
        world.fail(new SimFailure(`quiet: a wait of ${waitMs} ms at ${id} came to ${JSON.stringify(answer)} after ${lasted} ms`))
      } else this.#unknown++
      done()
    })
  }

  /** Its node died, or is not back yet; at the end some are stopped. */
  #excused({ type }: LockAnswer): boolean {
    return (this.#stopped || this.#cluster.world.faults.has('crash')) && (type === 'unknown' || type === 'not applied')
  }

  stop(): void {
    this.#stopped = true
    this.#clients.stop()
  }

  get busy(): number {
    return this.#clients.busy
  }

  get open(): number {
    return this.#attempts.open
  }

  nodeEnded(node: SimNode): void {
    this.#attempts.nodeEnded(node)
  }

  get tally() {
    return { operations: this.#waits, acknowledged: this.#ended, unknown: this.#unknown }
  }

  ask(_node: SimNode, _at: number, _timeoutMs: number, done: () => void): void {
    done()
  }

  check(): number {
    if (this.#ended === 0) throw new SimFailure('quiet: no wait came to its end')
    return 0
  }
}
