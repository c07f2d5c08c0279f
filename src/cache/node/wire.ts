/**
 * The words of the coherence protocol as they travel: tuples that begin with the partition and the kind. The kinds are
 * grouped under the three types of message that the requirements name.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { Held, LineId, ToHome, ToNode } from '../coherence/protocol.ts'

export const COHERENCE_WIRE = {
  cache_read:
    'node <-> home: [partition, kind, …]; open, renew, getS; opened, renewed, closed, dataS (a copy), dataU (a value for once), tellReads',
  cache_write: 'node <-> home: [partition, kind, …]; getM; dataX (the line is the node’s to write)',
  cache_invalidate:
    'home <-> node: [partition, kind, …]; inv, recall, view (drop what older terms granted), left; invAck, viewAck, leave (the node stops)',
} as const

/** A home to a node with a session: say what is read of the caches whose lines begin so, and of nothing else. */
export interface TellReads {
  readonly type: 'tellReads'
  readonly prefixes: readonly LineId[]
}

export type FromHome = ToNode | TellReads

export type CoherenceType = keyof typeof COHERENCE_WIRE

const TYPES: Readonly<Record<ToHome['type'] | FromHome['type'], CoherenceType>> = {
  open: 'cache_read',
  renew: 'cache_read',
  getS: 'cache_read',
  opened: 'cache_read',
  renewed: 'cache_read',
  closed: 'cache_read',
  tellReads: 'cache_read',
  dataS: 'cache_read',
  dataU: 'cache_read',
  getM: 'cache_write',
  dataX: 'cache_write',
  inv: 'cache_invalidate',
  recall: 'cache_invalidate',
  view: 'cache_invalidate',
  invAck: 'cache_invalidate',
  viewAck: 'cache_invalidate',
  leave: 'cache_invalidate',
  left: 'cache_invalidate',
}

/** Members of each kind, in their order on the wire. */
const MEMBERS: Readonly<Record<ToHome['type'] | FromHome['type'], readonly string[]>> = {
  open: ['n', 'first'],
  renew: ['term', 'sid', 'n'],
  getS: ['term', 'sid', 'rid', 'line'],
  getM: ['term', 'sid', 'rid', 'line'],
  invAck: ['term', 't', 'line'],
  viewAck: ['term'],
  leave: ['n'],
  opened: ['term', 'sid', 'n', 'leaseMs'],
  renewed: ['term', 'sid', 'n', 'leaseMs'],
  closed: ['term', 'sid'],
  tellReads: ['prefixes'],
  dataS: ['term', 'sid', 'rid', 'line', 'g', 'held'],
  dataU: ['term', 'sid', 'rid', 'line', 'held'],
  dataX: ['term', 'sid', 'rid', 'line', 'g', 'held', 'own', 'versionFirst', 'versionMax'],
  inv: ['term', 't', 'line'],
  recall: ['term', 't', 'gx', 'line'],
  view: ['term'],
  left: ['term', 'n'],
}
const TO_HOME: ReadonlySet<string> = new Set(['open', 'renew', 'getS', 'getM', 'invAck', 'viewAck', 'leave'])
const TAGS_MAX = 64
/** Of one partition. What is read of more caches than that is not told. */
export const PREFIXES_MAX = 64

export function typeOf(message: ToHome | FromHome): CoherenceType {
  return TYPES[message.type]
}

export function encodeMessage(partition: number, message: ToHome | FromHome): Plain {
  const members = message as unknown as Readonly<Record<string, Plain | Held>>
  const tuple: Plain[] = [partition, message.type]
  for (const name of MEMBERS[message.type]) tuple.push(name === 'held' ? encodeHeld(members[name] as Held) : (members[name] as Plain))
  return tuple
}

export type Decoded =
  | { readonly partition: number; readonly to: 'home'; readonly message: ToHome }
  | { readonly partition: number; readonly to: 'node'; readonly message: FromHome }

/** Null: it is none. */
export function decodeMessage(payload: Plain): Decoded | null {
  if (!Array.isArray(payload)) return null
  const [partition, type, ...values] = payload as readonly Plain[]
  if (!isCount(partition) || typeof type !== 'string' || !Object.hasOwn(MEMBERS, type)) return null
  const members = MEMBERS[type as keyof typeof MEMBERS]
  if (values.length !== members.length) return null
  const message: Record<string, unknown> = { type }
  for (const [at, name] of members.entries()) {
    const value = name === 'held' ? decodeHeld(values[at] as Plain) : checked(name, values[at] as Plain)
    if (value === null) return null
    message[name] = value
  }
  if (TO_HOME.has(type)) return { partition, to: 'home', message: message as unknown as ToHome }
  return { partition, to: 'node', message: message as unknown as FromHome }
}

function checked(name: string, value: Plain): Plain {
  if (name === 'line') return typeof value === 'string' ? value : null
  if (name === 'prefixes') return arePrefixes(value) ? value : null
  return isCount(value) ? value : null
}

function encodeHeld({ version, value, contentType, ttlLeftMs, slidingMs, tags }: Held): Plain {
  return [version, value, contentType, ttlLeftMs, slidingMs, tags as readonly Plain[]]
}

function decodeHeld(payload: Plain): Held | null {
  if (!Array.isArray(payload) || payload.length !== 6) return null
  const [version, value, contentType, ttlLeftMs, slidingMs, tags] = payload as readonly Plain[]
  if (!isCount(version) || !(value === null || value instanceof Uint8Array) || typeof contentType !== 'string') return null
  if (!(ttlLeftMs === null || isCount(ttlLeftMs)) || !isCount(slidingMs) || !areTags(tags)) return null
  // A view of the frame would keep all of it as long as the copy lives.
  return { version, value: value === null ? null : new Uint8Array(value), contentType, ttlLeftMs, slidingMs, tags }
}

function areTags(tags: Plain | undefined): tags is readonly (readonly [LineId, number])[] & Plain {
  return (
    Array.isArray(tags) &&
    tags.length <= TAGS_MAX &&
    (tags as readonly Plain[]).every((tag) => Array.isArray(tag) && tag.length === 2 && typeof tag[0] === 'string' && isCount(tag[1]))
  )
}

function arePrefixes(value: Plain): boolean {
  return Array.isArray(value) && value.length <= PREFIXES_MAX && (value as readonly Plain[]).every((prefix) => typeof prefix === 'string')
}

function isCount(value: Plain | undefined): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value)
}
