/** A gateway over a lock manager that answers as it is told, in virtual time: for what must happen at the worst moment. */
import type { TricordError } from '../src/base/errors.ts'
import type { Gateway } from '../src/api/gateway.ts'
import { GatewayMetrics } from '../src/api/metrics.ts'
import type { Answered, CommandOptions, LockCommand } from '../src/lock/types.ts'
import { ManualClock } from './manual-clock.ts'

export interface Submitted {
  readonly command: LockCommand
  readonly options: CommandOptions
  readonly done: (reply: Answered | TricordError) => void
  cancelled: boolean
}

export function toldGateway() {
  const clock = new ManualClock()
  const submitted: Submitted[] = []
  const readiness = { ready: true, reason: '' }
  const locks = {
    submit(command: LockCommand, options: CommandOptions, done: Submitted['done']) {
      const submission = { command, options, done, cancelled: false }
      submitted.push(submission)
      return { cancel: () => void (submission.cancelled = true) }
    },
  }
  const random = { bytes: (length: number) => new Uint8Array(length) }
  const backend = { node: 'n1', version: '1', clock, random, locks, ready: async () => readiness }
  const settings = { defaultLeaseMs: 30_000, waitMsMax: 60_000, bodyBytesMax: 1_000, commandTimeoutMs: 10_000 }
  const gateway = { backend, settings, metrics: new GatewayMetrics('n1'), startSpan: null } as unknown as Gateway
  return { clock, submitted, readiness, gateway }
}

/** Of an exclusive lock called `a`. */
export function grantedIn(session: string): Answered {
  const grant = {
    name: 'a',
    mode: 'exclusive',
    owner: '',
    grantId: 'g_1',
    token: 1,
    session,
    leaseMs: 1,
    remainingMs: 1,
    count: 1,
  } as const
  return { type: 'granted', grants: [grant], waitedMs: 0 }
}
