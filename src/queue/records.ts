/**
 * The state as records of the key-value store. Same state, same bytes; numbers are varints, texts and bytes have their length
 * first, and every value begins with its version. No record grows with the backlog.
 *
 *   COUNTERS                    last queue, when graves are due
 *   QUEUE    queue              namespace, name, config, last seq, token, lane, turn, marks (5), settled (2), purged lane (not in old ones)
 *   LANE     queue lane         group, turn, since, runs (12)
 *   RUNS     queue lane page    base, entries             MARKS     queue page    base, base time, entries
 *   NOTE     queue seq          lane, traits, state, since, ttlMs, changedAt, token, failures, visibilityMs, deadline (leased), texts
 *   WAITER   ticket             queue, deadline, max, visibilityMs + 1, consumer, watcher, gateway (if any)
 *   DEDUP    queue page         (id, seq, expiresAt)*     SETTLED   queue page    entries
 *   FENCE    resource           token                     GRAVE     queue page    bits
 *   BODY     queue seq          cold: `bodies.ts`
 */
import type { Plain } from '../actors/envelope.ts'
import { ByteWriter } from '../raft/bytes.ts'
import type { WriteRecord } from '../raft/machine.ts'
import { writePlain } from '../raft/plain.ts'
import { drainCold } from './bodies.ts'
import type { Stored } from './stored.ts'
import { Chunk } from './chunk.ts'
import { DedupPage } from './dedup.ts'
import { FloorOfFence } from './fences.ts'
import { BuriedLane, BuriedNote, BuriedRuns } from './buried.ts'
import { GravePage } from './graves.ts'
import { numberKey, pairKey, tripleKey } from './keys.ts'
import { COUNTERS, FENCE, MARKS, RUNS } from './kinds.ts'
import { Lane } from './lane.ts'
import { LEASED, Note } from './note.ts'
import { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'
import { Waiter } from './waiter.ts'

export const VERSION = 1

const TEXT = new TextEncoder()
const out = new ByteWriter(2048)

/** Writes everything that changed since the last time. */
export function drainRecords(table: QueueTable, write: WriteRecord, writeCold: WriteRecord): void {
  if (table.countersChanged) {
    table.countersChanged = false
    out.u8(VERSION)
    numbers(table.lastQueue, table.graves.dueAt)
    write(Uint8Array.of(COUNTERS), out.take())
  }
  table.changes.drain((record, gone) => write(keyOf(record), gone ? null : valueOf(record)))
  drainCold(table.cold, writeCold)
}

function keyOf(record: Stored): Uint8Array {
  const { kind } = record
  if (record instanceof Note || record instanceof BuriedNote) return pairKey(kind, record.queue, record.seq)
  if (record instanceof Lane || record instanceof BuriedLane) return pairKey(kind, record.queue, record.number)
  if (record instanceof Queue) return numberKey(kind, record.number)
  if (record instanceof Chunk || record instanceof BuriedRuns) {
    return kind === RUNS ? tripleKey(kind, record.queue, record.lane, record.number) : pairKey(kind, record.queue, record.number)
  }
  if (record instanceof Waiter) return numberKey(kind, record.ticket)
  if (record instanceof FloorOfFence) return Uint8Array.of(FENCE, ...TEXT.encode(record.resource))
  const page = record as DedupPage | GravePage
  return pairKey(kind, page.queue, page.number)
}

function valueOf(record: Stored): Uint8Array {
  out.u8(VERSION)
  if (record instanceof Note) writeNote(record)
  else if (record instanceof Lane) writeLane(record)
  else if (record instanceof Queue) writeQueue(record)
  else if (record instanceof Chunk) writeChunk(record)
  else if (record instanceof Waiter) writeWaiter(record)
  else if (record instanceof FloorOfFence) out.varint(record.token)
  else if (record instanceof DedupPage) writeDedup(record)
  else if (record instanceof GravePage) for (const word of record.words) out.u32(word)
  return out.take()
}

function writeQueue({ name, config, lastSeq, lastToken, lastLane, lastTurn, purgedLane, marks, settled }: Queue): void {
  out.text(name.namespace)
  out.text(name.queue)
  writePlain(out, config as unknown as Plain)
  numbers(lastSeq, lastToken, lastLane, lastTurn)
  numbers(marks.lastSeq, marks.lastTime, marks.writtenSeq, marks.writtenTime, marks.lastChunk)
  numbers(settled.count, settled.lastPage, purgedLane)
}

function writeLane({ group, turn, since, runs }: Lane): void {
  out.text(group)
  numbers(turn, since, runs.size, runs.first, runs.count, runs.traits, runs.lastFirst, runs.lastCount, runs.lastTraits)
  numbers(runs.readAt, runs.readEnd, runs.writtenEnd, runs.lastChunk, runs.firstChunk)
}

function writeChunk({ kind, base, baseTime, bytes, length }: Chunk): void {
  if (kind === RUNS || kind === MARKS) out.varint(base)
  if (kind === MARKS) out.varint(baseTime)
  out.raw(bytes.subarray(0, length))
}

function writeNote(note: Note): void {
  numbers(note.lane.number, note.traits, note.state, note.since, note.ttlMs, note.changedAt, note.token, note.failures, note.visibilityMs)
  if (note.state === LEASED) out.varint(note.deadline)
  out.text(note.consumer)
  out.text(note.watcher)
  out.text(note.reason)
  out.u8(note.checkpoint === null ? 0 : 1)
  if (note.checkpoint !== null) out.text(note.checkpoint)
}

function writeWaiter({ queue, deadline, demand }: Waiter): void {
  numbers(queue.number, deadline, demand.max, demand.visibilityMs === null ? 0 : demand.visibilityMs + 1)
  out.text(demand.consumer)
  out.text(demand.watcher)
  if (demand.gateway !== '') out.text(demand.gateway)
}

function writeDedup({ entries }: DedupPage): void {
  for (const { id, seq, expiresAt } of entries) {
    out.text(id)
    numbers(seq, expiresAt)
  }
}

function numbers(...values: readonly number[]): void {
  for (const value of values) out.varint(value)
}
