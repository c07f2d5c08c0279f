/** At the end of a run: takes and acknowledges whatever is in a queue, the dead and the delayed too, until nothing is left. */
import type { QueueContext } from './queue-workload.ts'
import { NAMESPACE, PASSING } from './queue-workload.ts'
import type { QueueStatus } from '../queue/types.ts'

const PAUSE_MS = 30
const WAIT_MS = 200
const VISIBILITY_MS = 2_000
const BATCH = 64

export class QueueDrain {
  readonly #queue: string
  readonly #context: QueueContext
  #rounds = 0
  isOver = false

  constructor(queue: string, context: QueueContext) {
    this.#queue = queue
    this.#context = context
  }

  go(): void {
    const { attempts, options } = this.#context
    const name = { namespace: NAMESPACE, queue: this.#queue }
    this.#rounds++
    attempts.look<QueueStatus>(
      ({ queues }) => queues.status(name, { timeoutMs: options.timeoutMs, consistency: 'linearizable' }),
      options.timeoutMs,
      (status) => {
        if (status?.total === 0) this.isOver = true
        else if (status === null) this.#make()
        else if (status.dead > 0) this.#redrive()
        else this.#take()
      },
    )
  }

  /** It may be gone: a deletion may come late, too. */
  #make(): void {
    if (this.#queue !== PASSING) return this.#again()
    const { attempts, firstConfig } = this.#context
    const command = { type: 'queue_put', namespace: NAMESPACE, queue: PASSING, config: firstConfig(PASSING) } as const
    attempts.run(command, this.#options(), () => this.#again())
  }

  #again(): void {
    this.#context.cluster.world.at(PAUSE_MS, 'queue drain', () => this.go())
  }

  #options(waitMs = 0) {
    return { timeoutMs: this.#context.options.timeoutMs + waitMs, key: `drain ${this.#queue} ${this.#rounds}`, cancelAfterMs: Infinity }
  }

  #redrive(): void {
    const { attempts, ledger } = this.#context
    const redriven = ledger.redriven(this.#queue)
    const command = { type: 'queue_redrive', namespace: NAMESPACE, queue: this.#queue, max: 1_000, reason: '' } as const
    attempts.run(command, this.#options(), (answer) => {
      redriven(answer)
      this.#again()
    })
  }

  #take(): void {
    const { attempts, ledger } = this.#context
    const askedAt = ledger.now
    const demand = { max: BATCH, waitMs: WAIT_MS, visibilityMs: VISIBILITY_MS, consumer: 'drain', watcher: '' }
    attempts.run({ type: 'queue_dequeue', namespace: NAMESPACE, queue: this.#queue, ...demand }, this.#options(WAIT_MS), (answer) => {
      if (answer.type !== 'reply' || answer.reply.type !== 'delivered' || answer.reply.messages.length === 0) return this.#again()
      ledger.delivered(this.#queue, answer.reply.messages, askedAt)
      this.#acknowledge(answer.reply.messages.map(({ id, token }) => ({ id, token })))
    })
  }

  #acknowledge(items: readonly { readonly id: string; readonly token: number }[]): void {
    const { attempts, ledger } = this.#context
    const sentAt = ledger.now
    const sent = items.map((item) => ({ ...item, wasStale: ledger.isStale(this.#queue, item) }))
    const options = { ...this.#options(), key: `drained ${this.#queue} ${this.#rounds}` }
    attempts.run({ type: 'queue_ack', namespace: NAMESPACE, queue: this.#queue, items, fence: null }, options, (answer) => {
      const isReply = answer.type === 'reply' && answer.reply.type === 'settled'
      const outcomes =
        isReply && answer.reply.type === 'settled' ? answer.reply.outcomes : answer.type === 'unknown' ? 'unknown' : 'refused'
      ledger.settled('ack', this.#queue, sent, sentAt, outcomes)
      this.#again()
    })
  }
}
