/** A client that keeps what it is lent, over a WebSocket: it beats by itself, and acknowledges at once. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { type Answered, LentCache, type Told } from '../../src/sim/lent-cache.ts'

export const BEAT_MS = 300

interface Asked {
  readonly sentAt: number
  /** Called as the answer comes, before anything that comes after it. */
  readonly answered: (answer: { readonly ok: boolean; readonly result: never; readonly error: { readonly code: string } }) => void
}

export class LentClient {
  readonly socket: WebSocket
  readonly events: Told[] = []
  cache = new LentCache(0)
  hits = 0
  misses = 0
  resets = 0
  #sub = ''
  readonly #asked = new Map<number, Asked>()
  #lastId = 0
  #timer: NodeJS.Timeout | null = null
  /** Cut off: what comes waits. */
  #held: (() => void)[] | null = null

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as unknown
      const messages = (Array.isArray(frame) ? frame : [frame]) as never[]
      const take = (): void => messages.forEach((message) => this.#take(message))
      if (this.#held === null) take()
      else this.#held.push(take)
    })
    socket.on('close', () => this.#gone())
    socket.on('error', () => {})
  }

  static async connect(url: string, members: Record<string, unknown>): Promise<LentClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, ['tricord.v1.json'])
    await once(socket, 'open')
    const client = new LentClient(socket)
    await client.subscribe(members)
    return client
  }

  async subscribe(members: Record<string, unknown>): Promise<void> {
    const { sub } = await this.call<{ sub: string; seq: number }>('cache.subscribe', { ...members, mode: 'linearizable' }, ({ seq }) => {
      this.cache = new LentCache(seq)
    })
    this.#sub = sub
    this.#timer = setInterval(() => this.beat(), BEAT_MS)
  }

  /** The version that it serves now; 0: there is none. */
  async get(cache: string, key: string): Promise<number> {
    const kept = this.cache.get(key, performance.now())
    if (kept !== undefined) {
      this.hits += 1
      return kept.version
    }
    if (this.#held !== null) throw new Error('STOPPED')
    this.misses += 1
    const answer = await this.call<Answered>('cache.get', { cache, key }, (found, sentAt) => this.cache.answered(key, found, sentAt))
    return answer.version
  }

  beat(): void {
    const { seq } = this.cache
    const beaten = ({ leaseMs }: { leaseMs: number }, sentAt: number): void => this.cache.beaten(leaseMs, sentAt)
    this.call('cache.beat', { sub: this.#sub, seq }, beaten).catch(() => {})
  }

  call<T>(op: string, members: Record<string, unknown>, then: (result: T, sentAt: number) => void = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.socket.readyState !== WebSocket.OPEN) return reject(new Error('GONE'))
      const [id, sentAt] = [++this.#lastId, performance.now()]
      this.#asked.set(id, {
        sentAt,
        answered: ({ ok, result, error }) => {
          if (!ok) return reject(new Error(error.code))
          then(result, sentAt)
          resolve(result)
        },
      })
      this.socket.send(JSON.stringify({ id, op, ...members }))
    })
  }

  /** As if it were cut off: nothing comes and goes, and it serves what it may. */
  stop(): void {
    this.#held = []
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  goOn(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const take of held) take()
    this.#timer = setInterval(() => this.beat(), BEAT_MS)
    this.beat()
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return
    this.socket.close()
    await once(this.socket, 'close')
  }

  #take(message: { readonly id?: number; readonly event?: string }): void {
    if (message.event === undefined) {
      const asked = this.#asked.get(message.id as number)
      this.#asked.delete(message.id as number)
      asked?.answered(message as never)
      return
    }
    if (message.event === 'cache.reset') this.resets += 1
    this.events.push(message as Told)
    this.cache.told(message as Told)
    this.beat()
  }

  #gone(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    // Cut off, it does not know.
    if (this.#held === null) this.cache.gone()
    for (const { answered } of this.#asked.values()) answered({ ok: false, error: { code: 'GONE' } } as never)
    this.#asked.clear()
  }
}
