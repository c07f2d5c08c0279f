/**
 * Producers and consumers over all nodes, as fast as they are let, and what they saw. What a producer does not know it repeats
 * under the same Idempotency-Key, on another node, until somebody answers for sure; a consumer just asks again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { QueueHistory, type QueueHistoryReport } from '../../src/queue/history-checker.ts'
import { surely } from './load.ts'
import { call } from './processes.ts'

const GROUPS: readonly string[] = ['', 'a', 'b', 'c']
const VISIBILITY_MS = 4_000
/** Longer than a busy machine takes for what is left: then it is lost. */
const DRAIN_MS = 240_000

export interface QueueLoadOptions {
  readonly queues: readonly string[]
  readonly producers: number
  readonly consumers: number
}

export interface QueueLoad {
  readonly history: QueueHistory
  /** Ms of every enqueue so far, by queue. */
  readonly enqueueMs: ReadonlyMap<string, readonly number[]>
  /** Resolves once a message that is sent from now on has gone all the way. */
  nextRoundTrip(): Promise<void>
  /** No more producing; resolves with what the history comes to once everything that was enqueued is acknowledged. */
  drain(): Promise<QueueHistoryReport>
}

interface Message {
  readonly id: string
  readonly token: number
  readonly attempt: number
  readonly group: string | null
  readonly data: string
}

type Targets = readonly { readonly url: string }[]

/** `nodes` may grow and shrink while the load runs. */
export async function startQueueLoad(nodes: Targets, label: string, options: QueueLoadOptions): Promise<QueueLoad> {
  const { queues, producers, consumers } = options
  const history = new QueueHistory()
  const enqueueMs = new Map(queues.map((queue) => [queue, [] as number[]]))
  const missing = new Set<string>()
  let producing = true
  let waiters: { since: number; resolve: () => void }[] = []
  const sentAt = new Map<string, number>()
  const config = { visibilityMs: VISIBILITY_MS, maxDeliveries: 1_000, backoff: { baseMs: 10, factor: 2, maxMs: 1_000, jitter: 0.2 } }
  for (const queue of queues) await surely(nodes, 0, `/v1/queues/${queue}`, config, `${label}-put-${queue}`, 'PUT')

  const produce = async (which: number): Promise<void> => {
    for (let round = 0; producing; round++) {
      const queue = queues[(which + round) % queues.length] ?? ''
      const group = GROUPS[Math.floor(round / queues.length) % GROUPS.length] ?? ''
      const name = `${label}-${which}-${round}`
      const began = performance.now()
      sentAt.set(name, began)
      missing.add(name)
      const body = { data: name, ...(group !== '' && { group }) }
      const answer = await surely(nodes, which, `/v1/queues/${queue}/enqueue`, body, name)
      expect(answer.status, JSON.stringify(answer.body)).toBe(201)
      const answeredAt = performance.now()
      enqueueMs.get(queue)?.push(answeredAt - began)
      history.enqueues.push({ key: name, queue, lane: group, sentAt: began, answeredAt, outcome: 'ok', id: String(answer.body['id']) })
    }
  }
  const consume = async (which: number): Promise<void> => {
    for (let round = 0; producing || missing.size > 0; round++) {
      const queue = queues[(which + round) % queues.length] ?? ''
      const askedAt = performance.now()
      const messages = await lease(nodes, which + round, queue)
      const receivedAt = performance.now()
      for (const { id, token, attempt, group, data } of messages) {
        history.deliveries.push({
          id,
          token,
          attempt,
          group: group ?? '',
          key: data,
          queue,
          visibilityMs: VISIBILITY_MS,
          askedAt,
          receivedAt,
        })
      }
      await Promise.all(messages.map((message) => acknowledge(queue, which, message)))
    }
  }
  const acknowledge = async (queue: string, which: number, { id, token, data }: Message): Promise<void> => {
    const askedAt = performance.now()
    const answer = await surely(nodes, which, `/v1/queues/${queue}/ack`, { items: [{ id, token }] }, `${label}-ack-${id}-${queue}-${token}`)
    const outcome = answer.status === 200 ? 'ok' : 'refused'
    history.settlings.push({ type: 'ack', queue, id, token, sentAt: askedAt, outcome })
    if (outcome === 'refused') return
    missing.delete(data)
    const sent = sentAt.get(data) ?? 0
    waiters = waiters.filter(({ since, resolve }) => sent < since || void resolve())
  }
  const producerLoops = Promise.all(Array.from({ length: producers }, (_, which) => produce(which)))
  const consumerLoops = Promise.all(Array.from({ length: consumers }, (_, which) => consume(which)))
  return {
    history,
    enqueueMs,
    nextRoundTrip: () => new Promise((resolve) => waiters.push({ since: performance.now(), resolve })),
    async drain() {
      producing = false
      await producerLoops
      await Promise.race([consumerLoops, sleep(DRAIN_MS, null, { ref: false })])
      return history.report([])
    },
  }
}

/** None where no answer came: what was leased for it comes back when its time is over. */
async function lease(nodes: Targets, from: number, queue: string): Promise<readonly Message[]> {
  const node = nodes[from % nodes.length]
  try {
    const { status, body } = await call(node?.url ?? '', 'POST', `/v1/queues/${queue}/dequeue`, { max: 4, waitMs: 200 })
    return status === 200 ? (body['messages'] as readonly Message[]) : []
  } catch {
    await sleep(5)
    return []
  }
}
