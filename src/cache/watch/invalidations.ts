/**
 * Subscriptions to the changes of caches, the gateway's half: one watch per partition while anybody here is interested in it,
 * and from it to everybody who is.
 *
 *   home ──settled changes──▶ node ──▶ watch of the partition ──by cache, key, prefix──▶ streams ──▶ sockets
 *
 * Without subscriptions there are no watches, and homes keep nothing.
 */
import type { ActorSystem } from '../../actors/actor.ts'
import { type Plain, actorId } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import type { Hash } from '../../base/hash.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import { partitionOf } from '../../cluster/ring.ts'
import { SuspendAwareClock } from '../../io/suspend-aware-clock.ts'
import { CACHE_CALL, CACHE_PATH, valueOf } from '../calls.ts'
import { entryLine, linePrefix, parseLine, placeOf } from '../line-id.ts'
import type { CacheName, InvalidationListener, InvalidationStream, Invalidations, WatchWhat } from '../types.ts'
import { type Places, decodeCursor, earliest } from './cursor.ts'
import { PartitionWatch, type Swept, type WatchListener, type WatchPort, NEVER_SWEPT, bothSwept } from './partition-watch.ts'
import { Stream } from './stream.ts'
import { Turns } from './turns.ts'
import { WATCH_LIMITS, type LinePrefix, type WatchAnswer, decodeAnswer } from './words.ts'

/** Of a gateway, over all its connections. */
export const STREAMS_MAX = 20_000
export const KEYS_MAX = 1_000_000
/** Questions of streams that catch up, at a time. */
export const CATCH_UPS_MAX = 64

/** Of watches that are asked for their sweeps alone: no line of an entry begins so. */
const NO_ENTRIES: LinePrefix = 't'
const NOTHING_LEFT: Swept = { at: Infinity, lagMs: 0, slowEndAt: -Infinity }

interface OfCache {
  readonly byKey: Map<string, Set<Stream>>
  /** Prefixes, and all. */
  readonly broad: Set<Stream>
}

export interface InvalidationsOptions {
  readonly partitions: number
  readonly hash: Hash
  /** No other gateway, and no other life of this one, has the same. */
  readonly name: string
}

/** Over the cache of the node behind the gateway. */
export function createInvalidations(
  system: ActorSystem,
  node: NodeId,
  options: Pick<InvalidationsOptions, 'partitions' | 'hash'>,
): Invalidations {
  const address = actorId(node, CACHE_PATH)
  const port: WatchPort = {
    // What is known is as old as it is, over a suspension too.
    clock: new SuspendAwareClock(system.clock),
    async poll(partition, asker, { since, interest, waitMs }) {
      const call: Plain = ['watch', asker, partition, since, interest, waitMs]
      const { payload } = await system.ask(address, CACHE_CALL, call, waitMs + 3 * WATCH_LIMITS.slackMs)
      return decodeAnswer(valueOf(payload))
    },
  }
  return new GatewayInvalidations(port, { ...options, name: `${system.node}@${system.incarnation}` })
}

export class GatewayInvalidations implements Invalidations, WatchListener {
  readonly #port: WatchPort
  readonly #catchUpPort: WatchPort
  readonly #options: InvalidationsOptions
  readonly #watches = new Map<number, PartitionWatch>()
  readonly #caches = new Map<LinePrefix, OfCache>()
  readonly #streams = new Set<Stream>()
  /** Those of keys that want to know how far sweeps have come: by homes of tags, which may be any. */
  readonly #askSweeps = new Set<Stream>()
  /** As of this moment. */
  #swept = { at: -Infinity, of: NOTHING_LEFT }
  #keys = 0
  #last = 0

  constructor(port: WatchPort, options: InvalidationsOptions) {
    this.#port = port
    const turns = new Turns(CATCH_UPS_MAX)
    this.#catchUpPort = {
      clock: port.clock,
      poll: (partition, asker, question) => turns.take(() => port.poll(partition, asker, question)),
    }
    this.#options = options
  }

  async open(
    name: CacheName,
    what: WatchWhat,
    cursor: string | null,
    listener: InvalidationListener,
    timeoutMs: Millis,
  ): Promise<InvalidationStream> {
    const places = cursor === null ? null : decodeCursor(cursor)
    if (cursor !== null && places === null) {
      const message = 'this is no cursor of a subscription'
      throw new TricordError('INVALID_ARGUMENT', message, { errors: [{ path: 'cursor', message }] })
    }
    const keys = 'keys' in what ? what.keys.length : 0
    if (this.#streams.size >= STREAMS_MAX || this.#keys + keys > KEYS_MAX) {
      const hint = 'subscribe on another node, or by a prefix'
      throw new TricordError('QUOTA', `this gateway has ${STREAMS_MAX} subscriptions of caches, or ${KEYS_MAX} keys in them: ${hint}`, {
        hint,
      })
    }
    const prefix = linePrefix('entry', name.namespace, name.cache)
    const stream = new Stream({
      prefix,
      what,
      listener,
      asker: this.#nameOf(),
      port: this.#catchUpPort,
      swept: (asking) => this.#sweptFor(asking),
      onEnd: (ended) => this.#remove(ended),
    })
    this.#add(stream)
    const parts = this.#partsOf(name, what)
    const watches = [...parts.keys()].map((partition) => this.#watchOf(partition, prefix))
    try {
      await this.#begin(watches, places, timeoutMs)
    } catch (error) {
      for (const watch of watches) watch.unwant(prefix)
      stream.end()
      throw error
    }
    for (const watch of watches) {
      const place = places?.get(watch.partition) ?? null
      stream.add(watch, parts.get(watch.partition) ?? [], place, places !== null && place === null)
    }
    return stream
  }

  earliest(cursors: readonly string[]): string {
    return earliest(cursors)
  }

  changed(partition: number, changes: WatchAnswer['changes']): void {
    const touched = new Set<Stream>()
    for (const [at, version, id, reason] of changes) {
      const line = parseLine(id)
      if (line === null) continue
      const found = this.#caches.get(linePrefix('entry', line.namespace, line.cache))
      if (found === undefined) continue
      const { name: key } = line
      const hear = (stream: Stream): void => {
        if (stream.heard(partition, at, key, version, reason)) touched.add(stream)
      }
      found.byKey.get(key)?.forEach(hear)
      for (const stream of found.broad) if (stream.matches(key)) hear(stream)
    }
    for (const stream of touched) stream.flush()
  }

  lost(partition: number, since: number, upTo: number): void {
    for (const stream of this.#streams) stream.lost(partition, since, upTo)
  }

  /** With the keys of each, where they are asked for one by one. */
  #partsOf({ namespace, cache }: CacheName, what: WatchWhat): ReadonlyMap<number, readonly string[]> {
    const { partitions, hash } = this.#options
    const parts = new Map<number, string[]>()
    if (!('keys' in what)) {
      for (let partition = 0; partition < partitions; partition++) parts.set(partition, [])
      return parts
    }
    for (const key of what.keys) {
      const partition = partitionOf(placeOf(entryLine(namespace, cache, key)), partitions, hash)
      const keys = parts.get(partition)
      if (keys === undefined) parts.set(partition, [key])
      else keys.push(key)
    }
    return parts
  }

  #watchOf(partition: number, prefix: LinePrefix): PartitionWatch {
    let watch = this.#watches.get(partition)
    // One that nobody wanted any more does not know what came since.
    if (watch === undefined || !watch.isWanted) {
      watch = new PartitionWatch(partition, this.#nameOf(), this.#port, this)
      this.#watches.set(partition, watch)
    }
    watch.want(prefix)
    return watch
  }

  #begin(watches: readonly PartitionWatch[], places: Places | null, timeoutMs: Millis): Promise<unknown> {
    for (const watch of watches) {
      const place = places?.get(watch.partition)
      if (place !== undefined) watch.beginAt(place)
    }
    return new Promise((resolve, reject) => {
      const timer = this.#port.clock.after(timeoutMs, () =>
        reject(new TricordError('NO_QUORUM', 'a home of the cache did not answer in time')),
      )
      Promise.all(watches.map((watch) => watch.begun())).then((begun) => {
        timer.cancel()
        resolve(begun)
      }, reject)
    })
  }

  /** It lasts a moment until the first one knows. */
  #sweptFor(stream: Stream): Swept {
    const { partitions } = this.#options
    if ('keys' in stream.what && this.#streams.has(stream)) {
      const isFirst = this.#askSweeps.size === 0
      this.#askSweeps.add(stream)
      for (let partition = 0; isFirst && partition < partitions; partition++) this.#watchOf(partition, NO_ENTRIES)
    }
    const now = this.#port.clock.now()
    if (this.#swept.at === now) return this.#swept.of
    if (this.#watches.size < partitions) return NEVER_SWEPT
    let of = NOTHING_LEFT
    for (const watch of this.#watches.values()) of = bothSwept(of, watch.swept)
    this.#swept = { at: now, of }
    return of
  }

  #nameOf(): string {
    this.#last += 1
    return `${this.#options.name}#${this.#last}`
  }

  #add(stream: Stream): void {
    this.#streams.add(stream)
    let found = this.#caches.get(stream.prefix)
    if (found === undefined) this.#caches.set(stream.prefix, (found = { byKey: new Map(), broad: new Set() }))
    const { what } = stream
    if (!('keys' in what)) return void found.broad.add(stream)
    this.#keys += what.keys.length
    for (const key of what.keys) {
      const streams = found.byKey.get(key)
      if (streams === undefined) found.byKey.set(key, new Set([stream]))
      else streams.add(stream)
    }
  }

  #unwatchSweeps(): void {
    for (const [partition, watch] of this.#watches) {
      watch.unwant(NO_ENTRIES)
      if (!watch.isWanted) this.#watches.delete(partition)
    }
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream)
    if (this.#askSweeps.delete(stream) && this.#askSweeps.size === 0) this.#unwatchSweeps()
    const found = this.#caches.get(stream.prefix)
    if (found === undefined) return
    const { what } = stream
    found.broad.delete(stream)
    if ('keys' in what) {
      this.#keys -= what.keys.length
      for (const key of what.keys) {
        const streams = found.byKey.get(key)
        streams?.delete(stream)
        if (streams?.size === 0) found.byKey.delete(key)
      }
    }
    if (found.broad.size === 0 && found.byKey.size === 0) this.#caches.delete(stream.prefix)
    for (const partition of stream.partitions) if (this.#watches.get(partition)?.isWanted === false) this.#watches.delete(partition)
  }
}
