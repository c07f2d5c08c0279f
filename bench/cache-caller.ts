/**
 * One caller of a cache, in the three ways in which there is one: over HTTP, over WebSocket, and inside of a node. A value
 * begins with its stamp, a number that no other write has, so that whoever reads it can tell which write it came from.
 */
import { TricordError } from '../src/base/errors.ts'
import type { Caches } from '../src/cache/types.ts'
import { HttpCaller } from './http.ts'
import { BatchingSocket } from './socket.ts'

const TYPE = 'application/octet-stream'
const OPTIONS = { timeoutMs: 10_000 }
const STAMP_BYTES = 8

export interface StampedRead {
  /** 0: there is none. */
  readonly version: number
  readonly stamp: number
  readonly hit: boolean
}

/** Rejects with CallRefused. */
export interface CacheCaller {
  get(key: string): Promise<StampedRead>
  /** The version. */
  put(key: string, value: Buffer): Promise<number>
  close(): void
}

export class CallRefused extends Error {
  /** Whether the write may have happened. */
  readonly isUnknown: boolean

  constructor(code: string) {
    super(code)
    this.isUnknown = code === 'UNKNOWN_OUTCOME' || code === 'CLOSED'
  }
}

const NOTHING = { version: 0, stamp: 0 }

function stampOf(value: Uint8Array): number {
  return Buffer.from(value.buffer, value.byteOffset, STAMP_BYTES).readDoubleBE()
}

export class HttpCacheCaller implements CacheCaller {
  readonly #http: HttpCaller
  readonly #prefix: string

  constructor(url: string, cache: string) {
    this.#http = new HttpCaller(url)
    this.#prefix = `/v1/caches/${cache}/entries/`
  }

  async get(key: string): Promise<StampedRead> {
    const { status, head, body } = await this.#send('GET', key, '')
    const hit = /^tricord-cache: hit/im.test(head)
    if (status === 404) return { ...NOTHING, hit }
    return { version: Number(/^etag: "(\d+)"/im.exec(head)?.[1]), stamp: stampOf(body), hit }
  }

  async put(key: string, value: Buffer): Promise<number> {
    const { body } = await this.#send('PUT', key, value)
    return (JSON.parse(body.toString()) as { version: number }).version
  }

  close(): void {
    this.#http.close()
  }

  async #send(method: string, key: string, value: string | Buffer) {
    const answer = await this.#http.send(method, this.#prefix + encodeURIComponent(key), TYPE, value).catch(() => {
      throw new CallRefused('CLOSED')
    })
    if (answer.status < 300) return answer
    const { code, line } = JSON.parse(answer.body.toString()) as { readonly code: string; readonly line?: string }
    if (code === 'NOT_FOUND' && line !== undefined) return answer
    throw new CallRefused(code)
  }
}

/** All callers of a process share a socket. */
export class SocketCacheCaller implements CacheCaller {
  readonly #socket: BatchingSocket
  readonly #cache: string

  constructor(socket: BatchingSocket, cache: string) {
    this.#socket = socket
    this.#cache = cache
  }

  async get(key: string): Promise<StampedRead> {
    try {
      const { version, data, cache } = await this.#socket.call('cache.get', { cache: this.#cache, key })
      return { version: version as number, stamp: stampOf(data as Uint8Array), hit: cache === 'hit' }
    } catch (error) {
      const refused = refusalOf(error)
      if (refused.message === 'NOT_FOUND') return { ...NOTHING, hit: false }
      throw refused
    }
  }

  async put(key: string, data: Buffer): Promise<number> {
    try {
      const { version } = await this.#socket.call('cache.put', { cache: this.#cache, key, data, encoding: 'bytes' })
      return version as number
    } catch (error) {
      throw refusalOf(error)
    }
  }

  close(): void {
    this.#socket.close()
  }
}

function refusalOf(error: unknown): CallRefused {
  const { message } = error as Error
  if (!message.startsWith('{')) return new CallRefused('CLOSED')
  return new CallRefused((JSON.parse(message) as { code: string }).code)
}

/** Inside of a node: what a gateway calls, without the gateway. */
export class NodeCacheCaller implements CacheCaller {
  readonly #caches: Caches
  readonly #cache: string

  constructor(caches: Caches, cache: string) {
    this.#caches = caches
    this.#cache = cache
  }

  async get(key: string): Promise<StampedRead> {
    try {
      const { entry, hit } = await this.#caches.get({ namespace: 'default', cache: this.#cache, key }, OPTIONS)
      return entry === null ? { ...NOTHING, hit } : { version: entry.version, stamp: stampOf(entry.value), hit }
    } catch (error) {
      throw error instanceof TricordError ? new CallRefused(error.code) : error
    }
  }

  async put(key: string, value: Buffer): Promise<number> {
    const entry = { value, contentType: TYPE, ttlMs: null, slidingMs: 0, tags: [] }
    try {
      return (await this.#caches.put({ namespace: 'default', cache: this.#cache, key }, entry, null, null, OPTIONS)).version
    } catch (error) {
      throw error instanceof TricordError ? new CallRefused(error.code) : error
    }
  }

  close(): void {}
}
