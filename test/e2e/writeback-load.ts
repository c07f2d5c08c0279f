/**
 * Clients of a `writeback` cache: each is bound to one node and puts, counts, writes under a condition, and reads, one key after
 * another. What it did goes into a history. Some of what goes through the log (under an `Idempotency-Key`) is repeated until it is known.
 *
 * Every value is a number: a put of its own thousand, so that increments of what it put still tell what they are based on.
 */
import { expect } from 'vitest'
import { type CacheOperation, UNKNOWN } from '../../src/sim/cache-model.ts'
import type { NodeProcess } from './processes.ts'
import type { Life, WritebackHistory } from './writeback-history.ts'

const PAUSE_MS = 8
const PER_PUT = 1_000
/** Longer than a node is ever stopped: what it answers when it wakes is looked at, too. */
const CALL_MS = 25_000

type Condition = number | 'absent' | null

interface Told {
  readonly status: number
  readonly text: string
  readonly version: number
}

export interface Client {
  readonly node: NodeProcess
  readonly keys: readonly string[]
  /** Of its calls, those under an `Idempotency-Key`. */
  readonly logged: number
  /** Whether it writes without one, too, and its node comes to own what it writes. */
  readonly owns: boolean
}

interface Waiter {
  readonly what: string
  readonly since: number
  readonly resolve: () => void
}

export class WritebackLoad {
  readonly #cache: string
  readonly #history: WritebackHistory
  readonly #lifeOf: (node: NodeProcess) => Life
  readonly #clients: Promise<void>[] = []
  readonly #versions = new Map<string, number>()
  #waiters: Waiter[] = []
  #running = true
  #values = 0
  writes = 0
  reads = 0
  /** The longest that anything has taken to come into the log: what was owned before included. */
  longestLoggedMs = 0

  constructor(cache: string, history: WritebackHistory, lifeOf: (node: NodeProcess) => Life) {
    this.#cache = cache
    this.#history = history
    this.#lifeOf = lifeOf
  }

  start(client: Client): void {
    this.#clients.push(this.#run(client))
  }

  /** Resolves once a write of the key through the node that begins from now on is answered. */
  nextWrite(key: string, { id }: NodeProcess): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ what: `${key} ${id}`, since: performance.now(), resolve }))
  }

  /** Without a wait for what is under way: of a scene that failed. */
  end(): void {
    this.#running = false
  }

  async stop(): Promise<void> {
    this.end()
    await Promise.all(this.#clients)
  }

  async #run({ node, keys, logged, owns }: Client): Promise<void> {
    for (let round = 0; this.#running; round++) {
      const key = keys[round % keys.length] as string
      const turn = Math.random()
      if (turn < logged) await this.#putLogged(node, key)
      else if (!owns) await this.get(node, key)
      else if (turn < 0.4) await this.put(node, key, null)
      else if (turn < 0.55) await this.increment(node, key)
      else if (turn < 0.65) await this.put(node, key, Math.random() < 0.2 ? 'absent' : (this.#versions.get(key) ?? null))
      else await this.get(node, key)
      await pause(PAUSE_MS)
    }
  }

  /** What it was told: a version, 0 for nothing; null: it was not answered. */
  async get(node: NodeProcess, key: string): Promise<{ readonly version: number } | null> {
    const [call, alone] = [performance.now(), this.#lifeOf(node)]
    const told = await this.#call(node, 'GET', key, undefined)
    if (told === null || told === 'refused' || (told.status !== 200 && told.status !== 404)) return null
    const { version } = told
    const value = told.status === 200 ? Number(told.text) : null
    this.#add(key, call, { kind: 'read', version, value, at: call, alone })
    this.reads++
    return { version }
  }

  /** Whether it is written. */
  async put(node: NodeProcess, key: string, condition: Condition): Promise<boolean> {
    const [call, alone, value] = [performance.now(), this.#lifeOf(node), this.#value()]
    const headers: Record<string, string> = {}
    if (condition === 'absent') headers['if-none-match'] = '*'
    else if (condition !== null) headers['if-match'] = `"${condition}"`
    const told = await this.#call(node, 'PUT', key, value, headers)
    return this.#written(told, node, key, call, (result) => this.#putOf(value, condition, alone, call, result))
  }

  async increment(node: NodeProcess, key: string): Promise<boolean> {
    const [call, alone, by] = [performance.now(), this.#lifeOf(node), 1 + Math.floor(Math.random() * 3)]
    const told = await this.#call(node, 'POST', `${key}/incr`, { by })
    return this.#written(told, node, key, call, (result) => {
      const known = result === UNKNOWN || 'mismatch' in result ? UNKNOWN : { version: result.version, value: valueOf(told) }
      return { kind: 'increment', by, tags: '', meanwhile: '', at: call, result: known, alone }
    })
  }

  /** Through the log, and again until it is known; where the node is gone, when it is back. */
  async #putLogged(node: NodeProcess, key: string): Promise<void> {
    const [call, value] = [performance.now(), this.#value()]
    const headers = { 'idempotency-key': `${this.#cache}-${value}` }
    const unknown = (): CacheOperation => this.#putOf(value, null, '', call, UNKNOWN)
    let isUnknown = false
    for (;;) {
      const told = await this.#call(node, 'PUT', key, value, headers)
      if (told !== null && told !== 'refused' && told.status !== 504 && told.status !== 503 && told.status !== 429) {
        const isWritten = await this.#written(told, node, key, call, (result) => this.#putOf(value, null, '', call, result))
        if (isWritten) this.longestLoggedMs = Math.max(this.longestLoggedMs, performance.now() - call)
        return
      }
      isUnknown ||= told !== 'refused'
      if (this.#running) await pause(PAUSE_MS * 4)
      else return isUnknown ? this.#add(key, call, unknown(), Infinity) : undefined
    }
  }

  #putOf(value: number, condition: Condition, alone: Life, at: number, result: Extract<CacheOperation, { kind: 'put' }>['result']) {
    const always = { tags: '', meanwhile: '', livesUntil: Infinity, token: '' }
    return { kind: 'put', value, ...always, condition, at, result, alone } as const
  }

  async #written(
    told: Told | 'refused' | null,
    node: NodeProcess,
    key: string,
    call: number,
    operation: (
      result: { readonly version: number; readonly created: boolean } | { readonly mismatch: number } | typeof UNKNOWN,
    ) => CacheOperation,
  ): Promise<boolean> {
    if (told === 'refused') return false
    const outcome = told === null || told.status === 504 ? 'unknown' : outcomeOf(told)
    if (told === null || outcome === 'unknown') {
      this.#add(key, call, operation(UNKNOWN), Infinity)
      return false
    }
    const { status, version } = told
    if (status === 412) this.#add(key, call, operation({ mismatch: version }))
    if (status >= 300) {
      // Nothing was done: no other answer is one that a write here can get.
      expect([409, 412, 429, 503], told.text).toContain(status)
      return false
    }
    this.#versions.set(key, version)
    this.#add(key, call, operation({ version, created: status === 201 }))
    this.writes++
    this.#waiters = this.#waiters.filter((one) => one.what !== `${key} ${node.id}` || call < one.since || void one.resolve())
    return true
  }

  #add(key: string, call: number, operation: CacheOperation, end = performance.now()): void {
    this.#history.add(key, call, end, operation)
  }

  #value(): number {
    return ++this.#values * PER_PUT
  }

  /** Null: no answer came, and nobody knows. `refused`: nobody was asked. */
  async #call(
    node: NodeProcess,
    method: string,
    path: string,
    body: unknown,
    more: Record<string, string> = {},
  ): Promise<Told | 'refused' | null> {
    const init = body === undefined ? {} : { body: JSON.stringify(body) }
    const headers = { 'content-type': 'application/json', ...more }
    const url = `${node.url}/v1/caches/${this.#cache}/entries/${path}`
    try {
      const response = await fetch(url, { method, headers, ...init, signal: AbortSignal.timeout(CALL_MS) })
      const text = await response.text()
      const etag = response.headers.get('etag')
      return { status: response.status, text, version: etag !== null ? Number(etag.slice(1, -1)) : (versionIn(text) ?? 0) }
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: string } }
      return cause?.code === 'ECONNREFUSED' ? 'refused' : null
    }
  }
}

function membersOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

function versionIn(text: string): number | undefined {
  const { version } = membersOf(text)
  return typeof version === 'number' ? version : undefined
}

function valueOf(told: Told | 'refused' | null): number {
  return told === null || told === 'refused' ? 0 : Number(membersOf(told.text)['value'])
}

function outcomeOf({ text, status }: Told): unknown {
  return status < 300 ? 'applied' : membersOf(text)['outcome']
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
