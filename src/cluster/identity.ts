/**
 * `node.json`: who a data directory belongs to. Made at the first boot, replaced durably at every boot with the next
 * incarnation, so a number is never used twice on one disk. It is at least the seconds of the wall clock, so that peers
 * who met this node on another disk (an emptied one, refused since) listen to it again; with a clock that is behind they
 * may not, and nothing else depends on it. A directory of another node or cluster is refused: starting
 * on it could vote twice in one term.
 */
import type { NodeId } from '../base/ids.ts'
import type { Clock } from '../io/clock.ts'
import type { Random } from '../io/random.ts'
import type { Storage } from '../io/storage.ts'
import type { Formation, Identity } from './types.ts'

const FILE = 'node.json'
const UID_BYTES = 12

/** A data directory that this node must not use, with the way out. main exits with 2. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
}

export interface IdentityRequest {
  readonly node: NodeId
  readonly cluster: string
}

/** Reads or makes the identity and begins the next boot on it. */
export async function openIdentity(storage: Storage, clock: Clock, random: Random, request: IdentityRequest): Promise<Identity> {
  const found = await readIdentity(storage)
  if (found && found.node !== request.node) {
    throw new IdentityError(
      `the data directory belongs to node ${found.node}, not ${request.node}: start it as ${found.node}, ` +
        `or give ${request.node} a directory of its own (storage.data_directory)`,
    )
  }
  if (found && found.cluster !== request.cluster) {
    throw new IdentityError(
      `the data directory belongs to cluster ${found.cluster}, not ${request.cluster}: correct cluster.name, or give this cluster a directory of its own`,
    )
  }
  if (!found) await refuseOrphans(storage)
  const fresh: Identity = {
    ...request,
    uid: hex(random.bytes(UID_BYTES)),
    incarnation: Math.floor(clock.wall() / 1_000),
    member: null,
    formation: null,
    founded: false,
  }
  const last = found ?? fresh
  const identity = { ...last, incarnation: Math.max(last.incarnation + 1, Math.floor(clock.wall() / 1_000)) }
  await write(storage, identity)
  return identity
}

/** The node has become a member of a formed cluster. */
export async function joinFormation(storage: Storage, identity: Identity, formation: Formation, member: number): Promise<Identity> {
  const joined = { ...identity, formation, member }
  await write(storage, joined)
  return joined
}

/** The node has been taken into a cluster that runs: there are no founding replicas for it to make. */
export async function joinRunning(storage: Storage, identity: Identity, formation: Formation, member: number): Promise<Identity> {
  const joined = { ...identity, formation, member, founded: true }
  await write(storage, joined)
  return joined
}

/** The founding replicas are durable; see Identity.founded. */
export async function markFounded(storage: Storage, identity: Identity): Promise<void> {
  await write(storage, { ...identity, founded: true })
}

async function write(storage: Storage, identity: Identity): Promise<void> {
  await storage.replace(FILE, new TextEncoder().encode(`${JSON.stringify(identity, null, 2)}\n`))
}

async function readIdentity(storage: Storage): Promise<Identity | null> {
  const bytes = await storage.readFile(FILE)
  if (!bytes) return null
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (isIdentity(parsed)) return parsed
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new IdentityError(
    `${FILE} is damaged, so nobody knows whose votes are in this directory: restore the file from a backup of this node; while it is away the others go on`,
  )
}

/** A log without its `node.json`: somebody removed the file, or copied half a directory. */
async function refuseOrphans(storage: Storage): Promise<void> {
  if ((await storage.list('wal')).some((name) => name.endsWith('.wal'))) {
    throw new IdentityError(`the data directory holds a log but no ${FILE}: restore the file; while this node is away the others go on`)
  }
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== 'object' || value === null) return false
  const { node, uid, cluster, incarnation } = value as Partial<Record<keyof Identity, unknown>>
  return typeof node === 'string' && typeof uid === 'string' && typeof cluster === 'string' && Number.isSafeInteger(incarnation)
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
