/**
 * The leader's door for commands: parcels that came in this turn become one entry (or a few, bounded in bytes), and
 * each client's answers go to the address that its last parcel came from.
 */
import type { ActorId, Envelope } from '../../actors/envelope.ts'
import type { ErrorCode } from '../../base/errors.ts'
import type { LogIndex, Millis } from '../../base/ids.ts'
import { PARCEL_LENGTH_BYTES, decodeParcel, eachBody, encodeEntry } from '../batch.ts'
import type { ProposeResult } from '../core/types.ts'
import type { Group } from './group.ts'
import type { Propose } from './propose-codec.ts'
import type { Admission } from './requests.ts'
import { CLIENTS_MAX } from './requests.ts'
import type { HostShared } from './shared.ts'
import { DONE, REFUSED, SETTLED, WAITING } from './wire.ts'

/** An entry is closed before it has more bytes than this; a parcel that is larger is one by itself. */
const ENTRY_BYTES = 128 * 1024
/** Changed records not yet in the key-value store, beyond which no command is taken. */
const DIRTY_MAX = 100_000
/** And so many bytes of them; all groups of the node together have a bound of their own (checkpoints.ts). */
const DIRTY_BYTES_MAX = 64 * 1024 * 1024

interface Incoming {
  readonly from: ActorId
  readonly propose: Propose
  readonly at: Millis
}

export class Intake {
  readonly #group: Group
  readonly #shared: HostShared
  readonly #addresses = new Map<number, ActorId>()
  /** Those whom this replica owed answers as it ceased to lead, until they are told who leads now. */
  #left = new Set<ActorId>()
  #incoming: Incoming[] = []
  /** Entries proposed here and not yet committed. */
  #proposed: { readonly index: LogIndex; readonly at: Millis }[] = []

  constructor(group: Group, shared: HostShared) {
    this.#group = group
    this.#shared = shared
  }

  get empty(): boolean {
    return this.#incoming.length === 0
  }

  addressOf(client: number): ActorId | undefined {
    return this.#addresses.get(client)
  }

  /** Leads no more: whoever waits for an answer will ask the next leader. */
  clear(): void {
    for (const address of this.#addresses.values()) this.#left.add(address)
    this.#addresses.clear()
    this.#proposed = []
    for (const incoming of this.#incoming) this.#refuse(incoming, 'NO_LEADER', 'the leader changed')
    this.#incoming = []
  }

  takeLeft(): ReadonlySet<ActorId> {
    const left = this.#left
    if (left.size > 0) this.#left = new Set()
    return left
  }

  take(envelope: Envelope, propose: Propose): void {
    const incoming = { from: envelope.senderId, propose, at: this.#shared.clock.now() }
    if (this.#addresses.size >= CLIENTS_MAX) this.#addresses.clear()
    this.#addresses.set(propose.client, envelope.senderId)
    if (propose.repeat) this.#reassure()
    if (propose.repeat && this.#allKnown(incoming)) return
    const { room } = this.#shared.disk
    if (room === 'full') return this.#refuse(incoming, 'DISK_LOW', 'the disk of the leader is full')
    if (room === 'low' && !propose.essential) return this.#refuse(incoming, 'DISK_LOW', 'the disk of the leader is almost full')
    const quorum = this.#shared.quorumRoom(this.#group)
    if (quorum === 'full') return this.#refuse(incoming, 'DISK_LOW', 'the disks of a majority are full')
    if (quorum === 'low' && !propose.essential) return this.#refuse(incoming, 'DISK_LOW', 'the disks of a majority are almost full')
    if (this.#storeIsBehind()) return this.#refuse(incoming, 'OVERLOADED', 'the key-value store cannot keep up')
    for (const traceparent of propose.traces) this.#shared.observer?.received({ traceparent, group: this.#group.id }, incoming.at)
    this.#incoming.push(incoming)
    this.#shared.dirty(this.#group)
  }

  /**
   * Who asks again may doubt the leader (see Router), and its node then counts down to an election. An answer alone would not
   * end that: a leader that sleeps has to be heard.
   */
  #reassure(): void {
    const { core } = this.#group
    if (!core.quiesced) return
    core.wake()
    this.#shared.dirty(this.#group)
  }

  #storeIsBehind(): boolean {
    return this.#group.dirtyRecords > DIRTY_MAX || this.#group.dirtyBytes > DIRTY_BYTES_MAX || this.#shared.storeIsBehind()
  }

  /** Answers what the state knows already: a repetition need not go through the log. */
  #allKnown({ from, propose }: Incoming): boolean {
    const { requests } = this.#group.applier
    const client = requests.clients.get(propose.client)
    const parcel = client === undefined ? null : decodeParcel(propose.bytes)
    if (client === undefined || parcel === null || parcel.client !== propose.client) return false
    let all = true
    for (const { sequence } of parcel.commands) {
      const known = requests.lookup(client, sequence)
      if (known === null) all = false
      else this.#answerKnown(from, client.id, sequence, known)
    }
    return all
  }

  #answerKnown(to: ActorId, client: number, sequence: number, known: Admission): void {
    const { outgoing } = this.#shared
    const group = this.#group.id
    if (known.kind === 'waiting') outgoing.answer(to, group, client, sequence, WAITING, null)
    if (known.kind !== 'answered') return
    const { refused, reply } = known.answer
    if (refused) outgoing.answer(to, group, client, sequence, REFUSED, [reply, known.settled])
    else this.#group.attachments.answer(to, client, sequence, known.settled ? SETTLED : DONE, reply)
  }

  #refuse({ from, propose }: Incoming, code: ErrorCode, message: string): void {
    this.#shared.outgoing.refuse(from, propose.group, propose.client, propose.parcel, code, message)
  }

  /** Proposes what came in, stamped `time`. */
  flush(time: Millis): void {
    let open: Incoming[] = []
    let bytes = 0
    const incoming = this.#incoming
    this.#incoming = []
    for (const one of incoming) {
      const size = one.propose.bytes.length + PARCEL_LENGTH_BYTES
      if (open.length > 0 && bytes + size > ENTRY_BYTES) {
        this.#propose(open, time)
        open = []
        bytes = 0
      }
      open.push(one)
      bytes += size
    }
    if (open.length > 0) this.#propose(open, time)
  }

  #propose(parcels: readonly Incoming[], time: Millis): void {
    const data = encodeEntry(
      time,
      parcels.map((one) => one.propose.bytes),
    )
    const result = this.#group.core.propose(data)
    if (!result.ok) return this.#refused(parcels, result)
    const now = this.#shared.clock.now()
    this.#shared.counters.proposals++
    this.#proposed.push({ index: result.index, at: now })
    const { machine } = this.#group.applier
    if (machine.preparing !== undefined) for (const { propose } of parcels) eachBody(propose.bytes, (body) => machine.preparing!(body))
    for (const { propose, at } of parcels) {
      if (propose.traces.length > 0) this.#group.traces.proposed(result.index, propose.traces, at, now)
    }
  }

  #refused(parcels: readonly Incoming[], result: Extract<ProposeResult, { ok: false }>): void {
    for (const one of parcels) {
      if (result.reason === 'uncommitted-limit') this.#refuse(one, 'OVERLOADED', 'too many bytes wait for their majority')
      else this.#refuse(one, 'NO_LEADER', `the leader cannot take it: ${result.reason}`)
    }
  }

  /** An entry is committed: how long did it take. */
  committed(index: LogIndex, now: Millis): void {
    while (this.#proposed.length > 0 && this.#proposed[0]!.index <= index) {
      const { index: at, at: since } = this.#proposed.shift()!
      if (at === index) this.#shared.counters.commitLatencies.observe(now - since)
    }
  }
}
