/**
 * The writing half of the log (`wal.ts` has the contract).
 *
 *   append ──> queue ──> [ batch: records … marker ] ──writeDurable──> done, done, …   then the next batch
 *                              │ does not fit
 *                              └──> roll: publish the spare segment, begin it with a `state` per group
 *
 * The spare is preallocated in the background once the current segment is half full, so a roll costs no zero-filling.
 */
import { assert } from '../../base/assert.ts'
import type { GroupId, LogIndex } from '../../base/ids.ts'
import { LatencyHistogram } from '../../base/latency-histogram.ts'
import type { Clock } from '../clock.ts'
import { DiskFullError, type File, type Storage } from '../storage.ts'
import { toRaw } from './group-log.ts'
import type { Ledger } from './ledger.ts'
import { KIND_MARKER, NO_GROUP, RECORD_HEADER_BYTES, type RawRecord, encodeMarker, encodeRecord, recordBytes } from './record.ts'
import { SEGMENT_HEADER_BYTES, type Segment, preallocate, publish, segmentPath } from './segment.ts'
import type { Wal, WalOptions, WalRecord, WalStats } from './wal.ts'

const BATCH_BYTES_MAX = 8 * 1024 * 1024
const SLAB_BYTES = 64 * 1024
/** One unit may be far larger than a batch should be; its memory is given back. */
const SLAB_KEPT_MAX = 2 * BATCH_BYTES_MAX
const FULL_RETRY_MS = 1_000
const MARKER_ENTRY_BYTES = 8

type Body = Omit<RawRecord, 'sequence' | 'batch'>

function bodyOf(group: GroupId, { kind, type, term, index, payload }: Omit<Body, 'group'>): Body {
  return { group, kind, type, term, index, payload }
}

interface Unit {
  readonly records: readonly Body[]
  readonly bytes: number
  readonly done: (fsyncMs: number) => void
}

interface BatchToWrite {
  readonly units: readonly Unit[]
  readonly slab: Buffer
}

interface SegmentSize {
  readonly number: number
  readonly bytes: number
}

export interface WriterStart {
  readonly ledger: Ledger
  /** Segments that recovery read, oldest first, and the number the first new one gets. */
  readonly segments: readonly SegmentSize[]
  readonly nextSegment: number
  readonly nextBatch: number
}

export class WalWriter implements Wal {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #options: WalOptions
  readonly #ledger: Ledger
  #segments: SegmentSize[]
  #current: Segment | null = null
  /** The newest segment with a durable batch: until there is one in a segment, those before it say what the groups are. */
  #newestDurable: number | null = null
  #offset = 0
  #nextSegment: number
  #batch: number
  #queue: Unit[] = []
  #queuedBytes = 0
  #batchToWrite: BatchToWrite | null = null
  #writing = false
  #dead = false
  #full = false
  #closing: (() => void) | null = null
  /** Preallocated, or being so; it stays until it is published, whatever else fails. */
  #spare: { readonly bytes: number; readonly file: Promise<File> } | null = null
  #slab = Buffer.allocUnsafe(SLAB_BYTES)
  #fsyncs = 0
  #bytesWritten = 0
  #records = 0
  readonly #durations = new LatencyHistogram()
  #removing: Promise<void> = Promise.resolve()

  constructor(storage: Storage, clock: Clock, options: WalOptions, start: WriterStart) {
    this.#storage = storage
    this.#clock = clock
    this.#options = options
    this.#ledger = start.ledger
    this.#segments = [...start.segments]
    this.#nextSegment = start.nextSegment
    this.#batch = start.nextBatch
  }

  get full(): boolean {
    return this.#full
  }

  get keepers(): readonly GroupId[] {
    const [oldest] = this.#segments
    return oldest === undefined || oldest.number === this.#current?.number ? [] : this.#ledger.keepersOf(oldest.number)
  }

  get stats(): WalStats {
    return {
      fsyncs: this.#fsyncs,
      bytesWritten: this.#bytesWritten,
      records: this.#records,
      queuedBytes: this.#queuedBytes,
      segments: this.#segments.length,
      segmentBytes: this.#segments.reduce((sum, { bytes }) => sum + bytes, 0),
      fsyncDurations: this.#durations,
    }
  }

  append(records: readonly WalRecord[], done: (fsyncMs: number) => void): void {
    assert(this.#closing === null, 'the log is closed')
    const bodies = records.map((record) => bodyOf(record.group, toRaw(record)))
    let bytes = 0
    for (const { payload } of bodies) bytes += recordBytes(payload.length) + MARKER_ENTRY_BYTES
    this.#queue.push({ records: bodies, bytes, done })
    this.#queuedBytes += bytes
    if (!this.#writing && !this.#full) this.#pump()
  }

  release(group: GroupId, index: LogIndex): void {
    this.#ledger.release(group, index)
    this.#dropSegments()
  }

  async close(): Promise<void> {
    if (this.#queue.length > 0 || this.#writing) {
      if (!this.#dead && !this.#full) await new Promise<void>((resolve) => (this.#closing = resolve))
    }
    this.#closing ??= () => undefined
    this.#dead = true
    const spare = await this.#spare?.file.catch(() => null)
    await spare?.close()
    await this.#removing
    await this.#current?.file.close()
  }

  /** Writes batches until the queue is empty. Rejections end here: nothing after a failed write is ever acknowledged. */
  #pump(): void {
    this.#writing = true
    this.#drain().then(
      () => {
        this.#writing = false
        // Something may have queued after the loop saw an empty queue and before this.
        if (this.#queue.length > 0 && !this.#dead) this.#pump()
        else this.#closing?.()
      },
      (error: Error) => this.#failed(error),
    )
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#dead) {
      const began = this.#clock.now()
      this.#batchToWrite ??= await this.#makeBatch(this.#take())
      const { units, slab } = this.#batchToWrite
      await this.#write(slab)
      this.#batchToWrite = null
      if (this.#dead) return
      if (this.#full) this.#setFull(false)
      this.#queue.splice(0, units.length)
      const took = this.#clock.now() - began
      this.#fsyncs++
      this.#durations.observe(took)
      for (const unit of units) {
        this.#queuedBytes -= unit.bytes
        unit.done(took)
      }
    }
  }

  /** The next batch: what queued, up to a size; at least one unit. They stay queued until they are durable. */
  #take(): readonly Unit[] {
    let bytes = 0
    let count = 0
    for (const unit of this.#queue) {
      if (count > 0 && bytes + unit.bytes > BATCH_BYTES_MAX) break
      bytes += unit.bytes
      count++
    }
    return this.#queue.slice(0, count)
  }

  /** Encodes once: a batch that met a full disk is written again as it was, under the same numbers. */
  async #makeBatch(units: readonly Unit[]): Promise<BatchToWrite> {
    const needed = units.reduce((sum, unit) => sum + unit.bytes, recordBytes(0))
    const opening = this.#current === null || this.#offset + needed > this.#current.bytes
    if (opening) await this.#roll(needed)
    return { units, slab: this.#encode(units, opening) }
  }

  async #write(slab: Buffer): Promise<void> {
    const { file, bytes, number } = this.#current as Segment
    assert(this.#offset + slab.length <= bytes, 'a batch does not fit its segment')
    await file.writeDurable(this.#offset, [slab])
    this.#newestDurable = number
    this.#ledger.written()
    this.#offset += slab.length
    this.#batch = (this.#batch + 1) >>> 0
    this.#bytesWritten += slab.length
    if (this.#slab.length > SLAB_KEPT_MAX) this.#slab = Buffer.allocUnsafe(SLAB_BYTES)
    if (this.#offset > bytes / 2 && !this.#dead) void this.#prepareSpare(this.#options.segmentBytes)
    this.#dropSegments()
  }

  /** The bytes of a batch at the current place: state records where it opens a segment, the units, the marker. */
  #encode(units: readonly Unit[], opening: boolean): Buffer {
    const { number } = this.#current as Segment
    const batch = this.#batch
    const contents = new Map<number, number>()
    let length = 0
    const put = (body: Body, sequence: number): void => {
      this.#reserve(length + recordBytes(body.payload.length))
      const { group, kind, type, term, index, payload } = body
      const record = { group, sequence, kind, type, batch, term, index, payload }
      length += encodeRecord(record, this.#slab, length, number, this.#offset + length)
    }
    const write = (body: Body): void => {
      put(body, this.#ledger.sequenceOf(body.group, body.kind))
      contents.set(body.group, (contents.get(body.group) ?? 0) + 1)
      this.#ledger.note(number, body)
      this.#records++
    }
    if (opening) for (const head of this.#ledger.heads()) write(head)
    for (const unit of units) for (const body of unit.records) write(body)
    put({ group: NO_GROUP, kind: KIND_MARKER, type: 0, term: 0, index: this.#batch, payload: encodeMarker(contents) }, 0)
    return this.#slab.subarray(0, length)
  }

  #reserve(length: number): void {
    if (length <= this.#slab.length) return
    const larger = Buffer.allocUnsafe(Math.max(length, this.#slab.length * 2))
    this.#slab.copy(larger)
    this.#slab = larger
  }

  /** Makes the spare the current segment; a batch too large for it gets a segment of its own size. */
  async #roll(needed: number): Promise<void> {
    let heads = 0
    for (const { payload } of this.#ledger.heads()) heads += recordBytes(payload.length) + MARKER_ENTRY_BYTES
    const bytes = Math.max(this.#options.segmentBytes, SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + heads + needed)
    const file = await this.#prepareSpare(bytes)
    const number = this.#nextSegment
    await publish(this.#storage, this.#options.directory, this.#sparePath(), file, number, this.#batch)
    this.#spare = null
    this.#nextSegment++
    const previous = this.#current
    this.#current = { number, file, bytes }
    this.#segments.push({ number, bytes })
    this.#offset = SEGMENT_HEADER_BYTES
    await previous?.file.close()
  }

  #sparePath(): string {
    return `${this.#options.directory}/spare`
  }

  #prepareSpare(bytes: number): Promise<File> {
    const before = this.#spare
    if (before?.bytes === bytes) return before.file
    const file = this.#replaceSpare(before?.file ?? null, bytes)
    const spare = { bytes, file }
    this.#spare = spare
    // Awaited by the roll that needs it; until then a failure waits there. For want of space it is tried anew.
    file.catch((error: unknown) => {
      if (error instanceof DiskFullError && this.#spare === spare) this.#spare = null
    })
    return file
  }

  async #replaceSpare(before: Promise<File> | null, bytes: number): Promise<File> {
    await (await before)?.close()
    return preallocate(this.#storage, this.#sparePath(), bytes)
  }

  #failed(error: Error): void {
    this.#writing = false
    if (this.#dead) return
    if (!(error instanceof DiskFullError)) {
      this.#dead = true
      this.#closing?.()
      this.#options.onFatal(error)
      return
    }
    this.#setFull(true)
    this.#clock.after(FULL_RETRY_MS, () => {
      if (!this.#dead && !this.#writing) this.#pump()
    })
  }

  #setFull(full: boolean): void {
    if (this.#full === full) return
    this.#full = full
    this.#options.onDiskFull(full)
  }

  /** Deletes the segments that no group needs, oldest first, so that what stays has no hole. */
  #dropSegments(): void {
    const newest = this.#newestDurable
    if (newest === null) return
    const needed = this.#ledger.oldestNeeded(newest)
    for (let [first] = this.#segments; first !== undefined && first.number < needed; [first] = this.#segments) {
      this.#segments.shift()
      const path = segmentPath(this.#options.directory, first.number)
      this.#removing = this.#removing.then(() => this.#storage.remove(path)).catch((error: Error) => this.#failed(error))
    }
  }
}
