/** The lock operations as the gateway offers them: members and defaults of API.md in, API.md's answers out. HTTP and WebSocket share them. */
import { TricordError } from '../base/errors.ts'
import { type AcquireCommand, type Answered, type CommandOptions, type SessionProof, isImplicit } from '../lock/types.ts'
import { type Gateway, expectReply, run } from './gateway.ts'
import { invalid } from './errors.ts'
import type { AcquireBody } from './schemas.ts'
import type { Secret } from './session-token.ts'

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

export function acquireCommand(gateway: Gateway, scope: CallScope, name: string, body: AcquireBody, implicit: Secret): AcquireCommand {
  const { defaultLeaseMs, waitMsMax } = gateway.settings
  const waitMs = body.waitMs ?? 0
  if (waitMs > waitMsMax) throw invalid([{ path: 'waitMs', message: `at most ${waitMsMax} here (locks.max_wait_time_seconds)` }])
  return {
    type: 'lock_acquire',
    namespace: scope.namespace,
    items: [{ name, mode: body.mode ?? 'exclusive' }],
    session: scope.session,
    implicitProof: scope.session ? '' : implicit.proof,
    owner: body.owner ?? '',
    waitMs,
    leaseMs: body.leaseMs ?? defaultLeaseMs,
    priority: body.priority ?? 0,
    reentrant: body.reentrant ?? false,
    metadata: body.metadata ?? null,
  }
}

/** API.md's answer to an acquire. An implicit session's secret is shown with its grant. */
export function grantAnswer({ grants, waitedMs }: Extract<Answered, { type: 'granted' }>, implicit: Secret): Record<string, unknown> {
  const [grant] = grants
  if (!grant) throw new Error('a grant without a lock')
  const session = isImplicit(grant.session) ? `${grant.session}.${implicit.text}` : grant.session
  return { acquired: true, ...grant, session, waitedMs }
}

/** `"onBusy":"result"`: a busy lock is an answer, not a refusal. */
export function busyAnswer(error: unknown, body: AcquireBody): Record<string, unknown> | null {
  if (body.onBusy !== 'result' || !(error instanceof TricordError)) return null
  if (error.code !== 'LOCK_HELD' && error.code !== 'WAIT_TIMEOUT') return null
  return { acquired: false, holders: error.details['holders'] ?? [], queueLength: error.details['queueLength'] ?? 0 }
}

export async function release(gateway: Gateway, scope: CallScope, name: string, grantId: string): Promise<Record<string, unknown>> {
  const { namespace, session } = scope
  const reply = await run(gateway, { type: 'lock_release', namespace, name, grantId, session }, commandOptions(gateway, scope))
  const { count, heldMs } = expectReply(reply, 'released')
  return { released: true, count, heldMs }
}

export async function renew(
  gateway: Gateway,
  scope: CallScope,
  name: string,
  grantId: string,
  leaseMs: number | null,
): Promise<Record<string, unknown>> {
  const { namespace, session } = scope
  const reply = await run(gateway, { type: 'lock_renew', namespace, name, grantId, session, leaseMs }, commandOptions(gateway, scope))
  const { remainingMs, token } = expectReply(reply, 'renewed')
  return { remainingMs, token }
}
