/**
 * Whoever is in charge of the queues while they are in use: changes their settings, looks whether they are what was asked for,
 * deletes a queue and makes it again. The only one who does, so that it knows (`known-configs.ts`).
 */
import type { QueueStatus } from '../queue/types.ts'
import type { Dice } from './dice.ts'
import { BRIEF, NAMESPACE, NEVER_DEAD, PASSING, type QueueContext, TWICE } from './queue-workload.ts'
import type { Client } from './workload.ts'
import type { PutQueueCommand } from '../queue/types.ts'

type Change = PutQueueCommand['config']

export class Steward implements Client {
  readonly #dice: Dice
  readonly #context: QueueContext
  #operations = 0

  constructor(dice: Dice, context: QueueContext) {
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    const { cluster, queues } = this.#context
    if (queues.length === 0) return void cluster.world.at(200, 'steward rests', done)
    this.#operations++
    const queue = this.#dice.pick(queues)
    const turn = this.#dice.next()
    if (turn < 0.2 && queues.includes(PASSING)) this.#delete(done)
    else if (queue === PASSING || turn < 0.5) this.#look(queue, done)
    else this.#change(queue, this.#draw(queue), done)
  }

  get #options() {
    return { timeoutMs: this.#context.options.timeoutMs, key: `steward ${this.#operations}`, cancelAfterMs: Infinity }
  }

  #draw(queue: string): Change {
    const dice = this.#dice
    const { poison, maxDeliveries } = this.#context.options
    const changes: Change[] = [{ visibilityMs: dice.pick([300, 800, 2_000]) }]
    if (queue === BRIEF) {
      changes.push(
        { ttlMs: dice.pick([0, 400, 3_000]) },
        { overflow: dice.pick(['drop-head', 'reject']) },
        { maxLength: dice.integer(3, 20) },
      )
    } else changes.push({ maxLength: dice.pick([6, 30, 1_000_000]) })
    if (queue === TWICE) changes.push({ dedupWindowMs: dice.pick([0, 300, 1_000, 4_000]) })
    // Where nothing dies, order can be told more strictly: there it stays so.
    if (poison === 'block') changes.push({ maxDeliveries: dice.integer(1, 5) })
    else if (maxDeliveries < NEVER_DEAD) changes.push({ maxDeliveries: dice.integer(1, 5), poison: dice.pick(['dlq', 'dlq', 'block']) })
    return dice.pick(changes)
  }

  #change(queue: string, config: Change, done: () => void): void {
    const { attempts, configs, ledger } = this.#context
    const sentAt = ledger.now
    configs.asked(queue, config, sentAt)
    attempts.run({ type: 'queue_put', namespace: NAMESPACE, queue, config }, this.#options, (answer) => {
      if (answer.type === 'reply' && answer.reply.type === 'put') configs.answered(queue, config, answer.reply.config, sentAt, ledger.now)
      else if (answer.type === 'unknown') configs.answered(queue, config, null, sentAt, ledger.now)
      done()
    })
  }

  #look(queue: string, done: () => void): void {
    const { attempts, configs, ledger, options } = this.#context
    const { timeoutMs } = options
    const sentAt = ledger.now
    attempts.look<QueueStatus>(
      ({ queues }) => queues.status({ namespace: NAMESPACE, queue }, { timeoutMs, consistency: 'linearizable' }),
      timeoutMs,
      (status) => {
        if (status !== null && queue !== PASSING) configs.shown(queue, status.config, sentAt)
        done()
      },
    )
  }

  /** And makes it again, or leaves that to the next who enqueues. */
  #delete(done: () => void): void {
    const { attempts, ledger, firstConfig } = this.#context
    const sentAt = ledger.now
    const known = { ok: 'ok', unknown: 'unknown', refused: 'refused' } as const
    attempts.run({ type: 'queue_delete', namespace: NAMESPACE, queue: PASSING }, this.#options, (answer) => {
      const outcome = answer.type === 'reply' ? known.ok : answer.type === 'unknown' ? known.unknown : known.refused
      ledger.deletions.deleted(sentAt, ledger.now, outcome)
      if (this.#dice.chance(0.3)) return done()
      this.#operations++
      attempts.run({ type: 'queue_put', namespace: NAMESPACE, queue: PASSING, config: firstConfig(PASSING) }, this.#options, () => done())
    })
  }
}
