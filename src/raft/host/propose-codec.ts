/** The tuples between proposers and hosts (positions: wire.ts). Malformed ones decode to null. */
import type { Plain } from '../../actors/envelope.ts'
import type { GroupId } from '../../base/ids.ts'
import { isCount } from './codec.ts'

export interface Propose {
  readonly group: GroupId
  readonly hops: number
  /** Chosen by the proposer, to tell which parcel was refused. */
  readonly parcel: number
  readonly client: number
  /** Some of its commands may have been taken before: look into it. */
  readonly repeat: boolean
  /** None of its commands takes space for long: it is taken though the disk is low. */
  readonly essential: boolean
  /** Of the commands whose trace is sampled. */
  readonly traces: readonly string[]
  readonly bytes: Uint8Array
}

export function encodePropose(propose: Propose): Plain[] {
  const { group, hops, parcel, client, repeat, essential, traces, bytes } = propose
  return [group, hops, parcel, client, repeat ? 1 : 0, essential ? 1 : 0, traces, bytes]
}

export function decodePropose(payload: Plain): Propose | null {
  if (!Array.isArray(payload) || payload.length !== 8) return null
  const [group, hops, parcel, client, repeat, essential, traces, bytes] = payload as readonly Plain[]
  if (!isCount(group) || !isCount(hops) || !isCount(parcel) || !isCount(client) || !(bytes instanceof Uint8Array)) return null
  if (!Array.isArray(traces) || !traces.every((trace) => typeof trace === 'string')) return null
  return { group, hops, parcel, client, repeat: repeat === 1, essential: essential === 1, traces: traces as readonly string[], bytes }
}

export interface QueryMessage {
  readonly group: GroupId
  readonly hops: number
  readonly stale: boolean
  /** Asked before without an answer: try another host. */
  readonly repeat: boolean
  /** Asks what became of the command of this idempotency key; '': `request` is for the machine. */
  readonly key: string
  readonly request: Plain
}

export function encodeQuery(query: QueryMessage): Plain[] {
  const { group, hops, stale, repeat, key, request } = query
  return [group, hops, stale ? 1 : 0, repeat ? 1 : 0, key, request]
}

export function decodeQuery(payload: Plain): QueryMessage | null {
  if (!Array.isArray(payload) || payload.length !== 6) return null
  const [group, hops, stale, repeat, key, request] = payload as readonly Plain[]
  if (!isCount(group) || !isCount(hops) || typeof key !== 'string' || request === undefined) return null
  return { group, hops, stale: stale === 1, repeat: repeat === 1, key, request }
}
