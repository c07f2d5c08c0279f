/** `lock.*`: the calls of `/locks/{name}/…`, without a promise on the hot path. */
import { TricordError } from '../../base/errors.ts'
import type { LockCommand } from '../../lock/types.ts'
import { type CallScope, acquireCommand, answerOf, busyAnswer, commandOptions, releaseUnheard } from '../lock-calls.ts'
import { type AcquireBody, statusQuery } from '../schemas.ts'
import { secretIn } from '../session-token.ts'
import type { SocketCall } from './call.ts'
import { acquireBodyOf, releaseBodyOf, renewBodyOf } from './hot-bodies.ts'
import type { Caller, Operations } from './operations.ts'
import type { OpenSession } from './session.ts'

export const lockOperations: Operations = { 'lock.acquire': acquire, 'lock.release': release, 'lock.renew': renew, 'lock.status': status }

function scopeOf(call: SocketCall, action: string, session: OpenSession | null): CallScope {
  const key = call.key(action, session?.token ?? '')
  return { namespace: call.namespace, session: session?.proof ?? null, ...(key && { key }), traceparent: call.traceparent }
}

function acquire(call: SocketCall, caller: Caller): void {
  const name = call.lockName()
  const body = acquireBodyOf(call)
  const { gateway, session } = caller
  const began = gateway.backend.clock.now()
  session.ensure(call.namespace, { ttlMs: gateway.settings.defaultLeaseMs, name: '', metadata: null }, (own) => {
    if (own instanceof TricordError) call.fail(own)
    else call.attempt(() => acquireIn(own, call, caller, name, body, began))
  })
}

function acquireIn(own: OpenSession, call: SocketCall, { gateway, session }: Caller, name: string, body: AcquireBody, began: number): void {
  const { locks, clock } = gateway.backend
  const scope = scopeOf(call, 'acquire', own)
  const command = acquireCommand(gateway, scope, name, body, '')
  let isGivenUp = false
  const submission = locks.submit(command, commandOptions(gateway, scope, command.waitMs), (reply) => {
    const refused = reply instanceof TricordError
    gateway.metrics.acquired(refused ? reply.code : 'acquired', (clock.now() - began) / 1_000)
    if (!refused) {
      // One with a key can be asked for again.
      if (isGivenUp && !scope.key) releaseUnheard(gateway, scope, reply)
      return call.attempt(() => call.answer(answerOf(reply, secretIn(own.token))))
    }
    session.failed(own, reply)
    const busy = busyAnswer(reply, body)
    if (busy) call.answer(busy)
    else call.fail(reply)
  })
  call.cancel = () => {
    isGivenUp = true
    submission.cancel()
  }
}

function release(call: SocketCall, caller: Caller): void {
  const name = call.lockName()
  const { grantId } = releaseBodyOf(call)
  submitIn(call, caller, 'release', { type: 'lock_release', namespace: call.namespace, name, grantId, session: null })
}

function renew(call: SocketCall, caller: Caller): void {
  const name = call.lockName()
  const { grantId, leaseMs = null } = renewBodyOf(call)
  submitIn(call, caller, 'renew', { type: 'lock_renew', namespace: call.namespace, name, grantId, session: null, leaseMs })
}

type GrantCommand = Extract<LockCommand, { type: 'lock_release' | 'lock_renew' }>

/** In the session of the connection; without one, for the grants that were taken without one. */
function submitIn(call: SocketCall, { gateway, session }: Caller, action: string, command: GrantCommand): void {
  session.settled((own) =>
    call.attempt(() => {
      const scope = scopeOf(call, action, own)
      gateway.backend.locks.submit({ ...command, session: scope.session }, commandOptions(gateway, scope), (reply) => {
        if (!(reply instanceof TricordError)) return call.attempt(() => call.answer(answerOf(reply)))
        if (own) session.failed(own, reply)
        call.fail(reply)
      })
    }),
  )
}

function status(call: SocketCall, { gateway }: Caller): void {
  const name = call.lockName()
  const { consistency = 'linearizable' } = call.body(statusQuery, true)
  const options = { timeoutMs: gateway.settings.commandTimeoutMs, consistency, traceparent: call.traceparent }
  gateway.backend.locks.status(call.namespace, name, options).then(
    (answer) => call.answer({ ...answer }),
    (error: unknown) => call.fail(error),
  )
}
