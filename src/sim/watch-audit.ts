/**
 * What gateways tell their subscriptions, before anything happens to it on its way:
 *
 *  - numbers go up by one, from the one that was asked for or one that nobody was ever told; beats have the last one;
 *  - only what was asked for is told, and of a key later versions only;
 *  - a reset comes only where something is not known any more: who comes back with the last number to the gateway that told it, or
 *    with a cursor that every replica still knows, loses nothing.
 */
import type { Members } from '../api/socket/call.ts'
import type { SubscribeCacheBody } from '../api/cache-schemas.ts'
import { partitionGroup } from '../base/ids.ts'
import { decodeCursor } from '../cache/watch/cursor.ts'
import type { PartitionMachine } from '../partition-machine.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import { SimFailure } from './world.ts'

const LEASE_MS = 3_000

/** Where it is told. */
export interface Told {
  readonly node: SimNode
  readonly life: number
}

interface Subscribed extends Told {
  readonly sub: string
  readonly what: string
  readonly body: SubscribeCacheBody
  readonly first: number
  /** It began without a cursor, from a number: its first event is a reset. */
  resets: boolean
  seq: number
  cursor: string | null
  /** As the cluster was when the cursor was told. */
  lives: string
  readonly versions: Map<string, number>
  isLeft: boolean
}

export class WatchAudit {
  readonly #cluster: SimCluster
  readonly #byConnection = new Map<Told, Map<string, Subscribed>>()
  events = 0
  resets = 0
  resumed = 0

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
  }

  subscribed(where: Told, body: SubscribeCacheBody, result: Members): void {
    const { sub, seq, cursor = null } = result as { readonly sub: string; readonly seq: number; readonly cursor?: string }
    const { from } = body
    const isFresh = seq !== from
    if (isFresh && this.#isTold(seq)) this.#fail(where, `begins at ${seq}, which others were told`)
    if (body.cursor !== undefined && cursor === null) this.#fail(where, 'came with a cursor and is reset at once')
    if (!isFresh && cursor === null) this.#fail(where, `is reset, and counts on from ${seq}`)
    const what = JSON.stringify([body.keys?.toSorted(), body.prefix])
    if (isFresh && from !== undefined && this.#knows(where, what, from)) this.#fail(where, `has forgotten how far ${what} was at ${from}`)
    if (body.from !== undefined && cursor !== null) this.resumed++
    const { node, life } = where
    const told: Subscribed = {
      node,
      life,
      sub,
      what,
      body,
      first: seq,
      seq,
      cursor,
      versions: new Map(),
      resets: cursor === null,
      lives: this.#lives(),
      isLeft: false,
    }
    const known = this.#byConnection.get(where)
    if (known === undefined) this.#byConnection.set(where, new Map([[sub, told]]))
    else known.set(sub, told)
  }

  left(where: Told, sub: string): void {
    this.#of(where, sub).isLeft = true
  }

  pushed(where: Told, event: Members): void {
    if (event['event'] === 'cache.beat') return this.beaten(where, event)
    const told = this.#of(where, String(event['sub']))
    const seq = event['seq'] as number
    if (seq !== told.seq + 1) this.#fail(where, `tells number ${seq} after ${told.seq}`)
    told.seq = seq
    this.events++
    if (event['event'] === 'cache.reset') return this.#reset(told)
    const [key, version] = [String(event['key']), event['version'] as number]
    if (told.resets) this.#fail(where, `tells of ${key} before the reset`)
    const { keys, prefix = '' } = told.body
    if (!(keys?.includes(key) ?? key.startsWith(prefix))) this.#fail(where, `tells of ${key}, and was asked for ${told.what}`)
    const before = told.versions.get(key) ?? 0
    if (version <= before) this.#fail(where, `tells of ${key} version ${version} after ${before}`)
    // What may be over is told with a version that is of no write, and an owner's next ones may be below it.
    const isBeyond = event['reason'] === 'invalidate' && this.#cluster.options.caches.writeback !== 'never'
    if (!isBeyond) told.versions.set(key, version)
  }

  /** Of its own, or asked for. */
  beaten(where: Told, beat: Members): void {
    const told = this.#of(where, String(beat['sub']))
    const { seq, cursor, leaseMs } = beat as { readonly seq: number; readonly cursor?: string; readonly leaseMs?: number }
    if (seq !== told.seq) this.#fail(where, `beats with ${seq}, and has told ${told.seq}`)
    if (leaseMs !== undefined && (leaseMs > LEASE_MS || told.body.mode === 'events')) this.#fail(where, `has a lease of ${leaseMs} ms`)
    if (cursor === undefined) return
    told.cursor = cursor
    told.lives = this.#lives()
  }

  #reset(told: Subscribed): void {
    const wasDue = told.resets
    told.resets = false
    told.versions.clear()
    this.resets++
    // Members that come and go take what they remembered with them.
    if (wasDue || told.cursor === null || told.lives !== this.#lives() || this.#cluster.options.spares.length > 0) return
    const places = [...(decodeCursor(told.cursor) ?? [])]
    const isForgotten = places.some(([partition, place]) =>
      this.#cluster.nodes.some(({ running }) => {
        const machine = running?.node.host.machine(partitionGroup(partition)) as PartitionMachine | null | undefined
        return machine != null && machine.caches.changesSince(place) === null
      }),
    )
    if (!isForgotten) this.#fail(told, `is reset, and everybody knows what came after ${told.cursor}`)
  }

  /** Whether this life of the gateway has told exactly so far, to somebody who did not leave of their own wish. */
  #knows({ node, life }: Told, what: string, seq: number): boolean {
    for (const subscriptions of this.#byConnection.values()) {
      for (const one of subscriptions.values()) {
        if (one.node === node && one.life === life && one.what === what && one.seq === seq && !one.isLeft && !one.resets) return true
      }
    }
    return false
  }

  /** Anywhere, ever. */
  #isTold(seq: number): boolean {
    for (const subscriptions of this.#byConnection.values()) {
      for (const one of subscriptions.values()) if (one.first <= seq && seq <= one.seq) return true
    }
    return false
  }

  #lives(): string {
    return this.#cluster.nodes.map(({ id, lives, up }) => `${id} ${lives} ${up}`).join()
  }

  #of(where: Told, sub: string): Subscribed {
    const told = this.#byConnection.get(where)?.get(sub)
    if (told === undefined) this.#fail(where, `tells of ${sub}, which is none of its subscriptions`)
    return told
  }

  #fail({ node }: Told, what: string): never {
    const failure = new SimFailure(`watch: ${node.id} ${what}`)
    this.#cluster.world.fail(failure)
    throw failure
  }
}
