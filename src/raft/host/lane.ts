/**
 * What one proposer has submitted to one group and not had answered. Pure; the proposer sends and hears.
 *
 *   queued ──send──> sent ──┬─ done, refused ─────────────────────> answered
 *                           └─ waits ──> waiting ──┬─ settled ────> answered, to be acknowledged
 *   NO_LEADER, a new leader, silence: sent again   └─ deadline ───> answered (unknown)
 *
 * `low` is the lowest sequence that is neither answered nor known to wait. Acknowledgements of settled waits travel
 * with the commands; one batch of them at a time, until the command that carried it is answered by the group.
 */
import type { Millis } from '../../base/ids.ts'
import { type Command, encodeParcel } from '../batch.ts'
import type { SubmitResult } from '../proposer.ts'
import type { DeadlineList, Expiring } from './deadlines.ts'

const ACKS_MAX = 1_000
/** Beyond it the group keeps answers until the client is forgotten. */
const ACKS_QUEUED_MAX = 100_000
const PARCEL_BYTES = 64 * 1024

export class Pending implements Expiring {
  deadline: Millis = 0
  list: DeadlineList | null = null
  previous: Expiring | null = null
  next: Expiring | null = null
  readonly lane: Lane
  readonly command: Command
  readonly essential: boolean
  readonly done: (result: SubmitResult) => void
  state: 'queued' | 'sent' | 'waiting' | 'answered' = 'queued'
  /** Parcels on their way that carry it: it may have been taken while this is not 0. */
  sends = 0
  parcel: Parcel | null = null
  sentAt: Millis = 0
  cancelled = false

  constructor(lane: Lane, command: Command, essential: boolean, done: (result: SubmitResult) => void) {
    this.lane = lane
    this.command = command
    this.essential = essential
    this.done = done
  }
}

/** The commands whose latest parcel is this one, until none of them is left. */
interface Parcel {
  readonly id: number
  readonly essential: boolean
  readonly pendings: readonly Pending[]
  open: number
}

export interface OutgoingParcel {
  readonly id: number
  readonly repeat: boolean
  readonly essential: boolean
  readonly traces: readonly string[]
  readonly bytes: Uint8Array
}

export class Lane {
  readonly group: number
  readonly pending = new Map<number, Pending>()
  readonly #client: number
  readonly #queue = new Set<Pending>()
  #nextSequence = 1
  #nextParcel = 1
  readonly #parcels = new Map<number, Parcel>()
  /** Neither answered nor waiting, in order: the first is `low`. */
  readonly #open = new Set<number>()
  #acks: number[] = []
  #acksOut: number[] = []
  /** The command that carries #acksOut. */
  #carrier = 0
  /** The leader's disk is low: what is essential travels in parcels of its own, for the others are refused. */
  apart = false
  /** When to look for silence again; 0: never. */
  retryAt: Millis = 0
  /** The leader's term that everything was last sent again for. */
  term = 0

  constructor(group: number, client: number) {
    this.group = group
    this.#client = client
  }

  get queued(): boolean {
    return this.#queue.size > 0
  }

  add(fields: Omit<Command, 'sequence'>, essential: boolean, done: (result: SubmitResult) => void): Pending {
    const { key, traceparent, cancels, body } = fields
    const sequence = this.#nextSequence++
    const pending = new Pending(this, { sequence, key, traceparent, cancels, body }, essential, done)
    this.pending.set(sequence, pending)
    this.#open.add(sequence)
    this.#queue.add(pending)
    return pending
  }

  /** To be sent with the next parcels, unless it is already. */
  requeue(pending: Pending): void {
    if (pending.state !== 'answered') this.#queue.add(pending)
  }

  waits(pending: Pending): void {
    pending.state = 'waiting'
    this.#open.delete(pending.command.sequence)
    this.#carried(pending.command.sequence, true)
  }

  /** `byLog`: the answer is the group's, so a parcel with the command was applied; else it was refused, or given up. */
  answered(pending: Pending, acknowledge: boolean, byLog: boolean): void {
    pending.state = 'answered'
    this.pending.delete(pending.command.sequence)
    this.#open.delete(pending.command.sequence)
    this.#queue.delete(pending)
    this.#leaveParcel(pending)
    if (acknowledge) this.acknowledge(pending.command.sequence)
    this.#carried(pending.command.sequence, byLog)
  }

  /** The answer of a wait has arrived: its group need not keep it. */
  acknowledge(sequence: number): void {
    if (this.#acks.length < ACKS_QUEUED_MAX) this.#acks.push(sequence)
  }

  #carried(sequence: number, byLog: boolean): void {
    if (sequence !== this.#carrier) return
    if (!byLog) this.#acks.unshift(...this.#acksOut)
    this.#acksOut = []
    this.#carrier = 0
  }

  get low(): number {
    return this.#open.values().next().value ?? this.#nextSequence
  }

  /** Everything queued, as parcels of bounded size. */
  takeParcels(now: Millis): OutgoingParcel[] {
    const queue = [...this.#queue]
    this.#queue.clear()
    if (!this.apart) return this.#pack(queue, now)
    const [essential, others] = [queue.filter((one) => one.essential), queue.filter((one) => !one.essential)]
    return [...this.#pack(essential, now), ...this.#pack(others, now)]
  }

  #pack(queue: readonly Pending[], now: Millis): OutgoingParcel[] {
    const parcels: OutgoingParcel[] = []
    let open: Pending[] = []
    let bytes = 0
    for (const pending of queue) {
      const size = pending.command.body.length + 16
      if (open.length > 0 && bytes + size > PARCEL_BYTES) {
        parcels.push(this.#parcel(open, now))
        open = []
        bytes = 0
      }
      open.push(pending)
      bytes += size
    }
    if (open.length > 0) parcels.push(this.#parcel(open, now))
    return parcels
  }

  #parcel(pendings: readonly Pending[], now: Millis): OutgoingParcel {
    const essential = pendings.every((pending) => pending.essential)
    const parcel = { id: this.#nextParcel++, essential, pendings, open: pendings.length }
    this.#parcels.set(parcel.id, parcel)
    const commands: Command[] = []
    const traces: string[] = []
    let repeat = false
    let carries = false
    let fresh = 0
    for (const pending of pendings) {
      const { command } = pending
      if (pending.sends > 0) repeat = true
      else if (fresh === 0) fresh = command.sequence
      if (pending.state === 'queued') pending.state = 'sent'
      pending.sends++
      this.#leaveParcel(pending)
      pending.parcel = parcel
      pending.sentAt = now
      commands.push(command)
      if (command.sequence === this.#carrier) carries = true
      if (command.traceparent !== '') traces.push(command.traceparent)
    }
    const acks = this.#takeAcks(fresh, carries)
    const bytes = encodeParcel({ client: this.#client, low: this.low, acks, commands })
    return { id: parcel.id, repeat, essential, traces, bytes }
  }

  /** A carrier (0: none) has not been sent before: what is sent again may be answered without the log, and its parcel dropped. */
  #takeAcks(carrier: number, carriesAlready: boolean): readonly number[] {
    if (carriesAlready) return this.#acksOut
    if (carrier === 0 || this.#acksOut.length > 0 || this.#acks.length === 0) return []
    this.#acksOut = this.#acks.splice(0, ACKS_MAX)
    this.#carrier = carrier
    return this.#acksOut
  }

  #leaveParcel(pending: Pending): void {
    const { parcel } = pending
    pending.parcel = null
    if (parcel !== null && --parcel.open === 0) this.#parcels.delete(parcel.id)
  }

  /** Whether all its commands are essential. */
  isEssential(id: number): boolean {
    return this.#parcels.get(id)?.essential === true
  }

  /** The unanswered commands whose latest parcel is this one. */
  ofParcel(id: number): Pending[] {
    return this.#parcels.get(id)?.pendings.filter((pending) => pending.parcel?.id === id) ?? []
  }
}
