/**
 * The lock manager as the API sees it: commands become bytes, go through the log of the `locks` group, and come back as
 * replies or refusals. No promise on the way of a command.
 */
import { LOCKS_GROUP } from '../base/ids.ts'
import { TricordError } from '../base/errors.ts'
import type { Plain } from '../actors/envelope.ts'
import { isViewOrTuple, readOr, refusalOf, unreadable } from '../raft/unreadable.ts'
import type { Proposer, QueryOptions, SubmitOptions, SubmitResult } from '../raft/proposer.ts'
import type { Answered, CommandOptions, LockCommand, LockStatus, LockQuery, Locks, SessionView } from './types.ts'
import { decodeReply } from './replies.ts'
import { encodeCommand } from './codec.ts'

export function createLocks(proposer: Proposer): Locks {
  return {
    submit(command, options, done) {
      return proposer.submit(LOCKS_GROUP, encodeCommand(command), submitOptions(command, options), (result) => done(outcomeOf(result)))
    },
    async outcome(key, timeoutMs) {
      const found = await proposer.outcome(LOCKS_GROUP, key, { timeoutMs, consistency: 'linearizable' })
      return found.state === 'answered' ? outcomeOf(found.result) : found.state
    },
    status: async (namespace, name, options) =>
      (await ask(proposer, { type: 'lock_status', namespace, name }, options)) as unknown as LockStatus,
    async sessions(namespace, cursor, limit, timeoutMs) {
      const question = { type: 'session_list', namespace, cursor, limit } as const
      const answer = await ask(proposer, question, { timeoutMs, consistency: 'linearizable' })
      return answer as unknown as { readonly sessions: readonly SessionView[]; readonly cursor: string | null }
    },
  }
}

function outcomeOf(result: SubmitResult): Answered | TricordError {
  if (!result.ok) return result.error
  const reply = readOr(() => decodeReply(result.reply))
  if (reply instanceof TricordError) return reply
  return reply.type === 'refused' ? refusalOf(reply) : reply
}

async function ask(proposer: Proposer, question: LockQuery, options: QueryOptions): Promise<Plain> {
  const { reply } = await proposer.query(LOCKS_GROUP, question, options)
  if (!isViewOrTuple(reply)) throw unreadable('neither a view nor a refusal')
  if (!Array.isArray(reply)) return reply
  // Views are objects; a tuple is a refusal.
  const refusal = readOr(() => decodeReply(reply))
  if (refusal instanceof TricordError) throw refusal
  if (refusal.type === 'refused') throw refusalOf(refusal)
  return reply
}

function submitOptions(command: LockCommand, options: CommandOptions): SubmitOptions {
  const { timeoutMs, idempotencyKey, traceparent } = options
  const key = idempotencyKey === undefined ? {} : { key: idempotencyKey }
  const essential = takesSpace(command) ? {} : { essential: true }
  return traceparent === undefined ? { timeoutMs, ...key, ...essential } : { timeoutMs, traceparent, ...key, ...essential }
}

/** Releases and renewals are taken though the disk is low: nobody loses a lock to it, and the space comes back. */
function takesSpace({ type }: LockCommand): boolean {
  return type === 'lock_acquire' || type === 'session_open'
}
