/**
 * One connection: frames in, calls out to the operations, their answers gathered and sent once per turn.
 *
 *   receive(frame) ──> calls ──> operation ──…──> answer ─┐
 *                                          answer ────────┴──> flush at the end of the turn: one frame
 *
 * Answers come in any order; the id says whose they are. At the end of the connection its waits are given up one by one,
 * through the log (not the session's as a whole: another connection may have resumed it already).
 */
import { AssertionError } from '../../base/assert.ts'
import { TricordError } from '../../base/errors.ts'
import { invalid, toProblem } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import { UNREAD_VALUES_BYTES_MAX } from './cache-operations.ts'
import { CacheSubscriptions } from './cache-subscriptions.ts'
import { type Answers, type CallId, type Members, SocketCall, readEnvelope, readId } from './call.ts'
import { type FrameCodec, NotPlain } from './frames.ts'
import { type Caller, OPERATIONS } from './operations.ts'
import { SocketSession } from './session.ts'
import { type Pushes, Subscriptions } from './subscriptions.ts'

export const OPS_PER_FRAME_MAX = 1_000
export const IN_FLIGHT_MAX = 10_000
export const GARBAGE_MAX = 16
/** Of pushed messages that one turn gathers. */
const PUSHED_BYTES_MAX = 1_048_576
const NOT_PLAIN = 'holds what JSON cannot say (a date, an integer beyond 2^53, text that is no UTF-8, …), or is nested too deep'
/** RFC 6455, 7.4.1. */
export const POLICY_VIOLATION = 1008

/** The way out. */
export interface Outlet {
  /** The peer does not take what is sent: nothing is to be begun for it. */
  readonly isHeldBack: boolean
  /** Sent, and not yet taken by the peer. */
  readonly unreadBytes: number
  send(frame: string | Uint8Array): void
  close(code: number, reason: string): void
}

export interface ConnectionOptions {
  readonly requestId: string
  readonly namespace: string
  /** The session that came with the connection, `<id>.<secret>`, or null. */
  readonly session: string | null
  /** An error that is nobody's refusal. */
  readonly onBug: (error: unknown) => void
}

export class Connection implements Answers, Pushes {
  readonly #gateway: Gateway
  readonly #codec: FrameCodec
  readonly #outlet: Outlet
  readonly #options: ConnectionOptions
  readonly #session: SocketSession
  readonly #subscriptions: Subscriptions
  readonly #cacheSubscriptions: CacheSubscriptions
  readonly #caller: Caller
  readonly #calls = new Set<SocketCall>()
  #ready: Members[] = []
  #asArray = false
  #isFlushDue = false
  #pushedBytes = 0
  /** Of values that are answered in this turn. */
  #valueBytes = 0
  #garbage = 0
  #problems = 0
  #ended = false

  /** Throws UNAUTHENTICATED where the session is not `<id>.<secret>`. */
  constructor(gateway: Gateway, codec: FrameCodec, outlet: Outlet, options: ConnectionOptions) {
    this.#gateway = gateway
    this.#codec = codec
    this.#outlet = outlet
    this.#options = options
    this.#session = new SocketSession(gateway, options.session, (session) => this.#push({ event: 'session.expired', session }, false))
    this.#subscriptions = new Subscriptions(gateway, options.requestId, this)
    this.#cacheSubscriptions = new CacheSubscriptions(gateway, this)
    this.#caller = {
      gateway,
      session: this.#session,
      subscriptions: this.#subscriptions,
      cacheSubscriptions: this.#cacheSubscriptions,
      carriesBytes: codec.carriesBytes,
      takesValue: (bytes) => this.#takesValue(bytes),
    }
  }

  receive(data: Uint8Array, isBinary: boolean): void {
    if (this.#ended) return
    this.#gateway.metrics.socketFrames.inc({ direction: 'in' })
    const frame = this.#codec.decode(data, isBinary)
    if (frame === undefined) return this.#refuseGarbage(`not a frame of ${this.#codec.protocol}`)
    if (!Array.isArray(frame)) return this.#request(frame, false)
    if (frame.length === 0 || frame.length > OPS_PER_FRAME_MAX) {
      return this.#refuseGarbage(`an array holds 1 to ${OPS_PER_FRAME_MAX} requests, not ${frame.length}`)
    }
    for (const request of frame) this.#request(request, true)
  }

  /** The socket is gone, or about to go: nothing more is answered. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#session.end()
    this.#subscriptions.end()
    this.#cacheSubscriptions.end()
    for (const call of this.#calls) {
      call.span?.end({}, 'the connection ended')
      call.cancel?.()
    }
    this.#calls.clear()
  }

  answered(call: SocketCall, result: Members): void {
    if (!this.#calls.delete(call)) return
    call.span?.end()
    this.#push({ id: call.id, ok: true, result }, call.inArray)
  }

  failed(call: SocketCall, error: unknown): void {
    if (!this.#calls.delete(call)) return
    call.span?.end({}, error instanceof TricordError && error.outcome === 'not-applied' ? undefined : String(error))
    this.#refuse(call.id, error, call.inArray)
  }

  get writable(): boolean {
    return !this.#ended && !this.#outlet.isHeldBack && this.#pushedBytes < PUSHED_BYTES_MAX
  }

  push(event: Members, bytes: number): void {
    this.#pushedBytes += bytes
    this.#push(event, false)
  }

  /** The outlet is held back, or no longer. */
  writableChanged(): void {
    if (this.#ended) return
    this.#subscriptions.writableChanged()
    this.#cacheSubscriptions.writableChanged()
  }

  #takesValue(bytes: number): boolean {
    if (this.#outlet.unreadBytes + this.#valueBytes + bytes > UNREAD_VALUES_BYTES_MAX) return false
    this.#valueBytes += bytes
    return true
  }

  #request(request: unknown, inArray: boolean): void {
    if (this.#ended) return
    const id = readId(request)
    if (id === null) return this.#refuseGarbage('a request is an object with an id: a number, or 1 to 128 characters')
    try {
      if (request instanceof NotPlain) throw invalid([{ path: 'frame', message: NOT_PLAIN }])
      this.#start(id, request as Members, inArray)
    } catch (error) {
      this.#refuse(id, error, inArray)
    }
  }

  #start(id: CallId, members: Members, inArray: boolean): void {
    const envelope = readEnvelope(id, members, this.#options.namespace)
    const operation = OPERATIONS.get(envelope.op)
    if (!operation) throw invalid([{ path: 'op', message: `no such operation: ${envelope.op.slice(0, 64)}` }])
    if (this.#calls.size >= IN_FLIGHT_MAX)
      throw new TricordError('OVERLOADED', `${IN_FLIGHT_MAX} requests of this connection are unanswered`)
    const span = this.#gateway.startSpan?.(`ws ${envelope.op}`, envelope.traceparent || null, { 'rpc.method': envelope.op }) ?? null
    const call = new SocketCall(envelope, inArray, span, this)
    this.#calls.add(call)
    call.attempt(() => operation(call, this.#caller))
  }

  #refuse(id: CallId | null, error: unknown, inArray: boolean): void {
    const requestId = `${this.#options.requestId}-${++this.#problems}`
    if (error instanceof TricordError) return this.#push({ id, ok: false, error: toProblem(error, requestId) }, inArray)
    this.#options.onBug(error)
    const what = error instanceof AssertionError ? 'a broken invariant' : 'an internal error'
    const bug = new TricordError('UNKNOWN_OUTCOME', `${what}; the node’s log has it`)
    this.#push({ id, ok: false, error: toProblem(bug, requestId, 500) }, inArray)
  }

  /** Nobody can tell whose answer it would be; who keeps sending such is cut off. */
  #refuseGarbage(message: string): void {
    this.#refuse(null, invalid([{ path: 'frame', message }]), false)
    if (++this.#garbage < GARBAGE_MAX) return
    this.#flush()
    this.end()
    this.#outlet.close(POLICY_VIOLATION, `${GARBAGE_MAX} frames could not be read`)
  }

  #push(answer: Members, inArray: boolean): void {
    if (this.#ended) return
    this.#ready.push(answer)
    this.#asArray ||= inArray
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#gateway.backend.clock.defer(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushDue = false
    if (this.#ended || this.#ready.length === 0) return
    const ready = this.#ready
    const asArray = this.#asArray || ready.length > 1
    this.#ready = []
    this.#asArray = false
    this.#subscriptions.written()
    const wasFull = this.#pushedBytes >= PUSHED_BYTES_MAX
    this.#pushedBytes = 0
    this.#valueBytes = 0
    if (!asArray) this.#send(ready[0])
    else for (let from = 0; from < ready.length; from += OPS_PER_FRAME_MAX) this.#send(ready.slice(from, from + OPS_PER_FRAME_MAX))
    if (wasFull && !this.#outlet.isHeldBack) this.writableChanged()
  }

  #send(frame: unknown): void {
    this.#gateway.metrics.socketFrames.inc({ direction: 'out' })
    this.#outlet.send(this.#codec.encode(frame))
  }
}
