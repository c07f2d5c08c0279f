/** The lock operations as the gateway offers them: members and defaults of API.md in, API.md's answers out. HTTP and WebSocket share them. */
import { TricordError } from '../base/errors.ts'
import type { AcquireCommand, Answered, CommandOptions, SessionProof } from '../lock/types.ts'
import { type Gateway, expectReply } from './gateway.ts'
import { invalid } from './errors.ts'
import type { AcquireBody } from './schemas.ts'

/** How a call is known to the log: the same for HTTP and WebSocket. */
export interface CallScope {
  readonly namespace: string
  readonly session: SessionProof | null
  readonly key?: CommandOptions['idempotencyKey']
  readonly traceparent: string
}

export function commandOptions(gateway: Gateway, scope: CallScope, waitMs = 0): CommandOptions {
  const timeoutMs = gateway.settings.commandTimeoutMs + waitMs
  return { timeoutMs, ...(scope.key && { idempotencyKey: scope.key }), ...(scope.traceparent && { traceparent: scope.traceparent }) }
}

export function acquireCommand(gateway: Gateway, scope: CallScope, name: string, body: AcquireBody, proof: string): AcquireCommand {
  const { defaultLeaseMs, waitMsMax } = gateway.settings
  const waitMs = body.waitMs ?? 0
  if (waitMs > waitMsMax) throw invalid([{ path: 'waitMs', message: `at most ${waitMsMax} here (locks.max_wait_time_seconds)` }])
  return {
    type: 'lock_acquire',
    namespace: scope.namespace,
    items: [{ name, mode: body.mode ?? 'exclusive' }],
    session: scope.session,
    implicitProof: scope.session ? '' : proof,
    owner: body.owner ?? '',
    waitMs,
    leaseMs: body.leaseMs ?? defaultLeaseMs,
    priority: body.priority ?? 0,
    reentrant: body.reentrant ?? false,
    metadata: body.metadata ?? null,
  }
}

/** API.md's answer to a reply, whichever call it is of. `secret`: of the session that the call has opened or was made in; '': not known. */
export function answerOf(reply: Answered, secret = ''): Record<string, unknown> {
  switch (reply.type) {
    case 'granted':
      return grantAnswer(reply, secret)
    case 'released':
      return { released: true, count: reply.count, heldMs: reply.heldMs }
    case 'renewed':
      return { remainingMs: reply.remainingMs, token: reply.token }
    case 'opened':
      return { session: tokenOf(reply.session, secret), ttlMs: reply.ttlMs }
    case 'alive':
      return { remainingMs: reply.remainingMs }
    case 'closed':
      return { closed: true, released: reply.released }
  }
}

function grantAnswer({ grants, waitedMs }: Extract<Answered, { type: 'granted' }>, secret: string): Record<string, unknown> {
  const [grant] = grants
  if (!grant) throw new TricordError('UNKNOWN_OUTCOME', 'the leader answered with a grant without a lock')
  return { acquired: true, ...grant, session: tokenOf(grant.session, secret), waitedMs }
}

const tokenOf = (session: string, secret: string): string => (secret === '' ? session : `${session}.${secret}`)

/** Granted while its caller went away: nobody knows the grant, so nobody would release it. */
export function releaseUnheard(gateway: Gateway, { namespace, session }: CallScope, reply: Answered): void {
  for (const { name, grantId } of expectReply(reply, 'granted').grants) {
    const command = { type: 'lock_release', namespace, name, grantId, session } as const
    gateway.backend.locks.submit(command, commandOptions(gateway, { namespace, session, traceparent: '' }), () => {})
  }
}

/** `"onBusy":"result"`: a busy lock is an answer, not a refusal. */
export function busyAnswer(error: unknown, body: AcquireBody): Record<string, unknown> | null {
  if (body.onBusy !== 'result' || !(error instanceof TricordError)) return null
  if (error.code !== 'LOCK_HELD' && error.code !== 'WAIT_TIMEOUT') return null
  return { acquired: false, holders: error.details['holders'] ?? [], queueLength: error.details['queueLength'] ?? 0 }
}
