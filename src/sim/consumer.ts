/**
 * A client that empties the queues, well and badly: it waits, gives waits up, acknowledges, gives back, holds on to, walks away
 * from what it got, tries tokens that are good no more, has answers repeated, and moves work on in transactions.
 */
import type { Answered, QueueCommand, TransactionOp } from '../queue/types.ts'
import type { Dice } from './dice.ts'
import { NAMESPACE, PASSING, type QueueAnswer, type QueueContext, SCRAP } from './queue-workload.ts'
import { outcomesOf } from './subscriber.ts'
import type { Client } from './workload.ts'

const HELD_MAX = 12
const STALE_MAX = 40
const ANSWERED_MAX = 6

interface Held {
  readonly queue: string
  readonly id: string
  readonly token: number
}
type Dequeue = Extract<QueueCommand, { readonly type: 'queue_dequeue' }>
type Action = 'ack' | 'nack' | 'extend'

export class Consumer implements Client {
  readonly #id: string
  readonly #dice: Dice
  readonly #context: QueueContext
  #held: Held[] = []
  /** Settled, or walked away from. */
  readonly #stale: Held[] = []
  readonly #answered: { readonly command: Dequeue; readonly key: string }[] = []
  #operations = 0

  constructor(id: string, dice: Dice, context: QueueContext) {
    this.#id = id
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    const { cluster, queues } = this.#context
    if (queues.length === 0) return void cluster.world.at(200, 'consumer rests', done)
    this.#operations++
    const turn = this.#dice.next()
    if (this.#held.length > 0) {
      if (turn < 0.3 || this.#held.length >= HELD_MAX) return this.#settle('ack', this.#take(), done)
      if (turn < 0.38) return this.#settle('nack', this.#take(), done)
      if (turn < 0.46) return this.#settle('extend', this.#take(), done)
      if (turn < 0.52) return this.#transact(done)
      if (turn < 0.56) {
        this.#forget(this.#take())
        return done()
      }
    }
    if (turn < 0.62 && this.#stale.length > 0) {
      return this.#settle(this.#dice.pick(['ack', 'nack', 'extend']), [this.#dice.pick(this.#stale)], done)
    }
    if (turn < 0.68 && this.#answered.length > 0) return this.#replay(this.#dice.pick(this.#answered), done)
    if (turn < 0.7) return this.#upkeep(done)
    return this.#dequeue(this.#dice.pick(queues), done)
  }

  /** One or some of one queue. */
  #take(): readonly Held[] {
    const first = this.#dice.pick(this.#held)
    const taken = this.#dice.chance(0.5) ? [first] : this.#held.filter(({ queue }) => queue === first.queue)
    this.#held = this.#held.filter((held) => !taken.includes(held))
    return taken
  }

  #forget(items: readonly Held[]): void {
    this.#stale.push(...items)
    this.#stale.splice(0, this.#stale.length - STALE_MAX)
  }

  #run(command: QueueCommand, waitMs: number, key: string, done: (answer: QueueAnswer) => void): void {
    const { attempts, options } = this.#context
    const cancelAfterMs = waitMs > 0 && this.#dice.chance(0.15) ? this.#dice.next() * waitMs : Infinity
    attempts.run(command, { timeoutMs: options.timeoutMs + waitMs, key, cancelAfterMs }, done)
  }

  #key(): string {
    return this.#dice.chance(this.#context.options.retryShare) ? `${this.#id} ${this.#operations}` : ''
  }

  #dequeue(queue: string, done: () => void): void {
    const { options, ledger } = this.#context
    const waitMs = this.#dice.chance(0.6) ? Math.floor(this.#dice.next() * options.waitMaxMs) : 0
    const max = this.#dice.pick([1, 1, 2, 4, 16])
    // Made by an enqueue, a queue has leases that are too long for a run.
    const visibilityMs = this.#dice.pick(queue === PASSING ? [300, 2_000] : [null, null, 300, 2_000])
    const command = {
      type: 'queue_dequeue',
      namespace: NAMESPACE,
      queue,
      max,
      waitMs,
      visibilityMs,
      consumer: this.#id,
      watcher: '',
    } as const
    const key = this.#key()
    const askedAt = ledger.now
    this.#run(command, waitMs, key, (answer) => {
      if (answer.type === 'reply' && answer.reply.type === 'delivered') {
        const { messages } = answer.reply
        ledger.delivered(queue, messages, askedAt)
        this.#held.push(...messages.map(({ id, token }) => ({ queue, id, token })))
        if (key !== '' && messages.length > 0) this.#answered.push({ command, key })
        this.#answered.splice(0, this.#answered.length - ANSWERED_MAX)
      }
      done()
    })
  }

  /** Its answer was lost on the way, the client thinks, and asks for it once more. */
  #replay({ command, key }: { readonly command: Dequeue; readonly key: string }, done: () => void): void {
    const { ledger } = this.#context
    const { queue } = command
    const sentAt = ledger.now
    this.#run(command, command.waitMs, key, (answer) => {
      if (answer.type === 'reply' && answer.reply.type === 'delivered') ledger.replayed(queue, answer.reply.messages, sentAt)
      done()
    })
  }

  #settle(action: Action, items: readonly Held[], done: () => void): void {
    const { ledger } = this.#context
    const queue = items[0]?.queue ?? ''
    const visibilityMs = this.#dice.pick([200, 1_000, 4_000])
    const counts = this.#dice.chance(0.7)
    const given = action === 'extend' ? { visibilityMs } : { counts }
    const sent = items.map((item) => ({ ...item, ...given, wasStale: ledger.isStale(queue, item) }))
    const command = this.#commandOf(action, queue, items, visibilityMs, counts)
    const fence = command.type === 'queue_ack' ? command.fence : null
    const floor = fence ? ledger.floorOf(fence.resource) : 0
    const sentAt = ledger.now
    this.#run(command, 0, this.#key(), (answer) => {
      ledger.settled(action, queue, sent, sentAt, outcomesOf(answer))
      if (fence) this.#fenced(fence, floor, answer)
      if (action === 'extend' && answer.type === 'reply') this.#held.push(...items)
      else this.#forget(items)
      done()
    })
  }

  #commandOf(action: Action, queue: string, items: readonly Held[], visibilityMs: number, countAttempt: boolean) {
    const name = { namespace: NAMESPACE, queue }
    const settling = items.map(({ id, token }) => ({ id, token }))
    if (action === 'ack') {
      const fence = queue.startsWith('{') && this.#dice.chance(0.2) ? this.#fence(queue) : null
      return { type: 'queue_ack', ...name, items: settling, fence } as const
    }
    if (action === 'nack') {
      const given = {
        delayMs: this.#dice.pick([null, 0, 200]),
        reason: this.#dice.pick(['', 'busy']),
        countAttempt,
      }
      return { type: 'queue_nack', ...name, items: settling.map((item) => ({ ...item, ...given })) } as const
    }
    const checkpoint = this.#dice.chance(0.5) ? `"${this.#operations}"` : null
    return { type: 'queue_extend', ...name, items: settling.map((item) => ({ ...item, visibilityMs, checkpoint })) } as const
  }

  /** A token of the resource that goes with the queues of this tag: the newest, or one from a while ago. */
  #fence(queue: string): { readonly resource: string; readonly token: number } {
    const { fenceTokens } = this.#context
    const token = this.#dice.chance(0.7) ? ++fenceTokens.last : Math.max(1, fenceTokens.last - this.#dice.below(6))
    return { resource: `fence ${queue.slice(0, queue.indexOf('}') + 1)}`, token }
  }

  #fenced({ resource, token }: { readonly resource: string; readonly token: number }, floor: number, answer: QueueAnswer): void {
    const { ledger } = this.#context
    if (answer.type === 'reply') ledger.fenced(resource, token, floor, null)
    else if (answer.type === 'refused' && answer.code === 'FENCED') ledger.fenced(resource, token, floor, Number(answer.details['highest']))
  }

  /** What was done here goes on there, once, if the lock is still ours. */
  #transact(done: () => void): void {
    const { ledger } = this.#context
    const queue = this.#held.find((held) => held.queue.endsWith('jobs'))?.queue ?? ''
    const mail = queue.replace('jobs', 'mail')
    if (queue === '' || !this.#context.queues.includes(mail)) return done()
    const taken = this.#held.filter((held) => held.queue === queue).slice(0, this.#dice.integer(1, 3))
    this.#held = this.#held.filter((held) => !taken.includes(held))
    // Now and then there is one in it that is over: then all of it has to come to nothing.
    const old = this.#dice.chance(0.15) ? this.#stale.filter((one) => one.queue === queue).slice(0, 1) : []
    const items = this.#dice.shuffle([...taken, ...old])
    const keys = Array.from({ length: this.#dice.integer(1, 3) }, (_, i) => `${this.#id} mail ${this.#operations} ${i}`)
    const fence = this.#fence(queue)
    const floor = ledger.floorOf(fence.resource)
    const messages = keys.map((key) => ({ body: ledger.bodyOf(key), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }))
    const isFencedFirst = this.#dice.chance(0.5)
    const settling = items.map(({ id, token }) => ({ id, token }))
    const ack = { type: 'queue_ack', namespace: NAMESPACE, queue, items: settling, fence: isFencedFirst ? null : fence } as const
    const enqueue = { type: 'queue_enqueue', namespace: NAMESPACE, queue: mail, messages } as const
    const work = this.#dice.shuffle<TransactionOp>([ack, enqueue])
    const first: readonly TransactionOp[] = isFencedFirst ? [{ type: 'require_fence', fence }] : []
    const command = { type: 'tx', ops: [...first, ...work] } as const
    const sent = items.map((item) => ({ ...item, wasStale: ledger.isStale(queue, item) }))
    const sentAt = ledger.now
    this.#run(command, 0, this.#key(), (answer) => {
      const isDone = answer.type === 'reply'
      const known = answer.type === 'unknown' ? 'unknown' : 'refused'
      ledger.settled('ack', queue, sent, sentAt, isDone ? sent.map(() => '') : known)
      const mailed = keys.map((key) => ({ key, lane: 'priority 0', delayMs: 0, isRepeatable: false }))
      ledger.enqueued(mail, mailed, sentAt, isDone ? 'ok' : known, isDone ? mailedIn(answer.reply) : [])
      this.#fenced(fence, floor, answer)
      this.#forget(taken)
      done()
    })
  }

  #upkeep(done: () => void): void {
    const { ledger, queues } = this.#context
    const queue = this.#dice.pick(queues)
    if (queue !== SCRAP) {
      const redriven = ledger.redriven(queue)
      const command = { type: 'queue_redrive', namespace: NAMESPACE, queue, max: 10, reason: this.#dice.pick(['', 'expired']) } as const
      return this.#run(command, 0, this.#key(), (answer) => {
        redriven(answer)
        done()
      })
    }
    this.#run({ type: 'queue_purge', namespace: NAMESPACE, queue }, 0, this.#key(), (answer) => {
      if (answer.type === 'unknown') ledger.purged(queue, null)
      if (answer.type === 'reply' && answer.reply.type === 'purged') ledger.purged(queue, answer.reply.purged)
      done()
    })
  }
}

function mailedIn(reply: Answered) {
  return reply.type === 'transacted' ? reply.results.flatMap((result) => ('enqueued' in result ? result.enqueued : [])) : []
}
