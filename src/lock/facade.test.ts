/** The facade over a proposer that applies to a machine at once and answers later, as the real one does. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Bed, acquireCommand } from '../../test/lock/bed.ts'
import { LOCKS_GROUP } from '../base/ids.ts'
import type { GroupId } from '../base/ids.ts'
import type { Plain } from '../actors/envelope.ts'
import type { KeyOutcome, Proposer, SubmitOptions, SubmitResult } from '../raft/proposer.ts'
import type { LockCommand, LockReply } from './types.ts'
import { TricordError } from '../base/errors.ts'
import { createLocks } from './facade.ts'
import { encodeCommand } from './codec.ts'

class DirectProposer implements Proposer {
  readonly bed = new Bed()
  readonly options: SubmitOptions[] = []
  failWith: TricordError | null = null
  known: KeyOutcome = { state: 'unknown' }
  pending = 0

  submit(group: GroupId, command: Uint8Array, options: SubmitOptions, done: (result: SubmitResult) => void): { cancel(): void } {
    expect(group).toBe(LOCKS_GROUP)
    this.options.push(options)
    const error = this.failWith
    const reply = this.bed.machine.apply(this.bed, ++this.bed.ticket, command)
    queueMicrotask(() => (error !== null ? done({ ok: false, error }) : done({ ok: true, reply })))
    return { cancel: () => {} }
  }

  query(group: GroupId, request: Plain): Promise<{ reply: Plain; appliedIndex: number; time: number }> {
    expect(group).toBe(LOCKS_GROUP)
    return Promise.resolve({ reply: this.bed.machine.query(request, this.bed.time), appliedIndex: 1, time: this.bed.time })
  }

  outcome(): Promise<KeyOutcome> {
    return Promise.resolve(this.known)
  }

  close(): void {}
}

function submit(proposer: Proposer, command: LockCommand, options: object = {}): Promise<LockReply | TricordError> {
  return new Promise((resolve) => createLocks(proposer).submit(command, { timeoutMs: 1_000, ...options }, resolve))
}

test('commands go through the log and come back as replies, refusals as errors', async () => {
  const proposer = new DirectProposer()
  const idempotencyKey = { key: 'k', fingerprint: 'f' }
  const reply = await submit(proposer, acquireCommand([['a', 'exclusive']], { owner: 'x' }), { idempotencyKey, traceparent: '00-1' })
  expect(reply).toMatchObject({ type: 'granted', grants: [{ name: 'a', token: 1, owner: 'x' }] })
  expect(proposer.options).toEqual([{ timeoutMs: 1_000, key: idempotencyKey, traceparent: '00-1' }])
  const refusal = await submit(proposer, acquireCommand([['a', 'exclusive']]))
  expect(refusal).toBeInstanceOf(TricordError)
  expect(refusal).toMatchObject({
    code: 'LOCK_HELD',
    retryable: true,
    outcome: 'not-applied',
    details: { queueLength: 0, holders: [{ owner: 'x' }] },
  })
  expect(proposer.options[1]).toEqual({ timeoutMs: 1_000 })
})

test('what gives back or keeps is essential, what takes is not', async () => {
  const proposer = new DirectProposer()
  const session = { id: 's_x', proof: 'p' }
  const grant = { namespace: 'default', name: 'a', grantId: 'g_1', session: null } as const
  const commands: readonly (readonly [boolean, LockCommand])[] = [
    [false, acquireCommand([['a', 'exclusive']])],
    [false, { type: 'session_open', namespace: 'default', proof: 'p', ttlMs: 5_000, lingers: false, name: '', metadata: null }],
    [true, { type: 'lock_release', ...grant }],
    [true, { type: 'lock_renew', ...grant, leaseMs: null }],
    [true, { type: 'session_keepalive', session }],
    [true, { type: 'session_close', session }],
  ]
  for (const [, command] of commands) await submit(proposer, command)
  expect(proposer.options.map(({ essential = false }) => essential)).toEqual(commands.map(([essential]) => essential))
})

test('errors of the way itself are passed on', async () => {
  const proposer = new DirectProposer()
  proposer.failWith = new TricordError('UNKNOWN_OUTCOME', 'no answer')
  expect(await submit(proposer, acquireCommand([['a', 'exclusive']]))).toBe(proposer.failWith)
})

test('reads', async () => {
  const proposer = new DirectProposer()
  const locks = createLocks(proposer)
  proposer.bed.take('a')
  const session = proposer.bed.open()
  expect(await locks.status('default', 'a', { timeoutMs: 100, consistency: 'stale' })).toMatchObject({ state: 'held', mode: 'exclusive' })
  expect(await locks.sessions('default', '', 10, 100)).toMatchObject({ sessions: [{ id: session.id }], cursor: null })
  await expect(locks.sessions('default', 'nonsense', 10, 100)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('what became of a command, by its key', async () => {
  const proposer = new DirectProposer()
  const locks = createLocks(proposer)
  expect(await locks.outcome('k', 100)).toBe('unknown')
  proposer.known = { state: 'waiting' }
  expect(await locks.outcome('k', 100)).toBe('waiting')
  const reply = proposer.bed.machine.apply(proposer.bed, ++proposer.bed.ticket, encodeCommand(acquireCommand([['a', 'exclusive']])))
  proposer.known = { state: 'answered', result: { ok: true, reply } }
  expect(await locks.outcome('k', 100)).toMatchObject({ type: 'granted', grants: [{ name: 'a' }] })
  proposer.known = { state: 'answered', result: { ok: false, error: new TricordError('OVERLOADED', 'full') } }
  expect(await locks.outcome('k', 100)).toMatchObject({ code: 'OVERLOADED' })
})

test('an answer that cannot be read is an outcome that nobody knows, and throws nothing', async () => {
  const kinds = fc.constantFrom<Plain>(0, 1, 2, 3, 4, 5, 6, 7)
  const anything = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Plain>
  const reply = fc.oneof(anything, fc.tuple(kinds, anything, anything, anything, anything), fc.tuple(kinds))
  await fc.assert(
    fc.asyncProperty(reply as fc.Arbitrary<Plain>, async (said) => {
      const answer = Promise.resolve({ reply: said, appliedIndex: 1, time: 1 })
      const outcome: KeyOutcome = { state: 'answered', result: { ok: true, reply: said } }
      const proposer: Proposer = {
        pending: 0,
        submit: (_group, _command, _options, done) => {
          queueMicrotask(() => done({ ok: true, reply: said }))
          return { cancel: () => {} }
        },
        query: () => answer,
        outcome: () => Promise.resolve(outcome),
        close: () => {},
      }
      const locks = createLocks(proposer)
      const options = { timeoutMs: 1_000, consistency: 'stale' } as const
      const refused = (error: unknown): TricordError => {
        expect(error).toBeInstanceOf(TricordError)
        return error as TricordError
      }
      const answers = [
        await submit(proposer, acquireCommand([['a', 'exclusive']])),
        await locks.outcome('k', 1_000),
        await locks.status('n', 'a', options).catch(refused),
        await locks.sessions('n', '', 1, 1_000).catch(refused),
      ]
      for (const one of answers) if (one instanceof TricordError) expect(typeof one.retryable).toBe('boolean')
    }),
    { numRuns: 500 },
  )
})
