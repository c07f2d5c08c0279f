/**
 * Peer messages as tuples and back. Those of many groups travel in one list, tuple behind tuple (`outgoing.ts` gathers them):
 * appends, heartbeats and the answers to both. What is not what it should be decodes to null, and is dropped like lost messages.
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

/** Adds its tuple to `list`. */
export function pushPeer(list: Plain[], group: GroupId, message: DirectMessage): void {
  const { from, to, term } = message
  list.push(group, from, to, term)
  switch (message.type) {
    case 'request_vote':
      list.push(flag(message.preVote), message.lastIndex, message.lastTerm, flag(message.transfer))
      return
    case 'vote_response':
      list.push(flag(message.preVote), flag(message.granted), message.commit, message.commitTerm)
      return
    case 'append_entries':
      list.push(message.prevIndex, message.prevTerm, message.commit, encodeEntries(message.entries))
      return
    case 'append_response':
      list.push(message.index, flag(message.reject), message.hintIndex, message.hintTerm)
      return
    case 'timeout_now':
      return
    case 'read_index':
      list.push(message.readId)
      return
    case 'read_index_response':
      list.push(message.readId, message.index, flag(message.reject))
      return
  }
}

export function encodePeer(group: GroupId, message: DirectMessage): Plain[] {
  const list: Plain[] = []
  pushPeer(list, group, message)
  return list
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

/** The messages of a list of tuples, in order; null for anything but well-formed ones of that type, of most types just one. */
export function decodePeers(type: string, payload: Plain): Addressed<DirectMessage>[] | null {
  const length = TUPLE_LENGTHS.get(type)
  if (length === undefined || !Array.isArray(payload) || payload.length === 0 || payload.length % length !== 0) return null
  if (payload.length > length && type !== 'append_entries' && type !== 'append_response') return null
  const tuples: readonly Plain[] = payload
  const messages: Addressed<DirectMessage>[] = []
  for (let at = 0; at < tuples.length; at += length) {
    const numbers = type === 'append_entries' ? length - 1 : length
    for (let i = at; i < at + numbers; i++) if (!isCount(tuples[i])) return null
    const message = decodeTuple(type, tuples as readonly number[], at, tuples[at + 7] ?? null)
    if (message === null) return null
    messages.push({ group: tuples[at] as number, message })
  }
  return messages
}

function decodeTuple(type: string, n: readonly number[], at: number, list: Plain): DirectMessage | null {
  const [from, to, term] = [n[at + 1]!, n[at + 2]!, n[at + 3]!]
  switch (type) {
    case 'request_vote':
      return { type, from, to, term, preVote: n[at + 4] === 1, lastIndex: n[at + 5]!, lastTerm: n[at + 6]!, transfer: n[at + 7] === 1 }
    case 'vote_response':
      return { type, from, to, term, preVote: n[at + 4] === 1, granted: n[at + 5] === 1, commit: n[at + 6]!, commitTerm: n[at + 7]! }
    case 'append_entries': {
      const entries = decodeEntries(list, n[at + 4]!)
      return entries === null ? null : { type, from, to, term, prevIndex: n[at + 4]!, prevTerm: n[at + 5]!, commit: n[at + 6]!, entries }
    }
    case 'append_response':
      return { type, from, to, term, index: n[at + 4]!, reject: n[at + 5] === 1, hintIndex: n[at + 6]!, hintTerm: n[at + 7]! }
    case 'timeout_now':
      return { type, from, to, term }
    case 'read_index':
      return { type, from, to, term, readId: n[at + 4]! }
    case 'read_index_response':
      return { type, from, to, term, readId: n[at + 4]!, index: n[at + 5]!, reject: n[at + 6] === 1 }
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
