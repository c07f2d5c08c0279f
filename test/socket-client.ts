/** A WebSocket client that keeps every frame, and hands out answers by id and events by name, in the order they came. */
import { once } from 'node:events'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { packPlain, unpackPlain } from '../src/actors/codec.ts'
import type { Plain } from '../src/actors/envelope.ts'

export type Answer = Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- answers are looked into by the tests

export async function openSocket(url: string, protocol: string, headers: Record<string, string> = {}): Promise<SocketClient> {
  const socket = new WebSocket(url, [protocol], { headers })
  await once(socket, 'open')
  return new SocketClient(socket)
}

export class SocketClient {
  readonly socket: WebSocket
  readonly frames: unknown[] = []
  readonly closed: Promise<number>
  readonly #binary: boolean
  readonly #came = new Map<unknown, Answer[]>()
  readonly #waiting = new Map<unknown, ((answer: Answer) => void)[]>()
  #nextId = 1

  constructor(socket: WebSocket) {
    this.socket = socket
    this.#binary = socket.protocol === 'tricord.v1.msgpack'
    this.closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      expect(isBinary).toBe(this.#binary)
      const frame: unknown = isBinary ? unpackPlain(data) : JSON.parse(data.toString())
      this.frames.push(frame)
      for (const answer of (Array.isArray(frame) ? frame : [frame]) as Answer[]) this.#take(answer)
    })
  }

  #take(answer: Answer): void {
    const key = answer['event'] ?? answer['id'] ?? null
    const waiting = this.#waiting.get(key)?.shift()
    if (waiting) waiting(answer)
    else this.#came.set(key, [...(this.#came.get(key) ?? []), answer])
  }

  send(frame: unknown): void {
    this.socket.send(this.#binary ? packPlain(frame as Plain) : JSON.stringify(frame))
  }

  /** The next answer to that id, or the next event of that name. */
  answer(key: unknown): Promise<Answer> {
    const known = this.#came.get(key)?.shift()
    if (known) return Promise.resolve(known)
    return new Promise((resolve) => this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve]))
  }

  call(op: string, members: Record<string, unknown> = {}): Promise<Answer> {
    const id = `call-${this.#nextId++}`
    this.send({ id, op, ...members })
    return this.answer(id)
  }

  async result(op: string, members: Record<string, unknown> = {}): Promise<Answer> {
    const answer = await this.call(op, members)
    expect(answer).toMatchObject({ ok: true })
    return answer['result'] as Answer
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.closed
  }
}
