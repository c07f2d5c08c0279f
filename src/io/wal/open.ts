/**
 * Opens the log of a node: reads every segment, judges, cuts a torn tail, and hands back the groups and a writer that
 * goes on in a new segment. Damaged groups are named, never guessed: the verdict is the same at every opening until the
 * host makes the group anew (`create`) or ends it (`remove`).
 */
import type { GroupId, ReplicaId } from '../../base/ids.ts'
import type { Clock } from '../clock.ts'
import type { Storage } from '../storage.ts'
import { EntrySegments } from './entry-segments.ts'
import { GroupLog, voidsEntries } from './group-log.ts'
import { Ledger } from './ledger.ts'
import { KIND_DAMAGED, KIND_ENTRY } from './record.ts'
import { type ScannedSegment, scanSegment } from './scan.ts'
import { listSegments, segmentPath } from './segment.ts'
import { type Verdict, judge } from './verdict.ts'
import type { Recovered, WalOptions } from './wal.ts'
import { WalWriter } from './writer.ts'

export async function openWal(storage: Storage, clock: Clock, options: WalOptions): Promise<Recovered> {
  const { directory } = options
  await storage.remove(`${directory}/spare`)
  const numbers = await listSegments(storage, directory)
  const segments: ScannedSegment[] = []
  const sizes = new Map<number, number>()
  for (const number of numbers) {
    const bytes = Buffer.from((await storage.readFile(segmentPath(directory, number))) ?? new Uint8Array())
    sizes.set(number, bytes.length)
    segments.push(scanSegment(bytes, number))
  }
  const verdict = judge(segments)
  const tornBytes = verdict.torn ? await cut(storage, directory, verdict.torn, sizes) : 0
  const ledger = new Ledger()
  const { groups, damaged } = rebuild(verdict, ledger)
  const wal = new WalWriter(storage, clock, options, {
    ledger,
    segments: numbers.map((number) => ({ number, bytes: sizes.get(number) ?? 0 })),
    nextSegment: (numbers.at(-1) ?? 0) + 1,
    nextBatch: verdict.nextBatch,
  })
  const recovered = groups.map((group) => group.recovered()).filter((group) => group !== null)
  return { wal, groups: recovered, damaged, holes: verdict.holes, tornBytes, findings: verdict.findings }
}

/** Durable before anything is appended: nothing behind the tear may ever be read again. */
async function cut(
  storage: Storage,
  directory: string,
  torn: NonNullable<Verdict['torn']>,
  sizes: ReadonlyMap<number, number>,
): Promise<number> {
  const file = await storage.open(segmentPath(directory, torn.segment))
  await file.truncate(torn.at)
  await file.sync()
  await file.close()
  return (sizes.get(torn.segment) ?? torn.at) - torn.at
}

interface Tracked {
  readonly log: GroupLog
  sequence: number
  replica: ReplicaId
  /** The last record of it says that it is damaged. */
  condemned: boolean
  readonly entries: EntrySegments
}

function newTracked(group: GroupId): Tracked {
  return { log: new GroupLog(group), sequence: 0, replica: 0, condemned: false, entries: new EntrySegments() }
}

function rebuild(verdict: Verdict, ledger: Ledger): { readonly groups: readonly GroupLog[]; readonly damaged: Recovered['damaged'] } {
  const tracked = new Map<GroupId, Tracked>()
  for (const batch of verdict.batches) {
    for (const { record } of batch.records) {
      const group = tracked.get(record.group) ?? newTracked(record.group)
      tracked.set(record.group, group)
      group.log.apply(record)
      group.sequence = record.sequence
      group.condemned = record.kind === KIND_DAMAGED
      group.replica = group.condemned ? record.index : (group.log.summary?.replica ?? group.replica)
      if (voidsEntries(record)) group.entries.clear(0)
      else if (record.kind === KIND_ENTRY) group.entries.write(batch.segment, record.index)
    }
  }
  const groups: GroupLog[] = []
  const damaged: { group: GroupId; replica: ReplicaId }[] = []
  for (const group of verdict.damaged) if (!tracked.has(group)) damaged.push({ group, replica: 0 })
  for (const [group, { log, sequence, replica, entries }] of tracked) {
    ledger.adopt(group, log.summary, sequence, entries)
    if (verdict.damaged.has(group) || !log.whole) damaged.push({ group, replica })
    else groups.push(log)
  }
  for (const { group, replica } of damaged) ledger.markDamaged(group, replica, tracked.get(group)?.condemned === true)
  return { groups, damaged: damaged.sort((a, b) => a.group - b.group) }
}
