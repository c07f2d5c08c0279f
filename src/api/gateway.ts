/** What the routes and the sockets share: the node behind, the settings, the counters, the traces. */
import { TricordError } from '../base/errors.ts'
import type { Answered, CommandOptions, LockCommand } from '../lock/types.ts'
import { startSpan } from '../telemetry/tracing.ts'
import type { Backend } from './backend.ts'
import type { GatewayMetrics } from './metrics.ts'

/** A span that is open; its traceparent names it as the parent of what it causes. */
export interface GatewaySpan {
  readonly traceparent: string
  rename(name: string): void
  end(attributes?: Readonly<Record<string, string | number | boolean>>, error?: string): void
}
/** Starts a request's span, or null where the request is not sampled. */
export type StartSpan = (
  name: string,
  traceparent: string | null,
  attributes: Readonly<Record<string, string | number | boolean>>,
) => GatewaySpan | null

export interface GatewaySettings {
  readonly defaultLeaseMs: number
  readonly waitMsMax: number
  readonly bodyBytesMax: number
  /** How long a command may take beyond what it asked to wait. */
  readonly commandTimeoutMs: number
}

export interface Gateway {
  readonly backend: Backend
  readonly settings: GatewaySettings
  readonly metrics: GatewayMetrics
  readonly startSpan: StartSpan | null
}

/** One command as a promise: for HTTP, where each call is a promise anyway. `onSubmitted` gets the way to give it up. */
export function run(
  gateway: Gateway,
  command: LockCommand,
  options: CommandOptions,
  onSubmitted?: (cancel: () => void) => void,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const span = startSpan(`ask ${command.type}`, options.traceparent ?? '', 'client', { 'tricord.node': gateway.backend.node })
    const traced = span ? { ...options, traceparent: span.traceparent } : options
    const submission = gateway.backend.locks.submit(command, traced, (reply) => {
      span?.end({ 'tricord.outcome': reply instanceof TricordError ? reply.code : reply.type })
      if (reply instanceof TricordError) reject(reply)
      else resolve(reply)
    })
    onSubmitted?.(() => submission.cancel())
  })
}

/** A reply of the kind that the command asks for; anything else is a bug of the state machine. */
export function expectReply<T extends Answered['type']>(reply: Answered, type: T): Extract<Answered, { type: T }> {
  if (reply.type !== type) throw new Error(`expected a reply of type ${type}, got ${reply.type}`)
  return reply as Extract<Answered, { type: T }>
}
