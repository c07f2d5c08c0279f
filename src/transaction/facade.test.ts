/** Transactions at the gateway: where they go, what is asked before, and what comes back. */
import { describe, expect, test } from 'vitest'
import type { Plain } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import { encodeCommand as encodeCache } from '../cache/machine/codec.ts'
import type { PlanPut } from '../cache/facade.ts'
import { loadHash } from '../io/hash.ts'
import { refused, transacted } from '../queue/replies.ts'
import type { Queues } from '../queue/types.ts'
import type { Proposer, SubmitOptions, SubmitResult } from '../raft/proposer.ts'
import { decodeMixed, encodeReply } from './codec.ts'
import { createTransactions } from './facade.ts'
import type { Op, Transacted } from './types.ts'

const hash = await loadHash()
const VALUE = { value: Uint8Array.of(1), contentType: 'x/y', ttlMs: null, slidingMs: 0, tags: [] }
const put = (key: string): Op => ({ type: 'cache_put', namespace: 'default', cache: 'c', key, value: VALUE })
const enqueue = (queue: string): Op => ({
  type: 'queue_enqueue',
  namespace: 'default',
  queue,
  messages: [{ body: Uint8Array.of(2), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }],
})
const FENCE: Op = { type: 'require_fence', fence: { resource: 'r', token: 1 } }

const planned: PlanPut = ({ namespace, cache, key }, { value }) =>
  Promise.resolve(
    encodeCache({
      type: 'cache_put',
      namespace,
      cache,
      key,
      value,
      contentType: 'x/y',
      ttlMs: null,
      slidingMs: 0,
      tags: [],
      condition: null,
      loadToken: null,
      share: { bytes: 100, entries: 1, policy: 'lru', configVersion: 0 },
      dead: 0,
      known: null,
      own: 0,
    }),
  )

function bed(answer: Plain | TricordError | ((nth: number) => Plain) = null, planPut: PlanPut = planned) {
  const sent: { group: number; bytes: Uint8Array; options: SubmitOptions }[] = []
  const own: unknown[] = []
  const proposer = {
    submit(group: number, bytes: Uint8Array, options: SubmitOptions, done: (result: SubmitResult) => void) {
      const reply = typeof answer === 'function' ? answer(sent.length) : answer
      sent.push({ group, bytes, options })
      done(reply instanceof TricordError ? { ok: false, error: reply } : { ok: true, reply })
      return { cancel() {} }
    },
  } as unknown as Proposer
  const queues = { submit: (...args: readonly unknown[]) => void own.push(args) } as unknown as Queues
  const transactions = createTransactions({ queues, proposer, partitioning: { partitions: 16, hash }, planPut })
  const run = (...ops: readonly Op[]) =>
    new Promise<Transacted | TricordError>((resolve) => {
      const idempotencyKey = { key: 'k', fingerprint: 'f' }
      transactions.submit({ type: 'tx', ops }, { timeoutMs: 1_000, idempotencyKey }, resolve)
    })
  return { sent, own, run }
}

describe('a transaction', () => {
  test('without puts is the queues’ own', () => {
    const { own, sent, run } = bed()
    void run(enqueue('a'), FENCE)
    expect([own.length, sent.length]).toEqual([1, 0])
    expect((own[0] as readonly unknown[]).slice(0, 2)).toMatchObject([
      { type: 'tx', ops: [{ queue: 'a' }, { type: 'require_fence' }] },
      { timeoutMs: 1_000 },
    ])
  })

  test('with puts goes to the partition of all, in the order of its ops, under its key', async () => {
    const reply = encodeReply({
      queues: transacted(9, 2, [[1, 4, 7, false], [3]]),
      puts: [
        { version: 5, created: true },
        { version: 6, created: false },
      ],
    })
    const { sent, run } = bed(reply)
    const done = await run(put('{t}a'), enqueue('{t}q'), put('{t}b'), FENCE)
    expect(done).toMatchObject({
      type: 'transacted',
      results: [
        { put: { key: '{t}a', version: 5, created: true } },
        { enqueued: [{ deduplicated: false }] },
        { put: { key: '{t}b', version: 6, created: false } },
        { fenced: true },
      ],
      receipt: { index: 9, term: 2 },
    })
    expect(sent[0]?.options).toEqual({ timeoutMs: 1_000, traceparent: '', key: { key: 'k', fingerprint: 'f' } })
    const mixed = decodeMixed(sent[0]?.bytes ?? new Uint8Array())
    expect('ops' in mixed && mixed.ops.map((one) => one?.command.key ?? null)).toEqual(['{t}a', null, '{t}b', null])
    expect(sent.length).toBe(1)
  })

  test('over several partitions is refused, and nothing is sent', async () => {
    const { sent, run } = bed()
    expect(await run(put('a'), put('b'), put('c'), enqueue('q'))).toMatchObject({
      code: 'CROSS_PARTITION',
      details: { queues: ['q'], keys: ['a', 'b', 'c'] },
    })
    expect(sent).toEqual([])
  })

  test('whose key another owns is tried again when it is given back, under a key of that try', async () => {
    const planning: boolean[] = []
    const plan: PlanPut = (name, value, isOwned, options) => {
      planning.push(isOwned)
      return planned(name, value, isOwned, options)
    }
    const busy = refused({ type: 'refused', code: 'OWNER_BUSY', message: 'n2 writes it', details: { op: 0, key: 'a' } })
    const done = encodeReply({ queues: transacted(9, 2, []), puts: [{ version: 5, created: true }] })
    const { sent, run } = bed((nth) => (nth === 0 ? busy : done), plan)
    expect(await run(put('a'))).toMatchObject({ type: 'transacted' })
    expect(planning).toEqual([false, true])
    expect(sent.map(({ options }) => options.key)).toEqual([
      { key: 'k', fingerprint: 'f' },
      { key: 'k#1', fingerprint: 'f' },
    ])
    const hot = bed(busy, plan)
    expect(await hot.run(put('a'))).toMatchObject({ code: 'OWNER_BUSY' })
    expect(hot.sent.length).toBe(3)
  })

  test('of which a put cannot be planned is refused as that is, and nothing is sent', async () => {
    const refusal = new TricordError('NO_QUORUM', 'no cache now')
    const { sent, run } = bed(null, () => Promise.reject(refusal))
    expect(await run(put('a'))).toBe(refusal)
    expect(sent).toEqual([])
  })

  test.each<[string, Plain | TricordError, object]>([
    ['refused by the log', new TricordError('DISK_LOW', 'full'), { code: 'DISK_LOW' }],
    [
      'refused by the machine',
      refused({ type: 'refused', code: 'FENCED', message: 'm', details: { op: 1 } }),
      { code: 'FENCED', details: { op: 1 } },
    ],
    ['an answer of another version', [0x80], { code: 'UNKNOWN_OUTCOME' }],
    ['an answer to fewer operations', encodeReply({ queues: transacted(1, 1, []), puts: [] }), { code: 'UNKNOWN_OUTCOME' }],
    ['no answer at all', 'x', { code: 'UNKNOWN_OUTCOME' }],
  ])('%s', async (_what, reply, expected) => {
    expect(await bed(reply).run(put('a'), FENCE)).toMatchObject(expected)
  })
})
