/**
 * Peer messages as tuples and back. A tuple that is not what it should be decodes to null, and is dropped like a lost
 * one. Heartbeats are not here: those of all groups travel in one list (`outgoing.ts` writes it, `readBeats` reads it).
 */
import type { Plain } from '../../actors/envelope.ts'
import type { GroupId } from '../../base/ids.ts'
import type { Entry, EntryType, Heartbeat, HeartbeatResponse, InstallSnapshot, PeerMessage } from '../core/types.ts'

export type DirectMessage = Exclude<PeerMessage, Heartbeat | HeartbeatResponse | InstallSnapshot>

export interface Addressed<M extends PeerMessage = PeerMessage> {
  readonly group: GroupId
  readonly message: M
}

const flag = (value: boolean): number => (value ? 1 : 0)

export function encodePeer(group: GroupId, message: DirectMessage): Plain[] {
  const { from, to, term } = message
  switch (message.type) {
    case 'request_vote':
      return [group, from, to, term, flag(message.preVote), message.lastIndex, message.lastTerm, flag(message.transfer)]
    case 'vote_response':
      return [group, from, to, term, flag(message.preVote), flag(message.granted), message.commit, message.commitTerm]
    case 'append_entries':
      return [group, from, to, term, message.prevIndex, message.prevTerm, message.commit, encodeEntries(message.entries)]
    case 'append_response':
      return [group, from, to, term, message.index, flag(message.reject), message.hintIndex, message.hintTerm]
    case 'timeout_now':
      return [group, from, to, term]
    case 'read_index':
      return [group, from, to, term, message.readId]
    case 'read_index_response':
      return [group, from, to, term, message.readId, message.index, flag(message.reject)]
  }
}

function encodeEntries(entries: readonly Entry[]): Plain[] {
  const flat: Plain[] = []
  for (const entry of entries) flat.push(entry.term, entry.type, entry.data)
  return flat
}

function decodeEntries(flat: Plain | undefined, prevIndex: number): Entry[] | null {
  if (!Array.isArray(flat) || flat.length % 3 !== 0) return null
  const entries: Entry[] = []
  for (let i = 0; i < flat.length; i += 3) {
    const [term, type, data] = [flat[i] as Plain, flat[i + 1] as Plain, flat[i + 2] as Plain]
    if (!isCount(term) || !isEntryType(type) || !(data instanceof Uint8Array)) return null
    entries.push({ index: prevIndex + 1 + i / 3, term, type, data })
  }
  return entries
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isEntryType(value: Plain): value is EntryType {
  return value === 0 || value === 1 || value === 2
}

/** Null for anything but a well-formed tuple of that type. */
export function decodePeer(type: string, payload: Plain): Addressed<DirectMessage> | null {
  if (!Array.isArray(payload)) return null
  const tuple: readonly Plain[] = payload
  const numbers = type === 'append_entries' ? 7 : tuple.length
  for (let i = 0; i < numbers; i++) if (!isCount(tuple[i])) return null
  const message = decodeTuple(type, tuple as readonly number[], tuple)
  return message === null ? null : { group: tuple[0] as number, message }
}

function decodeTuple(type: string, n: readonly number[], tuple: readonly Plain[]): DirectMessage | null {
  const length = TUPLE_LENGTHS.get(type)
  if (length === undefined || tuple.length !== length) return null
  const [from, to, term] = [n[1]!, n[2]!, n[3]!]
  switch (type) {
    case 'request_vote':
      return { type, from, to, term, preVote: n[4] === 1, lastIndex: n[5]!, lastTerm: n[6]!, transfer: n[7] === 1 }
    case 'vote_response':
      return { type, from, to, term, preVote: n[4] === 1, granted: n[5] === 1, commit: n[6]!, commitTerm: n[7]! }
    case 'append_entries': {
      const entries = decodeEntries(tuple[7], n[4]!)
      return entries === null ? null : { type, from, to, term, prevIndex: n[4]!, prevTerm: n[5]!, commit: n[6]!, entries }
    }
    case 'append_response':
      return { type, from, to, term, index: n[4]!, reject: n[5] === 1, hintIndex: n[6]!, hintTerm: n[7]! }
    case 'timeout_now':
      return { type, from, to, term }
    case 'read_index':
      return { type, from, to, term, readId: n[4]! }
    case 'read_index_response':
      return { type, from, to, term, readId: n[4]!, index: n[5]!, reject: n[6] === 1 }
    default:
      return null
  }
}

const TUPLE_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['request_vote', 8],
  ['vote_response', 8],
  ['append_entries', 8],
  ['append_response', 8],
  ['timeout_now', 4],
  ['read_index', 5],
  ['read_index_response', 7],
])

export const BEAT_LENGTH = 7
export const BEAT_RESPONSE_LENGTH = 6

export function pushBeat(list: number[], group: GroupId, message: Heartbeat | HeartbeatResponse): void {
  const { from, to, term, readSeq } = message
  if (message.type === 'heartbeat') list.push(group, from, to, term, message.commit, readSeq, flag(message.quiesce))
  else list.push(group, from, to, term, readSeq, flag(message.quiesced))
}

/** The beats of a list, in order; nothing for a malformed one. */
export function readBeats(type: 'heartbeat' | 'heartbeat_response', payload: Plain): Addressed<Heartbeat | HeartbeatResponse>[] {
  const length = type === 'heartbeat' ? BEAT_LENGTH : BEAT_RESPONSE_LENGTH
  if (!Array.isArray(payload) || payload.length % length !== 0 || !payload.every(isCount)) return []
  const n = payload as readonly number[]
  const beats: Addressed<Heartbeat | HeartbeatResponse>[] = []
  for (let i = 0; i < n.length; i += length) {
    const [from, to, term] = [n[i + 1]!, n[i + 2]!, n[i + 3]!]
    const message: Heartbeat | HeartbeatResponse =
      type === 'heartbeat'
        ? { type, from, to, term, commit: n[i + 4]!, readSeq: n[i + 5]!, quiesce: n[i + 6] === 1 }
        : { type, from, to, term, readSeq: n[i + 4]!, quiesced: n[i + 5] === 1 }
    beats.push({ group: n[i]!, message })
  }
  return beats
}
