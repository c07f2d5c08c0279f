/** What the checkers know of a replica that is no more: what it acknowledged was true, if its disk lost it, and nothing if it was removed. */
import { describe, expect, it } from 'vitest'
import type { WalRecord } from '../io/wal/wal.ts'
import { toRaw } from '../io/wal/group-log.ts'
import { RECORD_HEADER_BYTES, encodeRecord, recordBytes } from '../io/wal/record.ts'
import type { SimDisk } from './disk.ts'
import { DurableLogs } from './durable-log.ts'

const GROUP = 2
const PATH = 'wal/0000000000000001.wal'
const NOBODY = { written: () => undefined, recovered: () => undefined, begunAgain: () => undefined }

/** Records as they come to be durable, one after the other. */
function logsAfter(records: readonly WalRecord[]): DurableLogs {
  const logs = new DurableLogs(NOBODY)
  const disk = {} as SimDisk
  logs.watch('n1', disk)
  for (const [at, record] of records.entries()) {
    const raw = { group: GROUP, sequence: at + 1, batch: at + 1, ...toRaw(record) }
    const bytes = Buffer.alloc(recordBytes(raw.payload.length))
    expect(bytes.length).toBeGreaterThanOrEqual(RECORD_HEADER_BYTES)
    encodeRecord(raw, bytes, 0, 1, 0)
    disk.onDurable?.(PATH, 0, bytes.length, bytes)
  }
  return logs
}

const entry: WalRecord = { group: GROUP, kind: 'entry', term: 1, index: 1, type: 0, data: new Uint8Array([7]) }
const begun: readonly WalRecord[] = [{ group: GROUP, kind: 'create', replica: 7 }, entry]

describe('a replica that is no more', () => {
  it.each<readonly [string, readonly WalRecord[]]>([
    ['is found damaged', [{ group: GROUP, kind: 'damaged', replica: 7 }]],
    ['has another in its place, in one step', [{ group: GROUP, kind: 'create', replica: 8 }]],
    [
      'is found damaged, and has another in its place',
      [
        { group: GROUP, kind: 'damaged', replica: 7 },
        { group: GROUP, kind: 'create', replica: 8 },
      ],
    ],
  ])('%s: what it had acknowledged counts', (_, records) => {
    const logs = logsAfter([...begun, ...records])
    expect(logs.ofReplica(GROUP, 7)?.holds(1)).toBe(true)
    expect(logs.ofReplica(GROUP, 8)?.holds(1) ?? false).toBe(false)
  })

  it('was removed: nothing of it counts', () => {
    expect(logsAfter([...begun, { group: GROUP, kind: 'remove' }]).ofReplica(GROUP, 7)).toBeNull()
  })
})
