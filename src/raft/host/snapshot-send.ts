/**
 * Streams the state of a group to a peer that the log no longer reaches: an iterator over the key-value store, packed
 * into chunks, a few of them unacknowledged at a time, so that a snapshot never queues ahead of heartbeats.
 *
 *   store ──iterator──> chunks ──window──> snapshot_chunk 0 (header), 1, 2, … last
 *                                  ^────── snapshot_chunk_response: everything before `next` is stored
 *
 * No more than `snapshotBytesPerSecond` leave a node: groups that move must not crowd out those that work.
 * What is lost is sent again after a second; a peer that stores nothing for long is given up, and the core asks again. One whose disk
 * has no room is left in peace for a while: each try would fill what it has, and have it cleared.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { GroupId, Millis, ReplicaId, Term } from '../../base/ids.ts'
import { crc32 } from '../../io/crc32.ts'
import { KvDamagedError } from '../../io/kv/damage.ts'
import type { KvIterator, KvPair } from '../../io/kv/kv.ts'
import { ByteWriter } from '../bytes.ts'
import { isCount } from './codec.ts'
import { ColdDigest } from './cold-digest.ts'
import type { Group } from './group.ts'
import { AREA_COLD, AREA_HEADER, PREFIX_BYTES, type StateHeader, decodeHeader, generations } from './keys.ts'
import { pageSize } from './page-size.ts'
import { Rate } from './rate.ts'
import type { HostShared } from './shared.ts'
import { CHUNK_DONE, CHUNK_GIVEN_UP, CHUNK_LATER } from './wire.ts'

const CHUNK_BYTES = 128 * 1024
const PAIRS_PER_READ = 256
/** A page of pairs as large as those before it would have about so many. */
const BYTES_PER_READ = 512 * 1024
const WINDOW = 4
const STREAMS_MAX = 4
const RESEND_MS: Millis = 1_000
const GIVE_UP_MS: Millis = 20_000
const LATER_MS: Millis = 5_000

interface Stream {
  readonly id: number
  readonly group: Group
  readonly peer: ReplicaId
  readonly term: Term
  readonly iterator: KvIterator
  readonly generation: number
  header: StateHeader | null
  readonly cold: ColdDigest
  /** Read so far. */
  pairs: number
  bytes: number
  /** Records packed and not yet cut off as a chunk. */
  readonly open: ByteWriter
  /** Chunks from `acked` on; the first WINDOW of them are out. */
  chunks: Uint8Array[]
  acked: number
  sent: number
  ended: boolean
  reading: boolean
  progressAt: Millis
  sentAt: Millis
}

const pairOf = ({ id }: Group, peer: ReplicaId): string => `${id}/${peer}`

export class SnapshotSends {
  readonly #shared: HostShared
  readonly #streams = new Map<number, Stream>()
  /** By group and peer: until when nothing is sent. */
  readonly #later = new Map<string, Millis>()
  readonly #rate: Rate

  constructor(shared: HostShared) {
    this.#shared = shared
    this.#rate = new Rate(shared.options.snapshotBytesPerSecond, shared.clock.now())
  }

  begin(group: Group, peer: ReplicaId, term: Term): void {
    for (const stream of this.#streams.values()) if (stream.group === group && stream.peer === peer) return
    if (this.#streams.size >= STREAMS_MAX || this.#later.has(pairOf(group, peer))) return group.core.snapshotSent(peer, false)
    const { generation } = group.store
    const now = this.#shared.clock.now()
    const stream: Stream = {
      id: 1 + this.#shared.random.below(2 ** 20) * 2 ** 32 + this.#shared.random.below(2 ** 32),
      group,
      peer,
      term,
      iterator: this.#shared.kv.iterate(generations(group.id, generation, generation + 1)),
      generation,
      header: null,
      cold: new ColdDigest(),
      pairs: 0,
      bytes: 0,
      open: new ByteWriter(CHUNK_BYTES),
      chunks: [],
      acked: 0,
      sent: 0,
      ended: false,
      reading: false,
      progressAt: now,
      sentAt: now,
    }
    this.#streams.set(stream.id, stream)
    this.#read(stream)
  }

  #read(stream: Stream): void {
    if (stream.reading || stream.ended || stream.chunks.length >= WINDOW) return
    stream.reading = true
    this.#shared.outgoing.ctx.pipeToSelf(
      stream.iterator.next(pageSize(stream, PAIRS_PER_READ, BYTES_PER_READ)),
      (pairs) => this.#pack(stream, pairs),
      (error) => {
        if (error instanceof KvDamagedError) this.#shared.ail(stream.group, error.message)
        else this.#shared.options.onLog('error', 'a snapshot could not be read', { group: stream.group.id, error: error.message })
        this.#end(stream, false)
      },
    )
  }

  #pack(stream: Stream, pairs: readonly KvPair[]): void {
    stream.reading = false
    if (!this.#streams.has(stream.id)) return
    for (const [key, value] of pairs) {
      stream.bytes += key.length + value.length
      if (key[PREFIX_BYTES] === AREA_HEADER) {
        stream.header = decodeHeader(value)
        stream.chunks.push(Uint8Array.from(value))
        continue
      }
      if (key[PREFIX_BYTES] === AREA_COLD && !stream.cold.take(key.subarray(PREFIX_BYTES + 1), value)) {
        return this.#damaged(stream, 'a cold record is not what was written')
      }
      stream.open.bytes(key.subarray(PREFIX_BYTES))
      stream.open.bytes(value)
      if (stream.open.length >= CHUNK_BYTES) stream.chunks.push(stream.open.take())
    }
    stream.pairs += pairs.length
    if (pairs.length === 0) {
      if (stream.header !== null && !stream.cold.equals(stream.header.cold)) return this.#damaged(stream, 'its cold records do not add up')
      stream.ended = true
      stream.chunks.push(stream.open.take())
    }
    this.#send(stream)
    this.#read(stream)
  }

  /** The peer is better off with another's. */
  #damaged(stream: Stream, why: string): void {
    const { group } = stream
    this.#end(stream, false)
    if (!group.closed && group.store.generation === stream.generation) this.#shared.ail(group, why)
  }

  #send(stream: Stream): void {
    const { group, peer, acked, chunks } = stream
    const node = this.#shared.outgoing.nodeOf(peer)
    if (node === null) return
    const now = this.#shared.clock.now()
    while (stream.sent < acked + Math.min(chunks.length, WINDOW) && this.#rate.open(now)) {
      const bytes = chunks[stream.sent - acked]!
      const last = stream.ended && stream.sent - acked === chunks.length - 1
      const tuple: Plain[] = [group.id, group.replica, peer, stream.term, stream.id, stream.sent, last ? 1 : 0, crc32(bytes), bytes]
      this.#shared.outgoing.toNode(node, 'snapshot_chunk', tuple)
      this.#rate.spend(bytes.length)
      stream.sent++
      stream.sentAt = now
    }
  }

  response(payload: Plain): void {
    if (!Array.isArray(payload) || payload.length !== 6 || !payload.every(isCount)) return
    const [group, from, , id, next, status] = payload as [GroupId, ReplicaId, ReplicaId, number, number, number]
    const stream = this.#streams.get(id)
    if (stream === undefined || stream.group.id !== group || stream.peer !== from) return
    if (status === CHUNK_LATER) {
      this.#later.set(pairOf(stream.group, from), this.#shared.clock.now() + LATER_MS)
      return this.#end(stream, false)
    }
    if (status === CHUNK_DONE || status === CHUNK_GIVEN_UP) return this.#end(stream, status === CHUNK_DONE)
    if (next <= stream.acked || next > stream.sent) return
    stream.chunks.splice(0, next - stream.acked)
    stream.acked = next
    stream.progressAt = this.#shared.clock.now()
    this.#send(stream)
    this.#read(stream)
  }

  tick(now: Millis): void {
    for (const [pair, until] of this.#later) if (now >= until) this.#later.delete(pair)
    for (const stream of this.#streams.values()) {
      const { group } = stream
      if (group.closed || group.core.role !== 'leader' || group.core.term !== stream.term) this.#end(stream, false)
      else if (now - stream.progressAt >= GIVE_UP_MS) this.#end(stream, false)
      else if (now - stream.sentAt >= RESEND_MS && stream.sent > stream.acked) {
        stream.sent = stream.acked
        this.#send(stream)
      } else this.#send(stream)
    }
  }

  #end(stream: Stream, ok: boolean): void {
    if (!this.#streams.delete(stream.id)) return
    if (ok) this.#shared.counters.snapshotsSent++
    this.#shared.outgoing.ctx.pipeToSelf(stream.iterator.close(), () => {})
    if (stream.group.closed) return
    stream.group.core.snapshotSent(stream.peer, ok)
    this.#shared.dirty(stream.group)
  }

  close(): void {
    for (const stream of this.#streams.values()) void stream.iterator.close()
    this.#streams.clear()
  }
}
