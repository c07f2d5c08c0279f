/**
 * The proposer of one actor system: gathers what a turn submits into parcels, sends them to the node's own host, and
 * repeats whatever is not answered (under the same sequences) until its deadline.
 *
 *   submit ──> lane of the group ──flush──> propose ──> host ──> leader … ──> propose_reply ──> done
 *                     ^── NO_LEADER: soon again · a new leader: at once · silence: after a second, then rarer
 *
 * `done` is called once, never inside `submit`. A refusal for want of a leader is never shown while there is time left.
 */
import type { Actor, ActorContext, ActorSystem } from '../../actors/actor.ts'
import type { ActorId, Envelope, Plain } from '../../actors/envelope.ts'
import { assert } from '../../base/assert.ts'
import { type ErrorCode, TricordError, isErrorCode } from '../../base/errors.ts'
import type { GroupId, Millis } from '../../base/ids.ts'
import type { Timer } from '../../io/clock.ts'
import type { KeyOutcome, Proposer, QueryAnswer, QueryOptions, Submission, SubmitOptions, SubmitResult } from '../proposer.ts'
import { isCount } from './codec.ts'
import { unreadable } from '../unreadable.ts'
import { Deadlines } from './deadlines.ts'
import { Lane, Pending } from './lane.ts'
import { encodePropose } from './propose-codec.ts'
import { askQuery } from './query.ts'
import { DONE, REFUSED, SETTLED, WAITING } from './wire.ts'

/** Between looks at deadlines and silences, while anything is pending. */
const TICK_MS: Millis = 50
const SCAN_MS: Millis = 500
const SILENCE_MS: Millis = 1_000
const SILENCE_MAX_MS: Millis = 8_000
/** A wait is asked for again now and then: its answer may have been lost. */
const WAIT_SILENCE_MS: Millis = 5_000
const CANCEL_TIMEOUT_MS: Millis = 30_000
/** The largest value of a cache, with all that is said of it. */
const COMMAND_BYTES_MAX = 1_048_576 + 65_536
const NOTHING = new Uint8Array(0)

export interface ProposerOptions {
  /** The host of this node: `<node>/raft`. */
  readonly raft: ActorId
  readonly path?: string
  readonly pendingMax?: number
  readonly pendingBytesMax?: number
  /** Of one command. */
  readonly commandBytesMax?: number
}

export function createProposer(system: ActorSystem, options: ProposerOptions): Proposer {
  const proposer = new ProposerActor(system, options)
  system.spawn(options.path ?? 'proposer', proposer, { mailboxMax: 1_000_000 })
  return proposer
}

class ProposerActor implements Proposer, Actor {
  readonly #system: ActorSystem
  readonly #options: ProposerOptions
  readonly #pendingMax: number
  readonly #pendingBytesMax: number
  readonly #commandBytesMax: number
  readonly #client: number
  readonly #lanes = new Map<GroupId, Lane>()
  readonly #queued = new Set<Lane>()
  readonly #deadlines = new Deadlines<Pending>()
  #soon: Pending[] = []
  #ctx: ActorContext | null = null
  #woken = false
  #timer: Timer | null = null
  #pending = 0
  #pendingBytes = 0
  #closed = false

  constructor(system: ActorSystem, options: ProposerOptions) {
    this.#system = system
    this.#options = options
    this.#pendingMax = options.pendingMax ?? 200_000
    this.#pendingBytesMax = options.pendingBytesMax ?? 256 * 1024 * 1024
    this.#commandBytesMax = options.commandBytesMax ?? COMMAND_BYTES_MAX
    this.#client = 1 + system.random.below(2 ** 21) * 2 ** 32 + system.random.below(2 ** 32)
  }

  get pending(): number {
    return this.#pending
  }

  start(ctx: ActorContext): void {
    this.#ctx = ctx
  }

  // What the floors above call.

  submit(group: GroupId, command: Uint8Array, options: SubmitOptions, done: (result: SubmitResult) => void): Submission {
    const refusal = this.#refusal(command)
    if (refusal !== null) {
      this.#system.clock.defer(() => done({ ok: false, error: refusal }))
      return { cancel: () => {} }
    }
    const { key = null, traceparent = '', essential = false, timeoutMs } = options
    const pending = this.#add(group, { key, traceparent, cancels: 0, body: command }, { timeoutMs, essential }, done)
    return { cancel: () => this.#cancel(pending) }
  }

  #refusal(command: Uint8Array): TricordError | null {
    if (this.#closed) return new TricordError('STARTING', 'this node is stopping')
    if (command.length > this.#commandBytesMax) return new TricordError('TOO_LARGE', `a command of ${command.length} bytes`)
    const full = this.#pending >= this.#pendingMax || this.#pendingBytes + command.length > this.#pendingBytesMax
    return full ? new TricordError('OVERLOADED', 'too many requests wait for an answer on this node') : null
  }

  #add(
    group: GroupId,
    command: Omit<Pending['command'], 'sequence'>,
    { timeoutMs, essential }: { readonly timeoutMs: Millis; readonly essential: boolean },
    done: (result: SubmitResult) => void,
  ): Pending {
    let lane = this.#lanes.get(group)
    if (lane === undefined) this.#lanes.set(group, (lane = new Lane(group, this.#client)))
    const pending = lane.add(command, essential, done)
    this.#deadlines.add(pending, this.#system.clock.now(), timeoutMs)
    this.#pending++
    this.#pendingBytes += command.body.length
    this.#queue(lane)
    this.#startTimer()
    return pending
  }

  #cancel(pending: Pending): void {
    if (pending.state === 'answered' || pending.cancelled) return
    pending.cancelled = true
    if (pending.state === 'waiting') this.#sendCancel(pending)
    else if (pending.sends === 0) {
      const error = new TricordError('WAIT_TIMEOUT', 'given up before it was sent')
      // Out at once, or the next flush would send what its caller is told was not.
      this.#leave(pending, false, false)
      this.#system.clock.defer(() => pending.done({ ok: false, error }))
    }
  }

  /** Only once the command is known to wait: so the cancellation cannot overtake it. */
  #sendCancel({ lane, command }: Pending): void {
    if (this.#closed) return
    const cancel = { key: null, traceparent: '', cancels: command.sequence, body: NOTHING }
    this.#add(lane.group, cancel, { timeoutMs: CANCEL_TIMEOUT_MS, essential: true }, () => {})
  }

  query(group: GroupId, request: Plain, options: QueryOptions): Promise<QueryAnswer> {
    return askQuery(this.#system, this.#options.raft, group, { key: '', request }, options)
  }

  async outcome(group: GroupId, key: string, options: QueryOptions): Promise<KeyOutcome> {
    const { reply } = await askQuery(this.#system, this.#options.raft, group, { key, request: null }, options)
    if (!Array.isArray(reply)) throw unreadable('what became of a key')
    const [state, refused, answer = null] = reply as readonly Plain[]
    if (state !== 'answered') return { state: state === 'waiting' ? 'waiting' : 'unknown' }
    return { state: 'answered', result: refused === true ? { ok: false, error: errorOf(answer) } : { ok: true, reply: answer } }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    for (const lane of this.#lanes.values()) for (const pending of lane.pending.values()) this.#expire(pending, 'this node is stopping')
    this.#system.stop(this.#options.path ?? 'proposer')
  }

  // The actor.

  #queue(lane: Lane): void {
    this.#queued.add(lane)
    if (this.#woken) return
    this.#woken = true
    assert(this.#ctx !== null, 'the proposer has not started')
    this.#ctx.enter(() => {})
  }

  flush(ctx: ActorContext): void {
    this.#woken = false
    if (this.#queued.size === 0) return
    const now = ctx.clock.now()
    for (const lane of this.#queued) {
      for (const { id: parcel, repeat, essential, traces, bytes } of lane.takeParcels(now)) {
        const propose = { group: lane.group, hops: 0, parcel, client: this.#client, repeat, essential, traces, bytes }
        ctx.send(this.#options.raft, 'propose', encodePropose(propose), traces[0] ?? '')
      }
    }
    this.#queued.clear()
  }

  receive({ msgType, payload }: Envelope): void {
    if (!Array.isArray(payload)) return
    if (msgType === 'propose_reply') for (const item of payload) this.#onAnswers(item as Plain)
    else if (msgType === 'propose_refused') this.#onRefused(payload)
    else if (msgType === 'group_leader') this.#onLeader(payload)
  }

  #onAnswers(item: Plain): void {
    if (!Array.isArray(item)) return
    const [group, client, flat] = item as readonly Plain[]
    const lane = this.#lanes.get(group as number)
    if (lane === undefined || client !== this.#client || !Array.isArray(flat)) return
    for (let i = 0; i + 2 < flat.length; i += 3) this.#onAnswer(lane, flat[i] as number, flat[i + 1] as number, flat[i + 2] as Plain)
  }

  #onAnswer(lane: Lane, sequence: number, status: number, reply: Plain): void {
    const refusal = status === REFUSED && Array.isArray(reply) ? (reply as readonly Plain[]) : null
    const settled = status === SETTLED || refusal?.[1] === true
    const pending = lane.pending.get(sequence)
    if (pending === undefined) {
      if (settled) lane.acknowledge(sequence)
    } else if (status === WAITING) this.#onWaits(lane, pending)
    else if (refusal !== null) this.#settle(pending, { ok: false, error: errorOf(refusal[0]) }, settled)
    else if (status === DONE || status === SETTLED) this.#settle(pending, { ok: true, reply }, settled)
  }

  #onWaits(lane: Lane, pending: Pending): void {
    if (pending.state === 'waiting') return
    lane.waits(pending)
    if (pending.cancelled) this.#sendCancel(pending)
  }

  /**
   * No command of the parcel was taken. For want of a leader it is sent again; so is what is essential, by itself, where
   * only its company was too much for a disk that is low; else the caller is told.
   */
  #onRefused(payload: readonly Plain[]): void {
    const [group, client, parcel, code, message] = payload
    const lane = this.#lanes.get(group as number)
    if (lane === undefined || client !== this.#client || !isCount(parcel)) return
    const low = code === 'DISK_LOW' && !lane.isEssential(parcel)
    if (low) lane.apart = true
    for (const pending of lane.ofParcel(parcel)) {
      pending.sends = Math.max(0, pending.sends - 1)
      // Sent before, and perhaps taken then: a refusal of the repetition says nothing of that.
      if (code === 'NO_LEADER' || (low && pending.essential) || pending.sends > 0 || pending.state === 'waiting') this.#soon.push(pending)
      else this.#giveUp(pending, errorOf([code ?? null, message ?? null]))
    }
  }

  #onLeader([group, term]: readonly Plain[]): void {
    const lane = this.#lanes.get(group as number)
    if (lane === undefined || !isCount(term) || term <= lane.term) return
    lane.term = term
    for (const pending of lane.pending.values()) if (pending.state !== 'queued') lane.requeue(pending)
    if (lane.queued) this.#queue(lane)
  }

  /** By an answer of the group: `settled` after a wait. */
  #settle(pending: Pending, result: SubmitResult, settled: boolean): void {
    this.#leave(pending, settled, true)
    if (result.ok && !pending.essential) pending.lane.apart = false
    pending.done(result)
  }

  /** By a refusal or for want of time: the group did not answer. */
  #giveUp(pending: Pending, error: TricordError): void {
    this.#leave(pending, pending.state === 'waiting', false)
    pending.done({ ok: false, error })
  }

  #leave(pending: Pending, acknowledge: boolean, byLog: boolean): void {
    pending.lane.answered(pending, acknowledge, byLog)
    this.#deadlines.remove(pending)
    this.#pending--
    this.#pendingBytes -= pending.command.body.length
  }

  // Time.

  #startTimer(): void {
    if (this.#timer !== null || this.#closed) return
    this.#timer = this.#system.clock.after(TICK_MS, () => this.#ctx?.enter(() => this.#tick()))
  }

  #tick(): void {
    this.#timer = null
    const now = this.#system.clock.now()
    for (let due = this.#deadlines.take(now); due !== null; due = this.#deadlines.take(now)) this.#expire(due, 'no answer in time')
    const soon = this.#soon
    this.#soon = []
    for (const pending of soon) this.#again(pending)
    for (const lane of this.#lanes.values()) if (lane.pending.size > 0 && lane.retryAt <= now) this.#scan(lane, now)
    if (this.#pending > 0) this.#startTimer()
  }

  #again(pending: Pending): void {
    if (pending.state === 'answered') return
    pending.lane.requeue(pending)
    this.#queue(pending.lane)
  }

  /** Whatever was silent for too long. */
  #scan(lane: Lane, now: Millis): void {
    lane.retryAt = now + SCAN_MS
    for (const pending of lane.pending.values()) {
      const patience =
        pending.state === 'waiting' ? WAIT_SILENCE_MS : Math.min(SILENCE_MS * 2 ** Math.max(0, pending.sends - 1), SILENCE_MAX_MS)
      if (pending.state !== 'queued' && now - pending.sentAt >= patience) this.#again(pending)
    }
  }

  #expire(pending: Pending, why: string): void {
    const taken = pending.sends > 0 || pending.state === 'waiting'
    const error = taken
      ? new TricordError('UNKNOWN_OUTCOME', `${why}; a leader may have taken it`)
      : new TricordError('NO_QUORUM', `${why}; no leader took it`)
    const waited = pending.state === 'waiting'
    this.#giveUp(pending, error)
    if (waited && !pending.cancelled) this.#sendCancel(pending)
  }
}

function errorOf(pair: Plain | undefined): TricordError {
  const [code, message] = Array.isArray(pair) ? (pair as readonly Plain[]) : []
  const known: ErrorCode = typeof code === 'string' && isErrorCode(code) ? code : 'UNKNOWN_OUTCOME'
  return new TricordError(known, typeof message === 'string' ? message : 'refused')
}
