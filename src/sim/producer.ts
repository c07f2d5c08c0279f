/** A client that fills the queues: single messages and batches, in groups, delayed, of any priority, some of them twice. */
import type { NewMessage } from '../queue/types.ts'
import type { Dice } from './dice.ts'
import type { Sent } from './queue-ledger.ts'
import { NAMESPACE, PASSING, type QueueContext, TWICE } from './queue-workload.ts'
import type { Client } from './workload.ts'

const DEDUP_IDS = 12
/** Of the queue that forgets: few, so that they come again and again. */
const DEDUP_IDS_TWICE = 3
const DELAY_MS_MAX = 2_000

export class Producer implements Client {
  readonly #id: string
  readonly #dice: Dice
  readonly #context: QueueContext
  #messages = 0
  #operations = 0

  constructor(id: string, dice: Dice, context: QueueContext) {
    this.#id = id
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    const { cluster, options, queues } = this.#context
    if (queues.length === 0 || this.#messages >= options.messagesMax) return void cluster.world.at(200, 'producer rests', done)
    this.#enqueue(this.#dice.pick(queues), done)
  }

  #enqueue(queue: string, done: () => void): void {
    const { attempts, options, ledger, time, configs } = this.#context
    const count = this.#dice.chance(0.7) ? 1 : this.#dice.integer(1, options.batchMax)
    const drawn = Array.from({ length: count }, () => this.#draw(queue))
    const sent = drawn.map(([, known]) => known)
    const key = this.#dice.chance(options.retryShare) ? `${this.#id} ${this.#operations++}` : ''
    const sentAt = ledger.now
    const lo = time.of(queue)
    const command = { type: 'queue_enqueue', namespace: NAMESPACE, queue, messages: drawn.map(([message]) => message) } as const
    attempts.run(command, { timeoutMs: options.timeoutMs, key, cancelAfterMs: Infinity }, (answer) => {
      const items = answer.type === 'reply' && answer.reply.type === 'enqueued' ? answer.reply.items : []
      for (const [at, { dedupId = '' }] of sent.entries()) {
        if (dedupId === '' || (items.length === 0 && answer.type !== 'unknown')) continue
        const { id = '', deduplicated = false } = items[at] ?? {}
        const windows = configs.during(queue, 'dedupWindowMs', sentAt)
        ledger.dedups.enqueued(dedupId, id, deduplicated, { lo, hi: time.of(queue) }, windows)
      }
      if (answer.type === 'reply' && answer.reply.type === 'enqueued') ledger.enqueued(queue, sent, sentAt, 'ok', answer.reply.items)
      else ledger.enqueued(queue, sent, sentAt, answer.type === 'unknown' ? 'unknown' : 'refused')
      done()
    })
  }

  #draw(queue: string): [NewMessage, Sent] {
    const { options, ledger } = this.#context
    const dice = this.#dice
    const number = this.#messages++
    const isRepeatable = queue !== TWICE && queue !== PASSING && dice.chance(options.dedupShare)
    const dedupId = isRepeatable
      ? `d${dice.below(DEDUP_IDS)}`
      : queue === TWICE && dice.chance(0.7)
        ? `d${dice.below(DEDUP_IDS_TWICE)}`
        : ''
    const key = isRepeatable ? `${queue} ${dedupId}` : `${this.#id} ${number}`
    const group = options.groups > 0 && dice.chance(0.6) ? `g${dice.below(options.groups)}` : ''
    const priority = dice.chance(options.priorityShare) ? dice.below(10) : 0
    const delayMs = dice.chance(options.delayShare) ? dice.integer(1, DELAY_MS_MAX) : 0
    const message = { body: ledger.bodyOf(key), group, dedupId, delayMs, priority, ttlMs: 0 }
    const lane = dedupId !== '' ? null : group === '' ? `priority ${priority}` : `group ${group}`
    return [message, { key, lane, delayMs, isRepeatable, ...(queue === TWICE && { dedupId }) }]
  }
}
