/**
 * What clients of a queue saw, and whether it can be the truth (reference/queue.md 2.9). Each message carries a label of its own;
 * a producer sends its next message of a group only once the last one is acknowledged, so its labels have an order.
 *
 *   I1  nothing that was answered 201 is missing after the drain, and nothing is there twice
 *   I2  nothing is delivered after its acknowledged ack: tokens tell, whatever the clocks of the clients do
 *   I3  in a group: what came first is settled before the next is delivered
 *   I5  a token is that of one delivery, and deliveries of a message have rising ones
 */

export interface Enqueued {
  readonly label: string
  /** Who sent it, to which group ('' : none), and the how manieth of this producer in this group it is. */
  readonly producer: string
  readonly group: string
  readonly order: number
  /** What the answer said; null: nobody knows whether it was enqueued. */
  readonly id: string | null
}

export interface Delivered {
  readonly label: string
  readonly id: string
  readonly token: number
  readonly attempt: number
  readonly receivedAt: number
}

/** An ack that was answered with ok. */
export interface Acknowledged {
  readonly id: string
  readonly token: number
  readonly askedAt: number
}

export interface QueueVerdict {
  readonly violations: readonly string[]
  readonly enqueued: number
  readonly deliveries: number
  /** Deliveries beyond the first of each message. */
  readonly redelivered: number
}

interface Known {
  readonly enqueued: Enqueued
  readonly deliveries: Delivered[]
  acknowledged: Acknowledged | null
}

export class QueueHistory {
  readonly #messages = new Map<string, Known>()
  readonly #labels = new Map<string, string>()
  readonly #deliveries: Delivered[] = []
  readonly #acks: Acknowledged[] = []

  enqueued(message: Enqueued): void {
    this.#messages.set(message.label, { enqueued: message, deliveries: [], acknowledged: null })
  }

  delivered(delivery: Delivered): void {
    this.#deliveries.push(delivery)
  }

  acknowledged(ack: Acknowledged): void {
    this.#acks.push(ack)
  }

  get acknowledgedCount(): number {
    return new Set(this.#acks.map(({ id }) => id)).size
  }

  /** `drained`: the queue was emptied at the end, so whatever is not acknowledged is lost. */
  check({ drained }: { readonly drained: boolean }): QueueVerdict {
    const violations: string[] = []
    this.#assign(violations)
    this.#checkTokens(violations)
    for (const known of this.#messages.values()) this.#checkMessage(known, drained, violations)
    this.#checkGroups(violations)
    const [enqueued, deliveries] = [this.#messages.size, this.#deliveries.length]
    const delivered = [...this.#messages.values()].filter((known) => known.deliveries.length > 0).length
    return { violations, enqueued, deliveries, redelivered: deliveries - delivered }
  }

  #assign(violations: string[]): void {
    for (const known of this.#messages.values()) {
      known.deliveries.length = 0
      known.acknowledged = null
    }
    for (const delivery of this.#deliveries) {
      const known = this.#messages.get(delivery.label)
      if (!known) violations.push(`${delivery.label} was never sent, and was delivered`)
      known?.deliveries.push(delivery)
      this.#labels.set(delivery.id, delivery.label)
    }
    for (const ack of this.#acks) {
      const known = this.#messages.get(this.#labels.get(ack.id) ?? '')
      if (!known) violations.push(`${ack.id} was acknowledged, and never delivered`)
      else if (known.acknowledged && known.acknowledged.token !== ack.token) violations.push(`${ack.id} was acknowledged with two tokens`)
      else known.acknowledged = ack
    }
  }

  #checkTokens(violations: string[]): void {
    const owners = new Map<number, string>()
    for (const { token, id } of this.#deliveries) {
      const owner = owners.get(token)
      if (owner !== undefined && owner !== id) violations.push(`token ${token} is of ${owner} and of ${id}`)
      owners.set(token, id)
    }
  }

  #checkMessage({ enqueued, deliveries, acknowledged }: Known, drained: boolean, violations: string[]): void {
    const { label, id } = enqueued
    if (drained && id !== null && !acknowledged) violations.push(`${label} (${id}) was enqueued, and is lost`)
    const ids = new Set(deliveries.map((delivery) => delivery.id))
    if (id !== null) ids.add(id)
    if (ids.size > 1) violations.push(`${label} is there ${ids.size} times: ${[...ids].join(', ')}`)
    for (const one of deliveries) {
      if (acknowledged && one.token > acknowledged.token)
        violations.push(`${label} was acknowledged with ${acknowledged.token}, and delivered with ${one.token}`)
      const earlier = deliveries.find(({ token, attempt }) => token < one.token && attempt > one.attempt)
      if (earlier) violations.push(`${label}: attempt ${earlier.attempt} came before attempt ${one.attempt}`)
    }
  }

  #checkGroups(violations: string[]): void {
    const lines = new Map<string, Known[]>()
    for (const known of this.#messages.values()) {
      const { producer, group } = known.enqueued
      const line = `${producer}/${group}`
      lines.set(line, [...(lines.get(line) ?? []), known])
    }
    for (const line of lines.values()) {
      const seen = line.filter(({ deliveries }) => deliveries.length > 0).sort((a, b) => a.enqueued.order - b.enqueued.order)
      for (const [at, known] of seen.entries()) if (at > 0) checkPair(seen[at - 1] as Known, known, violations)
    }
  }
}

function checkPair(before: Known, after: Known, violations: string[]): void {
  const say = (what: string): void => void violations.push(`${before.enqueued.label} and ${after.enqueued.label}: ${what}`)
  const grouped = before.enqueued.group !== ''
  // Without a group deliveries overlap; only the first ones are in order, and only where they were seen.
  const tokens = (known: Known): number[] => known.deliveries.filter(({ attempt }) => grouped || attempt === 1).map(({ token }) => token)
  if (Math.max(...tokens(before)) >= Math.min(...tokens(after))) say('delivered out of order')
  const { acknowledged } = before
  const early = after.deliveries.find(({ receivedAt }) => acknowledged && receivedAt < acknowledged.askedAt)
  if (grouped && early) say('leased at the same time')
}
