/** The facade over a proposer that only notes what it was asked, and answers what it was told. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Plain } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import { type GroupId, partitionGroup } from '../base/ids.ts'
import { invalid, refuse } from '../base/refusal.ts'
import type { KeyOutcome, Proposer, SubmitOptions, SubmitResult } from '../raft/proposer.ts'
import { decodeCommand } from './codec.ts'
import { createQueues } from './facade.ts'
import * as replies from './replies.ts'
import { DEFAULT_CONFIG } from './types.ts'
import type { Answered, QueueCommand, QueuePage, QueueStatus } from './types.ts'

const PARTITIONS = 4
/** A queue lives where the digits of its name say. */
const hash = (text: string) => Number(text.replaceAll(/\D/g, ''))

interface Sent {
  readonly group: GroupId
  readonly command: QueueCommand
  readonly options: SubmitOptions
}

class TellingProposer implements Proposer {
  readonly sent: Sent[] = []
  readonly asked: { group: GroupId; request: Plain }[] = []
  readonly pending = 0
  result: SubmitResult = { ok: true, reply: replies.deleted() }
  answer: (partition: number) => Plain = () => null

  submit(group: GroupId, command: Uint8Array, options: SubmitOptions, done: (result: SubmitResult) => void): { cancel(): void } {
    this.sent.push({ group, command: decodeCommand(command) as QueueCommand, options })
    queueMicrotask(() => done(this.result))
    return { cancel() {} }
  }

  query(group: GroupId, request: Plain): Promise<{ reply: Plain; appliedIndex: number; time: number }> {
    this.asked.push({ group, request })
    return Promise.resolve({ reply: this.answer(group - partitionGroup(0)), appliedIndex: 1, time: 1 })
  }

  outcome(): Promise<KeyOutcome> {
    return Promise.resolve({ state: 'unknown' })
  }

  close(): void {}
}

function submit(proposer: Proposer, command: QueueCommand, options: object = {}): Promise<Answered | TricordError> {
  const queues = createQueues(proposer, { partitions: PARTITIONS, hash })
  return new Promise((resolve) => {
    let within = true
    queues.submit(command, { timeoutMs: 1_000, ...options }, (reply) => {
      expect(within, 'answered within the call').toBe(false)
      resolve(reply)
    })
    within = false
  })
}

const Q = { namespace: 'default', queue: 'q1' }
const message = { body: Uint8Array.of(16, 49), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }
const enqueue = (queue = 'q1') => ({ type: 'queue_enqueue', namespace: 'default', queue, messages: [message] }) as const
const items = [{ id: 'm_1_1', token: 1 }] as const
const ack = (queue = 'q1') => ({ type: 'queue_ack', namespace: 'default', queue, items, fence: null }) as const
const fence = { type: 'require_fence', fence: { resource: 'r2', token: 1 } } as const
const READ = { timeoutMs: 100, consistency: 'stale' } as const

test('a command goes to the group of its partition and comes back as a reply, a refusal as an error', async () => {
  const proposer = new TellingProposer()
  const bare = replies.enqueued(5, 2, 1)
  replies.addEnqueued(bare, 1, false)
  proposer.result = { ok: true, reply: replies.attachDurable(bare, ['n1', 'n2']) }
  const idempotencyKey = { key: 'k', fingerprint: 'f' }
  expect(await submit(proposer, enqueue('q6'), { idempotencyKey, traceparent: '00-1' })).toEqual({
    type: 'enqueued',
    items: [{ id: 'm_1_1', deduplicated: false }],
    receipt: { partition: 2, index: 5, term: 2, durableOn: ['n1', 'n2'] },
  })
  const options = { timeoutMs: 1_000, key: idempotencyKey, traceparent: '00-1', essential: false }
  expect(proposer.sent).toEqual([{ group: partitionGroup(2), command: enqueue('q6'), options }])
  proposer.result = { ok: true, reply: replies.refused(refuse('QUEUE_FULL', 'full', { length: 4 })) }
  const refusal = await submit(proposer, enqueue())
  expect(refusal).toBeInstanceOf(TricordError)
  expect(refusal).toMatchObject({ code: 'QUEUE_FULL', retryable: true, outcome: 'not-applied', details: { length: 4 } })
  proposer.result = { ok: false, error: new TricordError('UNKNOWN_OUTCOME', 'no answer') }
  expect(await submit(proposer, enqueue())).toBe(proposer.result.error)
})

test('what shares a tag shares a partition, in every namespace', () => {
  const queues = createQueues(new TellingProposer(), { partitions: PARTITIONS, hash })
  expect(queues.partitionOf({ namespace: 'a', queue: 'mail1-{c3}' })).toBe(3)
  expect(queues.partitionOf({ namespace: 'b', queue: '{c3}2' })).toBe(3)
})

test('what frees space or keeps a lease is essential, what takes space is not', async () => {
  const proposer = new TellingProposer()
  const commands: readonly (readonly [boolean, QueueCommand])[] = [
    [false, enqueue()],
    [false, { type: 'queue_put', ...Q, config: {} }],
    [false, { type: 'queue_redrive', ...Q, max: 1, reason: '' }],
    [false, { type: 'tx', ops: [ack(), enqueue()] }],
    [true, { type: 'tx', ops: [ack(), fence] }],
    [true, { type: 'queue_dequeue', ...Q, max: 1, waitMs: 0, visibilityMs: null, consumer: '', watcher: '' }],
    [true, ack()],
    [true, { type: 'queue_nack', ...Q, items: [{ ...items[0], delayMs: null, reason: '', countAttempt: true }] }],
    [true, { type: 'queue_extend', ...Q, items: [{ ...items[0], visibilityMs: 1, checkpoint: null }] }],
    [true, { type: 'queue_purge', ...Q }],
    [true, { type: 'queue_delete', ...Q }],
  ]
  for (const [, command] of commands) await submit(proposer, command)
  expect(proposer.sent.map(({ options }) => options.essential ?? false)).toEqual(commands.map(([essential]) => essential))
})

test('a transaction lives in one partition', async () => {
  const proposer = new TellingProposer()
  proposer.result = { ok: true, reply: replies.transacted(1, 1, []) }
  expect(await submit(proposer, { type: 'tx', ops: [enqueue('q1'), ack('q2')] })).toMatchObject({
    code: 'CROSS_PARTITION',
    details: { queues: ['q1', 'q2'] },
  })
  expect(await submit(proposer, { type: 'tx', ops: [] })).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(proposer.sent).toEqual([])
  // A fence is looked for beside the queues, wherever its own name would place it.
  expect(await submit(proposer, { type: 'tx', ops: [fence, enqueue('q1'), ack('q5')] })).toMatchObject({ type: 'transacted' })
  expect(await submit(proposer, { type: 'tx', ops: [fence] })).toMatchObject({ type: 'transacted' })
  expect(proposer.sent.map(({ group }) => group)).toEqual([partitionGroup(1), partitionGroup(2)])
})

const status = (queue: string): QueueStatus => ({
  queue,
  ready: 0,
  leased: 0,
  delayed: 0,
  dead: 0,
  total: 0,
  oldestReadyAgeMs: 0,
  config: { ...DEFAULT_CONFIG, deadLetter: `${queue}!dlq` },
})
const page = (queues: readonly string[], cursor: string | null) => ({ queues: queues.map(status), cursor }) as unknown as Plain
const shown = ({ queues, cursor }: QueuePage) => [queues.map(({ queue }) => queue), cursor]

test('queues are listed over all partitions, by name', async () => {
  const proposer = new TellingProposer()
  const queues = createQueues(proposer, { partitions: PARTITIONS, hash })
  const kept = [['a', 'e'], ['c'], [], ['b', 'd', 'f']]
  proposer.answer = (partition) => page(kept[partition] as string[], null)
  expect(shown(await queues.list('n', '', 4, READ))).toEqual([['a', 'b', 'c', 'd'], 'd'])
  expect(proposer.asked).toEqual(
    kept.map((_, partition) => ({
      group: partitionGroup(partition),
      request: { type: 'queue_list', namespace: 'n', cursor: '', limit: 4 },
    })),
  )
  expect(shown(await queues.list('n', '', 6, READ))).toEqual([['a', 'b', 'c', 'd', 'e', 'f'], null])
  // One that has more to show than it was asked for says so itself.
  proposer.answer = (partition) => (partition === 2 ? page(['a', 'b'], 'b') : page([], null))
  expect(shown(await queues.list('n', '', 2, READ))).toEqual([['a', 'b'], 'b'])
  proposer.answer = () => page([], null)
  expect(shown(await queues.list('n', 'z', 2, READ))).toEqual([[], null])
})

test('reads go to the partition of the queue; a refusal rejects', async () => {
  const proposer = new TellingProposer()
  const queues = createQueues(proposer, { partitions: PARTITIONS, hash })
  proposer.answer = () => status('q1') as unknown as Plain
  expect(await queues.status(Q, READ)).toEqual(status('q1'))
  proposer.answer = () => ({ messages: [], cursor: null })
  expect(await queues.browse(Q, { state: 'dead', cursor: 'c', limit: 3 }, READ)).toEqual({ messages: [], cursor: null })
  expect(proposer.asked).toEqual([
    { group: partitionGroup(1), request: { type: 'queue_status', ...Q } },
    { group: partitionGroup(1), request: { type: 'queue_browse', ...Q, state: 'dead', cursor: 'c', limit: 3 } },
  ])
  proposer.answer = () => replies.refused(invalid('cursor', 'not a cursor'))
  await expect(queues.browse(Q, { state: 'dead', cursor: 'c', limit: 3 }, READ)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(queues.list('n', 'z', 2, READ)).rejects.toBeInstanceOf(TricordError)
})

test('an answer that cannot be read is an outcome that nobody knows, and throws nothing', async () => {
  const anything = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Plain>
  const tuple = fc.tuple(fc.integer({ min: 0, max: 12 }), fc.array(anything, { maxLength: 10 })).map(([kind, rest]) => [kind, ...rest])
  const command: QueueCommand = { type: 'queue_purge', namespace: 'n', queue: 'q1' }
  const refused = (error: unknown): TricordError => {
    expect(error).toBeInstanceOf(TricordError)
    return error as TricordError
  }
  await fc.assert(
    fc.asyncProperty(fc.oneof(anything, tuple as fc.Arbitrary<Plain>), async (said) => {
      const proposer = new TellingProposer()
      proposer.result = { ok: true, reply: said }
      proposer.answer = () => said
      const queues = createQueues(proposer, { partitions: PARTITIONS, hash })
      const options = { timeoutMs: 1_000, consistency: 'stale' } as const
      const answers = [
        await new Promise((resolve) => queues.submit(command, { timeoutMs: 1_000 }, resolve)),
        await queues.status({ namespace: 'n', queue: 'q1' }, options).catch(refused),
        await queues.list('n', '', 10, options).catch(refused),
        await queues.browse({ namespace: 'n', queue: 'q1' }, { state: 'ready', cursor: '', limit: 10 }, options).catch(refused),
      ]
      for (const one of answers) if (one instanceof TricordError) expect(typeof one.retryable).toBe('boolean')
    }),
    { numRuns: 500 },
  )
})

test('a waiting dequeue tells where its caller waits, but for one that has a key', async () => {
  const proposer = new TellingProposer()
  const queues = createQueues(proposer, { partitions: PARTITIONS, hash }, 'n1@7')
  const dequeue = (waitMs: number) =>
    ({ type: 'queue_dequeue', ...Q, max: 1, waitMs, visibilityMs: null, consumer: '', watcher: '' }) as const
  const key = { key: 'k', fingerprint: 'f' }
  for (const [waitMs, options] of [
    [5, {}],
    [0, {}],
    [5, { idempotencyKey: key }],
  ] as const) {
    await new Promise((resolve) => queues.submit(dequeue(waitMs), { timeoutMs: 1_000, ...options }, resolve))
  }
  expect(proposer.sent.map(({ command }) => 'gateway' in command && command.gateway)).toEqual(['n1@7', false, false])
})
