/** A WebSocket whose callers share frames: what one turn has to say is one frame. */
import { Packr } from 'msgpackr'
import { WebSocket } from 'ws'

/** What a frame may hold (docs/api.md). */
const OPS_PER_FRAME_MAX = 1_000

export type Result = Record<string, unknown>

interface Answer {
  readonly id: number
  readonly ok: boolean
  readonly result: Result
  readonly error?: unknown
}

export class BatchingSocket {
  readonly #socket: WebSocket
  readonly #packr = new Packr({ useRecords: false, mapsAsObjects: true })
  readonly #waiting = new Map<number, { resolve: (result: Result) => void; reject: (error: Error) => void }>()
  #outgoing: unknown[] = []
  #next = 1

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (bytes: Buffer) => this.#take(bytes))
    socket.on('close', () => this.#lost())
    socket.on('error', () => {})
  }

  static async open(url: string): Promise<BatchingSocket> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.msgpack')
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return new BatchingSocket(socket)
  }

  call(op: string, members: object): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) return reject(new Error('the connection is closed'))
      const id = this.#next++
      this.#waiting.set(id, { resolve, reject })
      if (this.#outgoing.length === 0) setImmediate(() => this.#flush())
      this.#outgoing.push({ id, op, ...members })
    })
  }

  close(): void {
    this.#socket.close()
  }

  #flush(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return this.#lost()
    while (this.#outgoing.length > 0) this.#socket.send(this.#packr.pack(this.#outgoing.splice(0, OPS_PER_FRAME_MAX)))
  }

  /** Nobody will answer any more. */
  #lost(): void {
    this.#outgoing = []
    for (const { reject } of this.#waiting.values()) reject(new Error('the connection was closed'))
    this.#waiting.clear()
  }

  #take(bytes: Buffer): void {
    const answers = this.#packr.unpack(bytes) as Answer | Answer[]
    for (const { id, ok, result, error } of Array.isArray(answers) ? answers : [answers]) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (ok) waiting?.resolve(result)
      else waiting?.reject(new Error(JSON.stringify(error)))
    }
  }
}
