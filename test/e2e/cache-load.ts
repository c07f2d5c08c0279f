/**
 * Clients that write, count and invalidate through all nodes, and readers that read on each of them all the time, hits of copies
 * included. What is not known is repeated under its Idempotency-Key on another node, until somebody answers for sure.
 *
 * Each key has one writer, whose values rise. So the smallest that a read may give is known when it is sent: whatever was
 * acknowledged, or read by anybody, before that.
 */
import { expect } from 'vitest'

const PAUSE_MS = 5
/** Longer than a node is ever stopped: what it answers when it wakes is looked at, too. */
const READ_MS = 20_000
/** Then it is sent again, to another node. */
const WRITE_MS = 1_500
/** After the invalidation of what a value carries it may not be read, a later one may. */
const DEAD = 0.5

interface Node {
  readonly id: string
  readonly url: string
}

export interface CacheLoad {
  readonly reads: number
  readonly hits: number
  readonly writes: number
  readonly increments: number
  /** A line for each read of what was over when it was sent. */
  readonly stale: readonly string[]
  /** Resolves once a write of the key that begins from now on is acknowledged. */
  nextWrite(key: string): Promise<void>
  /** Resolves once a read through the node that begins from now on is answered. */
  nextRead(node: string): Promise<void>
  /** Ends it, and says what each key holds if no acknowledged write was lost. */
  stop(): Promise<ReadonlyMap<string, number>>
  /** Ends it whatever is under way, once nobody asks any more: that of a scene that failed. */
  end(): void
}

export async function entryCall(url: string, method: string, path: string, body: unknown, key: string, timeoutMs = WRITE_MS) {
  const init = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  const type = typeof body === 'string' ? 'text/plain' : 'application/json'
  const headers = { 'content-type': type, ...(key !== '' && { 'idempotency-key': key }) }
  const response = await fetch(`${url}${path}`, { method, headers, ...init, signal: AbortSignal.timeout(timeoutMs) })
  return { status: response.status, text: await response.text(), isHit: response.headers.get('tricord-cache') === 'hit' }
}

/** What is there by the word of the node, which may be coming back: it is asked again until it knows. */
export async function readSurely(url: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  for (;;) {
    const answer = await entryCall(url, 'GET', path, undefined, '', READ_MS).catch(() => null)
    if (answer?.status === 200 || answer?.status === 404) return answer
    await pause()
  }
}

export function startCacheLoad(nodes: readonly Node[], cache: string, keys: readonly string[], label: string): CacheLoad {
  return new RunningLoad(nodes, cache, keys, label)
}

class RunningLoad implements CacheLoad {
  readonly #nodes: readonly Node[]
  readonly #path: string
  readonly #cache: string
  readonly #label: string
  readonly #floors = new Map<string, number>()
  readonly #written = new Map<string, number>()
  readonly #clients: Promise<unknown>
  #waiters: { readonly what: string; readonly since: number; readonly resolve: () => void }[] = []
  #running = true
  #ended = false
  reads = 0
  hits = 0
  writes = 0
  increments = 0
  readonly stale: string[] = []

  constructor(nodes: readonly Node[], cache: string, keys: readonly string[], label: string) {
    this.#nodes = nodes
    this.#cache = cache
    this.#path = `/v1/caches/${cache}/entries/`
    this.#label = label
    const readers = nodes.flatMap((node) => [...keys, 'tagged'].map((key, nth) => this.#reader(node, key, nth)))
    const writers = keys.map((key, nth) => this.#writer(key, nth))
    const counters = nodes.map((_, nth) => this.#counter(nth))
    this.#clients = Promise.all([...readers, ...writers, ...counters, this.#tagger()])
  }

  nextWrite(key: string): Promise<void> {
    return this.#next(`write ${key}`)
  }

  nextRead(node: string): Promise<void> {
    return this.#next(`read ${node}`)
  }

  async stop(): Promise<ReadonlyMap<string, number>> {
    this.#running = false
    await this.#clients
    return new Map([...this.#written, ['count', this.increments]])
  }

  end(): void {
    this.#running = false
    this.#ended = true
  }

  #next(what: string): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ what, since: performance.now(), resolve }))
  }

  #done(what: string, sentAt: number): void {
    this.#waiters = this.#waiters.filter((waiter) => waiter.what !== what || sentAt < waiter.since || void waiter.resolve())
  }

  #raise(key: string, value: number): void {
    this.#floors.set(key, Math.max(value, this.#floors.get(key) ?? 0))
  }

  /** Until it is known: from node to node, under one key. */
  async #surely(first: number, method: string, path: string, body: unknown, key: string): Promise<void> {
    for (let attempt = 0; !this.#ended; attempt++) {
      const node = this.#nodes[(first + attempt) % this.#nodes.length]
      try {
        const answer = await entryCall(node?.url ?? '', method, path, body, `${this.#label}-${key}`)
        if (answer.status < 300) return
        // Refused, not lost: anything else would be an answer that no write here can get.
        expect([429, 503, 504, 507], answer.text).toContain(answer.status)
      } catch (error) {
        if (error instanceof Error && error.name === 'AssertionError') throw error
      }
      await pause()
    }
  }

  async #writer(key: string, nth: number): Promise<void> {
    for (let value = 1; this.#running; value++) {
      const sentAt = performance.now()
      await this.#surely(nth + value, 'PUT', `${this.#path}${key}`, String(value), `${key}-${value}`)
      this.#raise(key, value)
      this.#written.set(key, value)
      this.writes++
      this.#done(`write ${key}`, sentAt)
      await pause()
    }
  }

  async #counter(nth: number): Promise<void> {
    for (let round = 0; this.#running; round++) {
      await this.#surely(nth, 'POST', `${this.#path}count/incr`, { by: 1 }, `count-${nth}-${round}`)
      this.increments++
      await pause()
    }
  }

  async #tagger(): Promise<void> {
    for (let value = 1; this.#running; value++) {
      await this.#surely(value, 'PUT', `${this.#path}tagged?tags=${this.#label}`, String(value), `tagged-${value}`)
      this.#raise('tagged', value)
      await pause()
      await this.#surely(value + 1, 'POST', `/v1/caches/${this.#cache}:invalidate`, { tags: [this.#label] }, `drop-${value}`)
      this.#raise('tagged', value + DEAD)
    }
  }

  async #reader(node: Node, key: string, nth: number): Promise<void> {
    while (this.#running) {
      const floor = this.#floors.get(key) ?? 0
      const sentAt = performance.now()
      try {
        const { status, text, isHit } = await entryCall(node.url, 'GET', `${this.#path}${key}`, undefined, '', READ_MS)
        if (status === 200 || status === 404) this.#seen(node, key, floor, status === 200 ? Number(text) : null, isHit)
        if (status === 200 || status === 404) this.#done(`read ${node.id}`, sentAt)
      } catch {
        // The node is gone, or stopped for long.
      }
      await pause(PAUSE_MS + nth)
    }
  }

  #seen(node: Node, key: string, floor: number, value: number | null, isHit: boolean): void {
    this.reads++
    if (isHit) this.hits++
    // Where there is nothing: lost, unless it was invalidated or never written.
    if (value === null ? key !== 'tagged' && floor > 0 : value < floor)
      this.stale.push(`${key} on ${node.id}: ${value} though it had been ${floor} (${isHit ? 'a hit' : 'no hit'})`)
    if (value !== null) this.#raise(key, value)
  }
}

function pause(ms = PAUSE_MS): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
