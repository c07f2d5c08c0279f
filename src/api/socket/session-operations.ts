/** `session.*`: the session of this connection. */
import { z } from 'zod'
import { TricordError } from '../../base/errors.ts'
import { emptyBody, sessionBody } from '../schemas.ts'
import type { SocketCall } from './call.ts'
import type { Caller, Operations } from './operations.ts'
import type { OpenSession } from './session.ts'

const resumeBody = z.strictObject({ session: z.string().max(192) })

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
  call.body(emptyBody, false)
  session.keepalive((remainingMs) => {
    if (remainingMs instanceof TricordError) call.fail(remainingMs)
    else call.answer({ remainingMs })
  })
}

function close(call: SocketCall, { session }: Caller): void {
  call.body(emptyBody, false)
  session.close((released) => {
    if (released instanceof TricordError) call.fail(released)
    else call.answer({ closed: true, released })
  })
}
