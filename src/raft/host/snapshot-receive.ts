/**
 * Takes a streamed state in, without touching the one in use: records go into a new generation of the key-value store.
 *
 *   chunk 0: header ─> new generation, cleared ─> records … ─> last: header, synced ─> digest right? ─> core.restore
 *            ─> `snapshot` record in the log (reset) ─> durable ─> machine loads it ─> the old generation goes   (P7)
 *
 * A crash before the log record finds the old generation whole, and clears the other at its start.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { GroupId, NodeId, ReplicaId, Term } from '../../base/ids.ts'
import { crc32 } from '../../io/crc32.ts'
import type { KvOp } from '../../io/kv/kv.ts'
import { DiskFullError } from '../../io/storage.ts'
import { ByteReader } from '../bytes.ts'
import { isCount } from './codec.ts'
import { ColdDigest } from './cold-digest.ts'
import { RecordDigest } from './digest.ts'
import type { Group } from './group.ts'
import { AREA_COLD, type StateHeader, decodeHeader, encodeHeader, generations, headerKey, joinKey, prefixOf } from './keys.ts'
import type { HostShared } from './shared.ts'
import { CHUNK_DONE, CHUNK_GIVEN_UP, CHUNK_GO_ON, CHUNK_LATER } from './wire.ts'

/** More than a sender ever has out. */
const QUEUED_MAX = 16
const GENERATION_END = 2 ** 32 - 1

interface Chunk {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly term: Term
  readonly stream: number
  readonly sequence: number
  readonly last: boolean
  readonly bytes: Uint8Array
}

interface Session {
  readonly group: Group
  readonly from: ReplicaId
  readonly term: Term
  readonly stream: number
  readonly generation: number
  readonly header: StateHeader
  readonly prefix: Uint8Array
  readonly digest: RecordDigest
  readonly cold: ColdDigest
  /** Of the chunks that were stored, or are being so. */
  bytes: number
  queue: Chunk[]
  /** The next chunk to take from the wire; the next to store. */
  expected: number
  stored: number
  busy: boolean
}

export class SnapshotReceives {
  readonly #shared: HostShared
  readonly #clear: (group: Group, generation: number) => void
  readonly #sessions = new Map<GroupId, Session>()

  /** `clear` deletes one generation of a group, in its own time. */
  constructor(shared: HostShared, clear: (group: Group, generation: number) => void) {
    this.#shared = shared
    this.#clear = clear
  }

  /** `isFrom`: whether the sender may speak for this replica. */
  chunk(group: Group, payload: Plain, isFrom: (replica: ReplicaId) => boolean): void {
    const chunk = decodeChunk(payload)
    if (chunk === null || !isFrom(chunk.from) || chunk.to !== group.replica || chunk.term < group.core.term) return
    const session = this.#sessions.get(group.id)
    if (session !== undefined && session.stream === chunk.stream) return this.#goOn(session, chunk)
    if (chunk.sequence !== 0) return this.#respond(group, chunk, 0, CHUNK_GIVEN_UP)
    if (session !== undefined) this.#abandon(session)
    this.#begin(group, chunk)
  }

  #begin(group: Group, chunk: Chunk): void {
    const header = decodeHeader(chunk.bytes)
    if (header === null) return this.#respond(group, chunk, 0, CHUNK_GIVEN_UP)
    const { index, term, membership } = header
    group.step({ type: 'install_snapshot', from: chunk.from, to: chunk.to, term: chunk.term, snapshot: { index, term, membership } })
    if (index <= group.core.commit) return this.#respond(group, chunk, 0, CHUNK_DONE)
    const generation = group.nextGeneration++
    const session: Session = {
      group,
      from: chunk.from,
      term: chunk.term,
      stream: chunk.stream,
      generation,
      header,
      prefix: prefixOf(group.id, generation),
      digest: new RecordDigest(),
      cold: new ColdDigest(),
      bytes: 0,
      queue: [],
      expected: 1,
      stored: 0,
      busy: true,
    }
    this.#sessions.set(group.id, session)
    this.#shared.options.onLog('info', 'a snapshot arrives', { group: group.id, index, records: header.count + header.cold.count })
    this.#await(session, this.#shared.kv.clear(generations(group.id, generation, GENERATION_END)), () => this.#stored(session))
  }

  #goOn(session: Session, chunk: Chunk): void {
    if (chunk.sequence < session.stored) return this.#respond(session.group, session, session.stored, CHUNK_GO_ON)
    if (chunk.sequence !== session.expected || session.queue.length >= QUEUED_MAX) return
    session.expected++
    session.queue.push(chunk)
    this.#next(session)
  }

  #next(session: Session): void {
    if (session.busy) return
    const chunk = session.queue.shift()
    if (chunk === undefined) return
    session.busy = true
    if (!this.#shared.disk.mayTake(session.bytes, chunk.bytes.length)) return this.#giveUp(session, 'the disk is almost full', CHUNK_LATER)
    session.bytes += chunk.bytes.length
    const ops = this.#unpack(session, chunk)
    if (ops === null) return this.#giveUp(session, 'a chunk that does not parse')
    if (chunk.last) ops.push({ key: headerKey(session.group.id, session.generation), value: encodeHeader(session.header) })
    this.#await(session, this.#shared.kv.batch(ops, { sync: chunk.last }), () => {
      if (chunk.last) this.#install(session)
      else this.#stored(session)
    })
  }

  #unpack(session: Session, chunk: Chunk): KvOp[] | null {
    const input = new ByteReader(chunk.bytes)
    const ops: KvOp[] = []
    while (input.left > 0) {
      const [key, value] = [input.bytes(), input.bytes()]
      if (key[0] !== AREA_COLD) session.digest.change(key, value)
      else if (!session.cold.take(key.subarray(1), value)) return null
      ops.push({ key: joinKey(session.prefix, key), value })
    }
    return input.ok ? ops : null
  }

  #stored(session: Session): void {
    session.busy = false
    session.stored++
    this.#respond(session.group, session, session.stored, CHUNK_GO_ON)
    this.#next(session)
  }

  #install(session: Session): void {
    const { group, header, digest, cold, from, term } = session
    if (digest.count !== header.count || digest.sum !== header.sum || !cold.equals(header.cold))
      return this.#giveUp(session, 'its records do not add up')
    this.#sessions.delete(group.id)
    const snapshot = { index: header.index, term: header.term, membership: header.membership }
    if (group.core.restore({ from, term, snapshot })) {
      this.#shared.counters.snapshotsReceived++
      group.stage(session.generation)
    } else this.#clear(group, session.generation)
    this.#respond(group, session, session.stored + 1, CHUNK_DONE)
    this.#shared.dirty(group)
  }

  /** Goes on when `work` is done, if the session is still the group's. */
  #await(session: Session, work: Promise<void>, done: () => void): void {
    this.#shared.outgoing.ctx.pipeToSelf(
      work,
      () => {
        if (this.#sessions.get(session.group.id) === session && !session.group.closed) done()
      },
      (error) => {
        if (error instanceof DiskFullError) this.#giveUp(session, 'the disk is full', CHUNK_LATER)
        else this.#shared.options.onDiskFatal(error)
      },
    )
  }

  #giveUp(session: Session, why: string, status = CHUNK_GIVEN_UP): void {
    if (this.#sessions.get(session.group.id) !== session) return
    this.#shared.options.onLog('warn', `a snapshot is given up: ${why}`, { group: session.group.id })
    this.#respond(session.group, session, session.stored, status)
    this.#abandon(session)
  }

  #abandon(session: Session): void {
    this.#sessions.delete(session.group.id)
    this.#clear(session.group, session.generation)
  }

  /** The group is gone, with all its data. */
  forget(group: GroupId): void {
    this.#sessions.delete(group)
  }

  #respond(group: Group, to: { readonly from: ReplicaId; readonly stream: number }, next: number, status: number): void {
    const node: NodeId | null = this.#shared.outgoing.nodeOf(to.from)
    if (node === null) return
    this.#shared.outgoing.toNode(node, 'snapshot_chunk_response', [group.id, group.replica, to.from, to.stream, next, status])
  }
}

function decodeChunk(payload: Plain): Chunk | null {
  if (!Array.isArray(payload) || payload.length !== 9) return null
  const [, from, to, term, stream, sequence, last, crc, bytes] = payload as readonly Plain[]
  if (!isCount(from) || !isCount(to) || !isCount(term) || !isCount(stream) || !isCount(sequence) || !(bytes instanceof Uint8Array))
    return null
  return crc32(bytes) === crc ? { from, to, term, stream, sequence, last: last === 1, bytes } : null
}
