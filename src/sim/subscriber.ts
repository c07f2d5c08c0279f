/**
 * A client that has messages pushed: it gives credit, reads or does not, loses its connection, works on what it got until it is told
 * that the lease is lost, and settles it by way of any node.
 */
import type { Members } from '../api/socket/call.ts'
import type { ItemOutcome } from '../queue/types.ts'
import { Connection } from './connection.ts'
import type { Dice } from './dice.ts'
import { NAMESPACE, PASSING, type QueueAnswer, type QueueContext } from './queue-workload.ts'
import type { Client } from './workload.ts'
import { SimFailure } from './world.ts'

const HELD_MAX = 12

interface Held {
  readonly queue: string
  readonly id: string
  readonly token: number
}

interface Credit {
  readonly queue: string
  granted: number
  received: number
}

export class Subscriber implements Client {
  readonly #id: string
  readonly #dice: Dice
  readonly #context: QueueContext
  #connection: Connection | null = null
  #credits = new Map<string, Credit>()
  #held: Held[] = []
  #operations = 0

  constructor(id: string, dice: Dice, context: QueueContext) {
    this.#id = id
    this.#dice = dice
    this.#context = context
  }

  act(done: () => void): void {
    const { queues } = this.#context
    this.#operations++
    const connection = this.#connection
    const turn = this.#dice.next()
    if (this.#held.length > HELD_MAX || (this.#held.length > 0 && turn < 0.5)) return this.#settle(done)
    if (queues.length > 0 && !connection?.isOpen) this.#connect()
    else if (connection && turn < 0.55) this.end()
    else if (connection && turn < 0.65) this.#read(connection, !connection.writable)
    else if (connection && turn < 0.72) this.#unsubscribe(connection)
    else if (connection && this.#credits.size === 0) this.#subscribe(connection)
    else if (connection) this.#giveCredit(connection)
    done()
  }

  /** Hangs up. */
  end(): void {
    this.#connection?.end()
    this.#connection = null
    this.#credits.clear()
  }

  #connect(): void {
    const { up, world } = this.#context.cluster
    this.end()
    if (up.length === 0) return
    const node = this.#dice.pick(up)
    const { running } = node
    if (!running) return
    const connection: Connection = new Connection(world, this.#context.ledger, node, running, (event) => this.#onEvent(connection, event))
    this.#connection = connection
    this.#subscribe(connection)
  }

  #subscribe(connection: Connection): void {
    const queue = this.#dice.pick(this.#context.queues)
    const credit = this.#dice.pick([1, 2, 6])
    const visibilityMs = this.#dice.pick(queue === PASSING ? [300, 2_000] : [null, 300, 2_000])
    connection.run(() => {
      const subscription = connection.subscriptions.add({ namespace: NAMESPACE, queue, credit, visibilityMs, consumer: this.#id })
      this.#credits.set(subscription.terms.sub, { queue, granted: credit, received: 0 })
      subscription.ask()
    })
  }

  #unsubscribe(connection: Connection): void {
    const [sub] = this.#credits.keys()
    if (sub === undefined) return
    connection.run(() => {
      if (this.#credits.delete(sub) && !connection.ends(sub)) connection.subscriptions.remove(sub)
    })
  }

  #giveCredit(connection: Connection): void {
    const [sub] = this.#dice.shuffle([...this.#credits.keys()])
    if (sub === undefined) return
    const credit = this.#dice.integer(1, 3)
    connection.run(() => {
      const known = this.#credits.get(sub)
      if (!known || connection.ends(sub)) return
      known.granted += credit
      connection.subscriptions.get(sub).addCredit(credit)
    })
  }

  #read(connection: Connection, reads: boolean): void {
    connection.run(() => {
      connection.writable = reads
      connection.subscriptions.writableChanged()
    })
  }

  #onEvent(connection: Connection, event: Members): void {
    const {
      event: kind,
      sub,
      id,
      token,
    } = event as { readonly event: string; readonly sub: string; readonly id: string; readonly token: number }
    const { ledger } = this.#context
    if (kind === 'queue.leaseLost') return this.#lose(connection, String(event['queue']), id, token)
    if (kind === 'queue.ended') {
      const { code } = event['error'] as { readonly code: string }
      if (code !== 'NO_SUCH_QUEUE') throw new SimFailure(`subscription: ${sub} of ${this.#id} was ended: ${code}`)
      return void this.#credits.delete(sub)
    }
    const asked = connection.asked(id, token)
    if (!asked) throw new SimFailure(`subscription: ${id} (token ${token}) was pushed, and never asked for`)
    const credit = this.#credits.get(sub)
    if (credit && ++credit.received > credit.granted)
      throw new SimFailure(`subscription: ${credit.received} messages of ${credit.queue} for a credit of ${credit.granted}`)
    ledger.delivered(asked.queue, [asked.message], asked.askedAt)
    this.#held.push({ queue: asked.queue, id, token })
  }

  #lose(connection: Connection, queue: string, id: string, token: number): void {
    this.#context.ledger.lost(queue, id, token, () => connection.asked(id, token) !== undefined)
    // Now and then it does not care, and is refused.
    if (this.#dice.chance(0.7)) this.#held = this.#held.filter((held) => held.id !== id || held.token !== token)
  }

  #settle(done: () => void): void {
    const { ledger, attempts, options } = this.#context
    const { queue } = this.#held[0] as Held
    const items = this.#held.filter((held) => held.queue === queue)
    this.#held = this.#held.filter((held) => held.queue !== queue)
    // Some it never gets round to.
    if (this.#dice.chance(0.15)) return done()
    const isAck = this.#dice.chance(0.75)
    const sent = items.map((item) => ({ ...item, counts: true, wasStale: ledger.isStale(queue, item) }))
    const settling = items.map(({ id, token }) => ({ id, token }))
    const name = { namespace: NAMESPACE, queue }
    const nack = { delayMs: this.#dice.pick([null, 0, 200]), reason: '', countAttempt: true }
    const command = isAck
      ? ({ type: 'queue_ack', ...name, items: settling, fence: null } as const)
      : ({ type: 'queue_nack', ...name, items: settling.map((item) => ({ ...item, ...nack })) } as const)
    const sentAt = ledger.now
    const key = this.#dice.chance(options.retryShare) ? `${this.#id} ${this.#operations}` : ''
    attempts.run(command, { timeoutMs: options.timeoutMs, key, cancelAfterMs: Infinity }, (answer) => {
      ledger.settled(isAck ? 'ack' : 'nack', queue, sent, sentAt, outcomesOf(answer))
      done()
    })
  }
}

/** Of a command that settles. */
export function outcomesOf(answer: QueueAnswer): readonly ItemOutcome[] | 'refused' | 'unknown' {
  if (answer.type === 'reply' && answer.reply.type === 'settled') return answer.reply.outcomes
  return answer.type === 'unknown' ? 'unknown' : 'refused'
}
