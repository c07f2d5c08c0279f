/** `session.*`: the session of this connection, and others by their secret. */
import { z } from 'zod'
import { TricordError } from '../../base/errors.ts'
import type { Answered, SessionProof } from '../../lock/types.ts'
import { answerOf } from '../lock-calls.ts'
import { sessionBody } from '../schemas.ts'
import { readToken } from '../session-token.ts'
import type { SocketCall } from './call.ts'
import type { Caller, Operations } from './operations.ts'
import type { OpenSession } from './session.ts'

const token = z.string().max(192)
const resumeBody = z.strictObject({ session: token })
const namedBody = z.strictObject({ session: token.optional() })

export const sessionOperations: Operations = {
  'session.open': open,
  'session.resume': resume,
  'session.keepalive': keepalive,
  'session.close': close,
}

/** Where there is one already, it is the answer, and the members have no effect. */
function open(call: SocketCall, { gateway, session }: Caller): void {
  const { ttlMs = gateway.settings.defaultLeaseMs, name = '', metadata = null } = call.body(sessionBody, false)
  session.ensure(call.namespace, { ttlMs, name, metadata }, (opened) => {
    if (opened instanceof TricordError) call.fail(opened)
    // A foreign session's TTL is not known before it was asked for.
    else if (opened.ttlMs === 0) session.resume(opened.token, (asked) => shown(call, asked))
    else shown(call, opened)
  })
}

function resume(call: SocketCall, { session }: Caller): void {
  session.resume(call.body(resumeBody, false).session, (resumed) => shown(call, resumed))
}

function shown(call: SocketCall, session: OpenSession | TricordError): void {
  if (session instanceof TricordError) call.fail(session)
  else call.answer({ session: session.token, ttlMs: session.ttlMs })
}

function keepalive(call: SocketCall, { session }: Caller): void {
  session.keepalive(claimOf(call), (reply) => answered(call, reply))
}

function close(call: SocketCall, { session }: Caller): void {
  session.close(claimOf(call), (reply) => answered(call, reply))
}

/** The session of HTTP's path may be named whole; without it the connection's is meant. */
function claimOf(call: SocketCall): SessionProof | null {
  const { session } = call.body(namedBody, false)
  return session === undefined ? null : readToken(session)
}

function answered(call: SocketCall, reply: Answered | TricordError): void {
  if (reply instanceof TricordError) call.fail(reply)
  else call.answer(answerOf(reply))
}
