/**
 * A near cache over a real WebSocket: `NearCache` with its lease asked for, counted from when it asked, that comes back where something
 * is missing, on the connection that it has, and on another gateway once that is gone.
 */
import { EventEmitter, once } from 'node:events'
import { WebSocket } from 'ws'
import { type Held, NearCache } from '../../src/sim/near-cache.ts'

type Members = Record<string, unknown>

const RENEW_EVERY_MS = 400

export interface NearSocketOptions {
  readonly cache: string
  readonly what: Members
  /** Gateways, one after the other. */
  readonly urls: readonly string[]
}

export class NearSocket {
  readonly near = new NearCache()
  /** How often it came back, on another connection or the same, and was told to drop everything. */
  readonly counts = { connections: 0, comebacks: 0, resets: 0, told: 0 }
  readonly #options: NearSocketOptions
  readonly #frames = new EventEmitter()
  readonly #waiting = new Map<number, (answer: Members | null) => void>()
  #renewals: NodeJS.Timeout
  #socket: WebSocket | null = null
  #sub: string | null = null
  #hasBegun = false
  #isSubscribing = false
  #isEnded = false
  #nextId = 1
  #at = 0

  constructor(options: NearSocketOptions) {
    this.#options = options
    this.#frames.setMaxListeners(100)
    this.#renewals = this.#renewAgain()
    this.#connect()
  }

  /** Something came. */
  async next(): Promise<void> {
    await once(this.#frames, 'came')
  }

  /** In force, with a lease that covers everything that was answered before `time`. */
  async settled(time: number): Promise<void> {
    // Of three seconds; clocks may differ by some of that.
    while (!this.near.isConnected || this.near.leaseUntil - 2_900 < time) await this.next()
  }

  hit(key: string): Held | undefined {
    return this.near.get(key, performance.now())
  }

  /** From the cluster, and kept where it may be; null: no answer. */
  async fill(key: string): Promise<Held | null> {
    const ticket = this.near.begin(key)
    const answer = await this.#call('cache.get', { cache: this.#options.cache, key })
    const found = foundIn(answer)
    this.near.filled(ticket, found, isDirty(answer))
    return found
  }

  async renew(): Promise<void> {
    const [sub, socket, sentAt] = [this.#sub, this.#socket, performance.now()]
    if (sub === null) return
    const answer = await this.#call('cache.beat', { sub })
    const state = answer?.['result'] as { readonly seq: number; readonly cursor: string; readonly leaseMs: number } | undefined
    if (state === undefined || sub !== this.#sub || socket !== this.#socket) return
    if (!this.near.told({ type: 'beat', ...state }, sentAt)) this.#subscribe()
    this.#frames.emit('came')
  }

  /** Nothing is read from the socket, and nothing asked: as a process that is stopped. */
  pause(): void {
    clearInterval(this.#renewals)
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
    this.#renewals = this.#renewAgain()
    void this.renew()
  }

  close(): void {
    this.#isEnded = true
    clearInterval(this.#renewals)
    this.#socket?.terminate()
  }

  #renewAgain(): NodeJS.Timeout {
    return setInterval(() => void this.renew(), RENEW_EVERY_MS)
  }

  #connect(): void {
    const { urls } = this.#options
    const socket = new WebSocket(`${urls[this.#at++ % urls.length]}/v1/ws`, ['tricord.v1.json'])
    this.#socket = socket
    this.counts.connections++
    socket.on('open', () => this.#subscribe())
    socket.on('error', () => socket.terminate())
    socket.on('message', (data: Buffer) => this.#receive(socket, data))
    socket.on('close', () => this.#closed())
  }

  #closed(): void {
    this.near.gone()
    this.#sub = null
    this.#isSubscribing = false
    for (const answered of this.#waiting.values()) answered(null)
    this.#waiting.clear()
    this.#frames.emit('came')
    if (!this.#isEnded) setTimeout(() => this.#connect(), 20)
  }

  #call(op: string, members: Members): Promise<Members | null> {
    const socket = this.#socket
    if (socket?.readyState !== WebSocket.OPEN) return Promise.resolve(null)
    const id = this.#nextId++
    socket.send(JSON.stringify({ id, op, ...members }))
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }

  /** From the last number, and the last cursor; what is held stays. */
  #subscribe(): void {
    if (this.#isSubscribing) return
    this.#isSubscribing = true
    const [old, socket] = [this.#sub, this.#socket]
    this.#sub = null
    const { seq, cursor } = this.near
    const resumes = this.#hasBegun && { from: seq, ...(cursor !== null && { cursor }) }
    if (this.#hasBegun) this.counts.comebacks++
    const { cache, what } = this.#options
    void this.#call('cache.subscribe', { cache, ...what, ...resumes }).then((answer) => {
      if (socket !== this.#socket) return
      this.#isSubscribing = false
      const result = answer?.['result'] as { readonly sub: string; readonly seq: number; readonly cursor?: string } | undefined
      if (result === undefined) return socket?.terminate()
      this.#hasBegun = true
      this.#sub = result.sub
      this.near.back(result.seq, result.cursor ?? null)
      if (old !== null) void this.#call('cache.unsubscribe', { sub: old })
      void this.renew()
    })
  }

  #receive(socket: WebSocket, data: Buffer): void {
    if (socket !== this.#socket) return
    const frame = JSON.parse(data.toString()) as Members | readonly Members[]
    for (const one of Array.isArray(frame) ? (frame as readonly Members[]) : [frame as Members]) {
      if (one['event'] === undefined) this.#answered(one)
      else if (one['sub'] === this.#sub) this.#told(one)
    }
    this.#frames.emit('came')
  }

  #answered(answer: Members): void {
    const id = answer['id'] as number
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.(answer)
  }

  #told(event: Members): void {
    const seq = event['seq'] as number
    const before = this.near.seq
    const isWhole = this.near.told(toldOf(event, seq), performance.now())
    if (this.near.seq > before) this.counts[event['event'] === 'cache.reset' ? 'resets' : 'told']++
    if (!isWhole && !this.near.isConnected) this.#subscribe()
  }
}

function toldOf(event: Members, seq: number) {
  if (event['event'] === 'cache.reset') return { type: 'reset', seq } as const
  if (event['event'] === 'cache.invalidate')
    return { type: 'invalidate', seq, key: String(event['key']), version: event['version'] as number } as const
  // The lease is asked for: when this one was sent is not known.
  return { type: 'beat', seq, cursor: (event['cursor'] as string | undefined) ?? null, leaseMs: 0 } as const
}

/** What its owner has not put into the log yet. */
function isDirty(answer: Members | null): boolean {
  const { result, error } = (answer ?? {}) as { result?: { line: string }; error?: { line?: string } }
  return (result?.line ?? error?.line) === 'M'
}

function foundIn(answer: Members | null): Held | null {
  const { result, error } = (answer ?? {}) as { result?: { version: number; data: unknown }; error?: { code: string } }
  if (result !== undefined) return { version: result.version, value: JSON.stringify(result.data) }
  return error?.code === 'NOT_FOUND' ? { version: 0, value: null } : null
}
