/**
 * The data of an ENTRY_CONFIG: the whole membership that is in force once the entry is applied. Whole, not a
 * difference, so that a replica which began with nothing knows its group from the first such entry on.
 *
 *     version  n voters…  n outgoing…  n learners…  n learnersNext…      every number a LEB128 varint
 *
 * Ids are stored as differences, which also makes "sorted, no duplicates" impossible to violate on the wire.
 */
import { assert } from '../../base/assert.ts'
import type { ReplicaId } from '../../base/ids.ts'
import type { Membership } from './types.ts'

const VERSION = 1
/** More members than any group has; bounds what a damaged entry can make us allocate. */
const MEMBERS_MAX = 1024

export function encodeMembership(membership: Membership): Uint8Array {
  const out: number[] = [VERSION]
  writeIds(out, membership.voters)
  writeIds(out, membership.outgoing)
  writeIds(out, membership.learners)
  writeIds(out, membership.learnersNext)
  return Uint8Array.from(out)
}

/** Throws AssertionError on anything that `encodeMembership` cannot have written: a committed entry is never malformed. */
export function decodeMembership(data: Uint8Array): Membership {
  assert(data[0] === VERSION, `unknown version of a configuration entry: ${data[0]}`)
  const cursor: Cursor = { data, at: 1 }
  const voters = readIds(cursor)
  const outgoing = readIds(cursor)
  const learners = readIds(cursor)
  const learnersNext = readIds(cursor)
  assert(cursor.at === data.length, 'trailing bytes in a configuration entry')
  return { voters, outgoing, learners, learnersNext }
}

interface Cursor {
  readonly data: Uint8Array
  at: number
}

function writeIds(out: number[], ids: readonly ReplicaId[]): void {
  assert(ids.length <= MEMBERS_MAX, `too many members: ${ids.length}`)
  writeVarint(out, ids.length)
  let previous = 0
  for (const id of ids) {
    assert(id > previous, 'members must be sorted, positive and unique')
    writeVarint(out, id - previous)
    previous = id
  }
}

function readIds(cursor: Cursor): ReplicaId[] {
  const count = readVarint(cursor)
  assert(count <= MEMBERS_MAX, `too many members: ${count}`)
  const ids: ReplicaId[] = []
  let previous = 0
  for (let i = 0; i < count; i++) {
    const step = readVarint(cursor)
    assert(step > 0, 'members must be sorted, positive and unique')
    previous += step
    ids.push(previous)
  }
  return ids
}

// Arithmetic, not shifts: ids pass 2^31.
function writeVarint(out: number[], value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `not an encodable number: ${value}`)
  let rest = value
  while (rest >= 128) {
    out.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
}

function readVarint(cursor: Cursor): number {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = cursor.data[cursor.at++]
    assert(byte !== undefined, 'configuration entry ends too early')
    value += (byte % 128) * scale
    assert(Number.isSafeInteger(value), 'configuration entry holds a number out of range')
    if (byte < 128) return value
  }
}
