/** Caches that answer as they are told, and remember what they were asked. */
import { TricordError } from '../src/base/errors.ts'
import { type CacheEntry, type CacheRead, type Caches, DEFAULT_CONFIG } from '../src/cache/types.ts'

type Reply<K extends keyof Caches> = Awaited<ReturnType<Caches[K]>>
/** A promise where the answer is to come later. */
export type Told = { -readonly [K in keyof Caches]: Reply<K> | TricordError | Promise<Reply<K>> }

export interface Asked<K extends keyof Caches = keyof Caches> {
  readonly method: K
  readonly args: Parameters<Caches[K]>
}

export function toldCaches() {
  const asked: Asked[] = []
  const told: Told = {
    get: readOf(null),
    getMany: [],
    put: { version: 1, created: true },
    putMany: [],
    delete: { existed: true, version: 2 },
    increment: { value: 1, version: 3 },
    invalidate: { invalidated: 0 },
    load: { type: 'load', loadToken: 'l_1', leaseMs: 5_000 },
    configure: { created: true, config: DEFAULT_CONFIG },
    status: STATUS,
    line: LINE,
  }
  const methods = Object.keys(told) as (keyof Caches)[]
  const caches = Object.fromEntries(
    methods.map((method) => [
      method,
      async (...args: Asked['args']) => {
        asked.push({ method, args })
        const reply = await told[method]
        if (reply instanceof TricordError) throw reply
        return reply
      },
    ]),
  ) as unknown as Caches
  /** What `method` was asked last. */
  const last = <K extends keyof Caches>(method: K) => {
    const found = asked.findLast((one) => one.method === method)
    if (!found) throw new Error(`${method} was not asked`)
    return found.args as Parameters<Caches[K]>
  }
  return { asked, told, caches, last }
}

export function entryOf(value: string | Uint8Array, more: Partial<CacheEntry> = {}): CacheEntry {
  return { version: 17, value: Buffer.from(value), contentType: 'application/octet-stream', ttlLeftMs: null, ...more }
}

export const readOf = (entry: CacheEntry | null, more: Partial<CacheRead> = {}): CacheRead => ({ entry, line: 'I', hit: false, ...more })

export const STATUS = {
  cache: 'c',
  entries: 2,
  bytes: 300,
  memoryBytes: 1_700,
  hits: 3,
  misses: 1,
  hitRatio: 0.75,
  evictions: 0,
  lines: { M: 0, E: 0, S: 2, I: 1 },
  coherence: { getS: 1, getM: 0, inv: 2, invAck: 2, recall: 0 },
  falseInvalidations: 1,
  pingPong: { windowMs: 10_000, lines: 1, worst: [{ key: 'k', invalidations: 7, nodes: ['n1', 'n2'] }] },
  unanswered: [],
  config: DEFAULT_CONFIG,
} as const

export const LINE = {
  key: 'k',
  version: 17,
  home: 'n1',
  partition: 7,
  busy: false,
  waitsFor: [],
  nodes: { n1: 'S', n2: 'I' },
  unanswered: ['n3'],
  lastInvalidation: { cause: 'put', at: '2026-01-02T03:04:05.678Z', ackMs: 2, acksMs: { n1: 1, n2: 2 } },
} as const
