/**
 * Commands on their way through the log: MessagePack tuples with fixed positions.
 *
 *   [version, kind, …]
 *   acquire   namespace, session, proof, owner, waitMs, leaseMs, priority, reentrant, metadata, (name, mode)+
 *   release   namespace, name, grantId, session, proof
 *   renew     namespace, name, grantId, session, proof, leaseMs (0: as granted)
 *   open      namespace, proof, ttlMs, lingers, name, metadata
 *   keepalive, close    session, proof
 *
 * Session '' is none; the proof is then that of the implicit session. A mode is its index, metadata its JSON text.
 * Decoding trusts nothing: whatever is not exactly this is a refusal, so no bytes in the log can harm the machine.
 */
import { type Refused, invalid } from '../base/refusal.ts'
import { LIMITS, MODES } from './types.ts'
import type { AcquireCommand, LockCommand, SessionProof } from './types.ts'
import type { ModeIndex } from './modes.ts'
import { modeIndex } from './modes.ts'
import { isMetadataText, metadataText } from './metadata.ts'
import { packer, unpackOrNull } from './codec-packer.ts'

const VERSION = 1
const ACQUIRE = 1
const RELEASE = 2
const RENEW = 3
const OPEN = 4
const KEEPALIVE = 5
const CLOSE = 6

const ACQUIRE_HEAD = 11
const PROOF_LENGTH_MAX = 128
const ID_LENGTH_MAX = 64

export interface Item {
  readonly name: string
  readonly mode: ModeIndex
}
/** AcquireCommand as the machine wants it: modes as indexes, metadata as text, one proof for whichever session owns the grants. */
export interface Acquire {
  readonly type: 'lock_acquire'
  readonly namespace: string
  /** '' : an implicit session per grant. */
  readonly session: string
  readonly proof: string
  readonly owner: string
  readonly waitMs: number
  readonly leaseMs: number
  readonly priority: number
  readonly reentrant: boolean
  readonly metadata: string
  readonly items: readonly Item[]
}
export interface GrantCommand {
  readonly type: 'lock_release' | 'lock_renew'
  readonly namespace: string
  readonly name: string
  readonly grantId: string
  /** '' : none given. */
  readonly session: string
  readonly proof: string
  /** Renewal only; 0: as granted. */
  readonly leaseMs: number
}
export interface OpenSession {
  readonly type: 'session_open'
  readonly namespace: string
  readonly proof: string
  readonly ttlMs: number
  readonly lingers: boolean
  readonly name: string
  readonly metadata: string
}
export interface SessionCommand {
  readonly type: 'session_keepalive' | 'session_close'
  readonly session: string
  readonly proof: string
}
export type Decoded = Acquire | GrantCommand | OpenSession | SessionCommand

/** The bytes of a command. Values out of range are encoded as they are: the machine refuses them. */
export function encodeCommand(command: LockCommand): Uint8Array {
  return packer.pack(tupleOf(command))
}

function tupleOf(c: LockCommand): unknown[] {
  switch (c.type) {
    case 'lock_acquire':
      return acquireTuple(c)
    case 'lock_release':
      return [VERSION, RELEASE, c.namespace, c.name, c.grantId, idOf(c.session), proofOf(c.session)]
    case 'lock_renew':
      return [VERSION, RENEW, c.namespace, c.name, c.grantId, idOf(c.session), proofOf(c.session), c.leaseMs ?? 0]
    case 'session_open':
      return [VERSION, OPEN, c.namespace, c.proof, c.ttlMs, c.lingers, c.name, metadataText(c.metadata)]
    case 'session_keepalive':
      return [VERSION, KEEPALIVE, c.session.id, c.session.proof]
    case 'session_close':
      return [VERSION, CLOSE, c.session.id, c.session.proof]
  }
}

function acquireTuple(c: AcquireCommand): unknown[] {
  const proof = c.session === null ? c.implicitProof : c.session.proof
  const metadata = metadataText(c.metadata)
  const head = [VERSION, ACQUIRE, c.namespace, idOf(c.session), proof, c.owner, c.waitMs, c.leaseMs, c.priority, c.reentrant, metadata]
  for (const item of c.items) head.push(item.name, modeIndex(item.mode))
  return head
}

function idOf(session: SessionProof | null): string {
  return session === null ? '' : session.id
}

function proofOf(session: SessionProof | null): string {
  return session === null ? '' : session.proof
}

/** Reads a command, or says why it is none. Never throws. */
export function decodeCommand(bytes: Uint8Array): Decoded | Refused {
  const tuple = unpackOrNull(bytes)
  if (!Array.isArray(tuple)) return invalid('', 'not a lock command')
  if (tuple[0] !== VERSION) return invalid('', 'a lock command of an unknown version')
  switch (tuple[1]) {
    case ACQUIRE:
      return decodeAcquire(tuple)
    case RELEASE:
      return tuple.length === 7 ? decodeGrantCommand('lock_release', tuple, 0) : invalid('', 'not a release')
    case RENEW:
      return tuple.length === 8 ? decodeGrantCommand('lock_renew', tuple, tuple[7]) : invalid('', 'not a renewal')
    case OPEN:
      return tuple.length === 8 ? decodeOpen(tuple) : invalid('', 'not an opening of a session')
    case KEEPALIVE:
      return decodeSessionCommand('session_keepalive', tuple)
    case CLOSE:
      return decodeSessionCommand('session_close', tuple)
    default:
      return invalid('', 'a lock command of an unknown kind')
  }
}

function decodeAcquire(tuple: readonly unknown[]): Acquire | Refused {
  const [, , namespace, session, proof, owner, waitMs, leaseMs, priority, reentrant, metadata] = tuple
  if (!isText(namespace, 1, LIMITS.nameLengthMax)) return invalid('namespace', `1 to ${LIMITS.nameLengthMax} characters`)
  if (!isText(session, 0, ID_LENGTH_MAX)) return invalid('session', 'not a session id')
  if (!isText(proof, 1, PROOF_LENGTH_MAX)) return invalid('session', 'without proof')
  if (!isText(owner, 0, LIMITS.ownerLengthMax)) return invalid('owner', `at most ${LIMITS.ownerLengthMax} characters`)
  if (!isCount(waitMs, 0, LIMITS.waitMsMax)) return invalid('waitMs', `an integer from 0 to ${LIMITS.waitMsMax}`)
  if (!isCount(leaseMs, LIMITS.leaseMsMin, LIMITS.leaseMsMax)) return invalidLease()
  if (!isCount(priority, 0, LIMITS.priorityMax)) return invalid('priority', `an integer from 0 to ${LIMITS.priorityMax}`)
  if (typeof reentrant !== 'boolean') return invalid('reentrant', 'true or false')
  if (typeof metadata !== 'string' || !isMetadataText(metadata)) return invalidMetadata()
  const items = decodeItems(tuple)
  if (!Array.isArray(items)) return items as Refused
  return { type: 'lock_acquire', namespace, session, proof, owner, waitMs, leaseMs, priority, reentrant, metadata, items }
}

function decodeItems(tuple: readonly unknown[]): readonly Item[] | Refused {
  const count = (tuple.length - ACQUIRE_HEAD) / 2
  if (!isCount(count, 1, LIMITS.itemsMax)) return invalid('items', `1 to ${LIMITS.itemsMax} of them`)
  const items: Item[] = []
  for (let at = ACQUIRE_HEAD; at < tuple.length; at += 2) {
    const name = tuple[at]
    const mode = tuple[at + 1]
    if (!isText(name, 1, LIMITS.nameLengthMax)) return invalid('name', `1 to ${LIMITS.nameLengthMax} characters`)
    if (!isCount(mode, 0, MODES.length - 1)) return invalid('mode', `one of ${MODES.join(', ')}`)
    if (items.some((item) => item.name === name)) return invalid('items', `${name} is there twice`)
    items.push({ name, mode })
  }
  return items
}

function decodeGrantCommand(type: GrantCommand['type'], tuple: readonly unknown[], leaseMs: unknown): GrantCommand | Refused {
  const [, , namespace, name, grantId, session, proof] = tuple
  if (!isText(namespace, 1, LIMITS.nameLengthMax)) return invalid('namespace', `1 to ${LIMITS.nameLengthMax} characters`)
  if (!isText(name, 1, LIMITS.nameLengthMax)) return invalid('name', `1 to ${LIMITS.nameLengthMax} characters`)
  if (!isText(grantId, 1, ID_LENGTH_MAX)) return invalid('grantId', 'not a grant id')
  if (!isText(session, 0, ID_LENGTH_MAX)) return invalid('session', 'not a session id')
  if (!isText(proof, session === '' ? 0 : 1, PROOF_LENGTH_MAX)) return invalid('session', 'without proof')
  if (leaseMs !== 0 && !isCount(leaseMs, LIMITS.leaseMsMin, LIMITS.leaseMsMax)) return invalidLease()
  return { type, namespace, name, grantId, session, proof, leaseMs }
}

function decodeOpen(tuple: readonly unknown[]): OpenSession | Refused {
  const [, , namespace, proof, ttlMs, lingers, name, metadata] = tuple
  const { sessionTtlMsMin, sessionTtlMsMax, nameLengthMax } = LIMITS
  if (!isText(namespace, 1, nameLengthMax)) return invalid('namespace', `1 to ${nameLengthMax} characters`)
  if (!isText(proof, 1, PROOF_LENGTH_MAX)) return invalid('session', 'without proof')
  if (!isCount(ttlMs, sessionTtlMsMin, sessionTtlMsMax)) return invalid('ttlMs', `an integer from ${sessionTtlMsMin} to ${sessionTtlMsMax}`)
  if (typeof lingers !== 'boolean') return invalid('lingers', 'true or false')
  if (!isText(name, 0, nameLengthMax)) return invalid('name', `at most ${nameLengthMax} characters`)
  if (typeof metadata !== 'string' || !isMetadataText(metadata)) return invalidMetadata()
  return { type: 'session_open', namespace, proof, ttlMs, lingers, name, metadata }
}

function decodeSessionCommand(type: SessionCommand['type'], tuple: readonly unknown[]): SessionCommand | Refused {
  const [, , session, proof] = tuple
  if (tuple.length !== 4 || !isText(session, 1, ID_LENGTH_MAX)) return invalid('session', 'not a session id')
  if (!isText(proof, 1, PROOF_LENGTH_MAX)) return invalid('session', 'without proof')
  return { type, session, proof }
}

function invalidLease(): Refused {
  return invalid('leaseMs', `an integer from ${LIMITS.leaseMsMin} to ${LIMITS.leaseMsMax}`)
}

function invalidMetadata(): Refused {
  return invalid('metadata', `a flat object of at most ${LIMITS.metadataBytesMax} bytes`)
}

function isText(value: unknown, lengthMin: number, lengthMax: number): value is string {
  return typeof value === 'string' && value.length >= lengthMin && (value.length <= lengthMax || isShort(value, lengthMax))
}

/** Characters are code points: one beyond the basic plane is two units of the string. */
function isShort(value: string, lengthMax: number): boolean {
  return value.length <= lengthMax * 2 && [...value].length <= lengthMax
}

function isCount(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
}
