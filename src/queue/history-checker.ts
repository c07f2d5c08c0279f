/**
 * What the clients of queues did and were told, and whether it can have been. For real runs: the simulator and the process
 * tests write down what they saw and ask `report` at the end, when all that is left was drained or looked at.
 *
 *   lost          an enqueue that was answered ok, and neither acknowledged nor left at the end
 *   doubled       one enqueue that became two messages          phantom    a delivery that nobody enqueued, or that was refused
 *   undead        a delivery with a token above that of an acknowledged ack: leased after it was gone
 *   disorder      an enqueue that came into its lane before one that was answered before it was asked
 *   overtaken     a first delivery in a lane before that of an earlier message
 *   token         one token twice, or one that is not above those seen before it was asked for
 *   two leases    of one message, or in one group, that were both live for sure
 *   false loss    of a lease that was live for sure when its holder was told, or that was settled
 *   unfounded     a message that was delivered once more though no delivery before it failed or was given back: see below
 *
 * The bound on duplicates: deliveries of a message - (leases that ran out + nacks) <= 1. A delivery tells by its `attempt` how
 * many before it failed, so the bound can be counted without any clock: those that were seen, less the nacks that do not count,
 * are at most `attempt`. A redrive counts anew.
 *
 * A queue that was deleted and made again is another queue, with tokens and an order of its own: ids tell which.
 *
 * Times are of one clock of the test, in ms, and taken on the safe side: a lease is live for sure from its answer until it is
 * settled or until its time since the *question* is over. What had no answer may or may not have happened.
 */
import type { Millis } from '../base/ids.ts'
import { parseMessageId } from './ids.ts'

export type Known = 'ok' | 'refused' | 'unknown'

export interface EnqueueRecord {
  /** The test's own name of the message, which is in its data too: what had no answer has no id. */
  readonly key: string
  readonly queue: string
  /** What is in order with what: the group, or the priority where there is none. null: nothing to check (delayed, say). */
  readonly lane: string | null
  readonly sentAt: Millis
  readonly answeredAt: Millis
  readonly outcome: Known
  /** '' without an answer. */
  readonly id: string
}

export interface DeliveryRecord {
  readonly key: string
  readonly queue: string
  readonly id: string
  readonly token: number
  readonly attempt: number
  readonly group: string
  readonly visibilityMs: Millis
  readonly askedAt: Millis
  readonly receivedAt: Millis
}

export interface SettlingRecord {
  readonly type: 'ack' | 'nack' | 'extend'
  readonly queue: string
  readonly id: string
  readonly token: number
  readonly sentAt: Millis
  /** `refused`: for certain nothing happened. */
  readonly outcome: Known
  /** Of an extension. */
  readonly visibilityMs?: Millis
  /** Of a nack: not so as if it had not been delivered. */
  readonly counts?: boolean
}

/** Dead messages of the queue may have come back, their deliveries counted anew. */
export interface RedriveRecord {
  readonly queue: string
  readonly sentAt: Millis
}

/** Who had a lease was told that it ended unsettled. */
export interface LossRecord {
  readonly queue: string
  readonly id: string
  readonly token: number
  readonly toldAt: Millis
}

export interface QueueHistoryReport {
  /** One line each; empty for a history that can have been. */
  readonly violations: readonly string[]
  readonly enqueued: number
  readonly enqueuedUnknown: number
  readonly deliveries: number
  /** Deliveries of a message that had been delivered before. */
  readonly redeliveries: number
  readonly acknowledged: number
  readonly acknowledgedUnknown: number
}

/** What is left at the end of the run: shown by browsing, in whatever state. */
export type Left = readonly { readonly queue: string; readonly id: string }[]

const VIOLATIONS_MAX = 100

export class QueueHistory {
  readonly enqueues: EnqueueRecord[] = []
  readonly deliveries: DeliveryRecord[] = []
  readonly settlings: SettlingRecord[] = []
  readonly redrives: RedriveRecord[] = []
  readonly losses: LossRecord[] = []
  readonly #leaseSlackMs: Millis

  /** `leaseSlackMs`: how much of a lease is not counted on, for the clocks of the cluster and the test run at their own rates. */
  constructor({ leaseSlackMs = 5 }: { readonly leaseSlackMs?: Millis } = {}) {
    this.#leaseSlackMs = leaseSlackMs
  }

  report(left: Left): QueueHistoryReport {
    const found: string[] = []
    const bySend = [...this.enqueues].sort((a, b) => a.sentAt - b.sentAt)
    const byToken = [...this.deliveries].sort((a, b) => a.token - b.token)
    found.push(...lost(this, left), ...doubled(this), ...phantoms(this), ...undead(this))
    for (const lane of groupBy(bySend, (one) => (one.lane === null || one.id === '' ? null : `${queueOf(one)}/${one.lane}`)))
      found.push(...disorder(lane))
    found.push(...overtaken(this, byToken))
    for (const deliveries of groupBy(byToken, queueOf)) found.push(...tokens(deliveries))
    const live = liveLeases(this, this.#leaseSlackMs)
    found.push(...unfounded(this, byToken), ...twoLeases(live), ...falseLosses(this, live))
    const count = (type: SettlingRecord['type'], outcome: Known) =>
      this.settlings.filter((settling) => settling.type === type && settling.outcome === outcome).length
    return {
      violations: found.slice(0, VIOLATIONS_MAX),
      enqueued: this.enqueues.filter(({ outcome }) => outcome === 'ok').length,
      enqueuedUnknown: this.enqueues.filter(({ outcome }) => outcome === 'unknown').length,
      deliveries: this.deliveries.length,
      redeliveries: this.deliveries.length - new Set(this.deliveries.map(message)).size,
      acknowledged: count('ack', 'ok'),
      acknowledgedUnknown: count('ack', 'unknown'),
    }
  }
}

function message({ queue, id }: { readonly queue: string; readonly id: string }): string {
  return `${queue} ${id}`
}

/** Of a queue's name there may be several, one after the other. */
function queueOf({ queue, id }: { readonly queue: string; readonly id: string }): string {
  return `${queue} ${parseMessageId(id)?.queue ?? 0}`
}

function lost({ enqueues, settlings }: QueueHistory, left: Left): string[] {
  const accounted = new Set(left.map(message))
  for (const settling of settlings) if (settling.type === 'ack' && settling.outcome !== 'refused') accounted.add(message(settling))
  return enqueues
    .filter((enqueue) => enqueue.outcome === 'ok' && !accounted.has(message(enqueue)))
    .map((enqueue) => `lost: ${message(enqueue)} (${enqueue.key}) was answered at ${enqueue.answeredAt}`)
}

function doubled({ enqueues, deliveries }: QueueHistory): string[] {
  const ids = new Map<string, string>()
  const found: string[] = []
  for (const each of [...enqueues.filter(({ outcome }) => outcome === 'ok'), ...deliveries]) {
    const known = ids.get(each.key)
    if (known === undefined) ids.set(each.key, message(each))
    else if (known !== message(each)) found.push(`doubled: ${each.key} is ${known} and ${message(each)}`)
  }
  return found
}

function phantoms({ enqueues, deliveries }: QueueHistory): string[] {
  const asked = new Map(enqueues.map(({ key, outcome }) => [key, outcome]))
  return deliveries
    .filter(({ key }) => !asked.has(key) || asked.get(key) === 'refused')
    .map((delivery) => `phantom: ${message(delivery)} (${delivery.key}) was ${asked.has(delivery.key) ? 'refused' : 'never enqueued'}`)
}

function undead({ deliveries, settlings }: QueueHistory): string[] {
  const acks = new Map<string, number>()
  const found: string[] = []
  for (const ack of settlings) {
    if (ack.type !== 'ack' || ack.outcome !== 'ok') continue
    const known = acks.get(message(ack))
    if (known !== undefined && known !== ack.token) found.push(`undead: ${message(ack)} was acknowledged with ${known} and ${ack.token}`)
    acks.set(message(ack), Math.min(known ?? Infinity, ack.token))
  }
  for (const delivery of deliveries) {
    const token = acks.get(message(delivery)) ?? Infinity
    if (delivery.token > token) found.push(`undead: ${message(delivery)} acknowledged with ${token} was delivered with ${delivery.token}`)
  }
  return found
}

/** Of one lane, in the order of sending: none is before one that was answered before it was sent. */
function disorder(lane: readonly EnqueueRecord[]): string[] {
  const found: string[] = []
  const acknowledged = lane.filter(({ outcome }) => outcome === 'ok')
  const byAnswer = [...acknowledged].sort((a, b) => a.answeredAt - b.answeredAt)
  let highest = 0
  let answered = 0
  for (const enqueue of acknowledged) {
    for (; (byAnswer[answered]?.answeredAt ?? Infinity) < enqueue.sentAt; answered++)
      highest = Math.max(highest, seqOf(byAnswer[answered]!.id))
    if (seqOf(enqueue.id) <= highest) found.push(`disorder: ${message(enqueue)} was enqueued after ${highest.toString(36)} was answered`)
  }
  return found
}

/** In the order of tokens, the first deliveries of a lane are in the order of its messages. */
function overtaken(history: QueueHistory, byToken: readonly DeliveryRecord[]): string[] {
  const { enqueues, redrives } = history
  const givenBack = uncounted(history)
  const lanes = new Map(enqueues.map(({ key, lane }) => [key, lane]))
  // After a redrive the first attempt need not be the first delivery.
  const redrivenAt = new Map<string, Millis>()
  for (const { queue, sentAt } of redrives) redrivenAt.set(queue, Math.min(sentAt, redrivenAt.get(queue) ?? Infinity))
  const highest = new Map<string, number>()
  const delivered = new Set<string>()
  const found: string[] = []
  for (const delivery of byToken) {
    const isCounted = delivery.attempt === 1 && delivery.receivedAt < (redrivenAt.get(delivery.queue) ?? Infinity)
    // Nor where one that nobody saw was given back.
    const isBack = [...(givenBack.get(message(delivery)) ?? [])].some((token) => token < delivery.token)
    const isFirst = isCounted && !isBack && !delivered.has(message(delivery))
    delivered.add(message(delivery))
    const name = lanes.get(delivery.key) ?? null
    if (name === null || !isFirst) continue
    const lane = `${queueOf(delivery)}/${name}`
    const before = highest.get(lane) ?? 0
    const seq = seqOf(delivery.id)
    if (seq < before) found.push(`overtaken: ${message(delivery)} in ${lane} came after ${before.toString(36)} (token ${delivery.token})`)
    highest.set(lane, Math.max(before, seq))
  }
  return found
}

/** Of one queue, in the order of tokens. */
function tokens(byToken: readonly DeliveryRecord[]): string[] {
  const found: string[] = []
  for (const [at, delivery] of byToken.entries()) {
    const next = byToken[at + 1]
    if (next?.token === delivery.token)
      found.push(`token: ${delivery.token} of ${delivery.queue} was given to ${delivery.id} and to ${next.id}`)
  }
  const byQuestion = [...byToken].sort((a, b) => a.askedAt - b.askedAt)
  const byAnswer = [...byToken].sort((a, b) => a.receivedAt - b.receivedAt)
  let highest = 0
  let received = 0
  for (const { queue, id, token, askedAt } of byQuestion) {
    for (; (byAnswer[received]?.receivedAt ?? Infinity) < askedAt; received++) highest = Math.max(highest, byAnswer[received]!.token)
    if (token <= highest) found.push(`token: ${token} of ${queue} ${id} was asked for after ${highest} was seen`)
  }
  return found
}

function unfounded(history: QueueHistory, byToken: readonly DeliveryRecord[]): string[] {
  const givenBack = uncounted(history)
  return groupBy(byToken, message).flatMap((ofOne) => {
    const redriven = history.redrives.filter(({ queue }) => ofOne.length > 1 && queue === ofOne[0]!.queue).map(({ sentAt }) => sentAt)
    return unfoundedOf(ofOne, givenBack.get(message(ofOne[0]!)) ?? new Set(), redriven)
  })
}

/** Of each message, the tokens of the deliveries that may have been given back as if they had not been. */
function uncounted({ settlings }: QueueHistory): Map<string, Set<number>> {
  const nacks = settlings.filter(({ type, counts, outcome }) => type === 'nack' && counts === false && outcome !== 'refused')
  return new Map(groupBy(nacks, message).map((ofOne) => [message(ofOne[0]!), new Set(ofOne.map(({ token }) => token))]))
}

/** Of one message, in the order of tokens; `redriven`: when that was asked for. */
function unfoundedOf(byToken: readonly DeliveryRecord[], givenBack: ReadonlySet<number>, redriven: readonly Millis[]): string[] {
  const found: string[] = []
  let [failed, revivals] = [0, 0]
  for (const delivery of byToken) {
    const { token, attempt, receivedAt } = delivery
    if (failed >= attempt) {
      if (redriven.filter((sentAt) => sentAt < receivedAt).length <= revivals)
        found.push(`unfounded: ${message(delivery)} (token ${token}) is attempt ${attempt}, and ${failed} were seen before that count`)
      failed = 0
      revivals++
    }
    if (!givenBack.has(token)) failed++
  }
  return found
}

interface Live {
  readonly delivery: DeliveryRecord
  readonly from: Millis
  readonly until: Millis
}

function liveLeases({ deliveries, settlings }: QueueHistory, slackMs: Millis): Live[] {
  const settled = new Map<string, SettlingRecord[]>()
  for (const settling of settlings) {
    const key = `${message(settling)} ${settling.token}`
    settled.set(key, [...(settled.get(key) ?? []), settling])
  }
  return deliveries.map((delivery) => ({
    delivery,
    from: delivery.receivedAt,
    until: liveUntil(delivery, settled.get(`${message(delivery)} ${delivery.token}`) ?? [], slackMs),
  }))
}

function twoLeases(live: readonly Live[]): string[] {
  const inGroups = groupBy(live, ({ delivery }) => (delivery.group === '' ? null : `${queueOf(delivery)} ${delivery.group}`))
  const ofOne = groupBy(live, ({ delivery }) => (delivery.group === '' ? message(delivery) : null))
  return [...inGroups, ...ofOne].flatMap(overlaps)
}

function falseLosses({ losses, settlings }: QueueHistory, live: readonly Live[]): string[] {
  const lease = ({ queue, id, token }: LossRecord | SettlingRecord | DeliveryRecord): string => `${queue} ${id} ${token}`
  const until = new Map(live.map((one) => [lease(one.delivery), one.until]))
  const over = new Set(settlings.filter(({ type, outcome }) => type !== 'extend' && outcome === 'ok').map(lease))
  return losses.flatMap((loss) => {
    const lived = until.get(lease(loss)) ?? 0
    if (over.has(lease(loss))) return [`false loss: ${lease(loss)} was settled`]
    return loss.toldAt < lived ? [`false loss: ${lease(loss)} lived until ${lived}, and was lost at ${loss.toldAt}`] : []
  })
}

/** A settling that was sent, and not refused, may have ended the lease at once. */
function liveUntil({ askedAt, visibilityMs }: DeliveryRecord, settlings: readonly SettlingRecord[], slackMs: Millis): Millis {
  let deadline = askedAt + visibilityMs - slackMs
  for (const { type, outcome, sentAt, visibilityMs: extendedMs = 0 } of [...settlings].sort((a, b) => a.sentAt - b.sentAt)) {
    if (outcome === 'refused') continue
    if (type !== 'extend') return Math.min(deadline, sentAt)
    // An extension sets the deadline anew, to an earlier time perhaps; without an answer it may have, or not.
    const extended = sentAt + extendedMs - slackMs
    deadline = outcome === 'ok' ? extended : Math.min(deadline, extended)
  }
  return deadline
}

function overlaps(leases: readonly Live[]): string[] {
  const found: string[] = []
  let last: Live | null = null
  for (const lease of [...leases].sort((a, b) => a.from - b.from)) {
    if (lease.until <= lease.from) continue
    if (last !== null && lease.from < last.until) {
      const [one, other] = [last.delivery, lease.delivery]
      found.push(`two leases: ${message(one)} (token ${one.token}) and ${message(other)} (token ${other.token}) at ${lease.from}`)
    }
    if (last === null || lease.until > last.until) last = lease
  }
  return found
}

function seqOf(id: string): number {
  return parseMessageId(id)?.seq ?? 0
}

/** The lists of what shares a key, each in its order; null: in none. */
function groupBy<T>(items: readonly T[], keyOf: (item: T) => string | null): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === null) continue
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return [...groups.values()]
}
