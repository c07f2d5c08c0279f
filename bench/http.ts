/**
 * One keep-alive connection, spoken to by hand: a client library costs more CPU per call than the server, and load and
 * cluster share this machine.
 */
import { type Socket, connect } from 'node:net'
import type { Result } from './socket.ts'

export interface HttpAnswer {
  readonly status: number
  /** Of the answer, as it came: from the status line to the empty line. */
  readonly head: string
  readonly body: Buffer
}

export class HttpCaller {
  readonly #socket: Socket
  readonly #host: string
  #chunks: Buffer[] = []
  #received = 0
  /** Of the whole answer; 0: its head is not here yet. */
  #length = 0
  #settle: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | null = null

  constructor(url: string) {
    const { hostname, port, host } = new URL(url)
    this.#host = host
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true })
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#socket.on('error', (error) => this.#settle?.reject(error))
    this.#socket.on('close', () => this.#settle?.reject(new Error('the connection was closed')))
  }

  async call(path: string, body: string): Promise<Result> {
    const { status, body: answer } = await this.send('POST', path, 'application/json', body)
    if (status >= 300) throw new Error(answer.toString())
    return JSON.parse(answer.toString()) as Result
  }

  /** Whatever the status. */
  send(method: string, path: string, contentType: string, body: string | Buffer): Promise<HttpAnswer> {
    const length = Buffer.byteLength(body)
    const about = length === 0 ? '' : `content-type: ${contentType}\r\ncontent-length: ${length}\r\n`
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\n${about}\r\n`
    if (typeof body === 'string') this.#socket.write(head + body)
    else this.#socket.write(Buffer.concat([Buffer.from(head), body]))
    return new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
  }

  close(): void {
    this.#settle = null
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#received += bytes.length
    if (this.#length > 0 && this.#received < this.#length) return
    const whole = this.#chunks.length === 1 ? bytes : Buffer.concat(this.#chunks)
    this.#chunks = [whole]
    const headEnd = whole.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const head = whole.toString('latin1', 0, headEnd)
    const bodyLength = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
    this.#length = headEnd + 4 + bodyLength
    if (whole.length < this.#length) return
    const body = whole.subarray(headEnd + 4, this.#length)
    this.#chunks = []
    this.#received = 0
    this.#length = 0
    this.#settle?.resolve({ status: Number(head.slice(9, 12)), head, body })
  }
}
