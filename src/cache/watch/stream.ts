/**
 * What one subscription hears: some keys of a cache, those with a prefix, or all.
 *
 *   part of a partition:  joined       it hears what the watch of the partition hears, beyond its own place
 *                         catching up  it asks for itself, from its place on, until that is the place of the watch
 *                         (paused)     its place is kept, and nothing else: whoever does not read costs nothing
 *
 * Beginning at a cursor, and reading again after a pause, are the same thing.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { ChangeReason, Invalidation, InvalidationListener, InvalidationStream, WatchWhat } from '../types.ts'
import { encodeCursor } from './cursor.ts'
import type { PartitionWatch, Swept, WatchPort } from './partition-watch.ts'
import type { LinePrefix } from './words.ts'

const AGAIN_MS: Millis = 50

interface Part {
  readonly watch: PartitionWatch
  /** Of those that are asked for one by one. */
  readonly keys: readonly string[]
  /** Told so far; where it is joined the watch may be further. */
  place: number
  joined: boolean
  /** What was before its place is not known. */
  lost: boolean
}

export interface StreamOptions {
  readonly prefix: LinePrefix
  readonly what: WatchWhat
  readonly listener: InvalidationListener
  /** No other stream or watch has the same. */
  readonly asker: string
  readonly port: WatchPort
  /** Of all homes. */
  readonly swept: (stream: Stream) => Swept
  readonly onEnd: (stream: Stream) => void
}

export class Stream implements InvalidationStream {
  readonly prefix: LinePrefix
  readonly what: WatchWhat
  readonly #options: StreamOptions
  readonly #parts = new Map<number, Part>()
  #events: Invalidation[] = []
  #isResetDue = false
  /** Of flowing: what an earlier one asked for is not listened to. */
  #flow = 0
  #isFlowing = false
  #ended = false

  constructor(options: StreamOptions) {
    this.prefix = options.prefix
    this.what = options.what
    this.#options = options
  }

  /** `place` null: from now on, and what was before is lost if `lost`. The watch has begun. */
  add(watch: PartitionWatch, keys: readonly string[], place: number | null, lost: boolean): void {
    this.#parts.set(watch.partition, { watch, keys, place: place ?? watch.place ?? 0, joined: false, lost })
  }

  get partitions(): Iterable<number> {
    return this.#parts.keys()
  }

  // What whoever has the subscription does.

  cursor(): string {
    this.#tellReset()
    return encodeCursor(new Map([...this.#parts].map(([partition, part]) => [partition, placeOf(part)])))
  }

  ageMs(): Millis {
    let freshAt = Infinity
    for (const { watch, joined } of this.#parts.values()) freshAt = Math.min(freshAt, joined ? watch.freshAt : -Infinity)
    const { at, lagMs, slowEndAt } = this.#options.swept(this)
    // What a tag has killed may be swept, and not told yet.
    const surelyAt = freshAt < slowEndAt ? -Infinity : Math.min(freshAt - lagMs, at)
    return this.#options.port.clock.now() - surelyAt
  }

  resume(): void {
    if (this.#isFlowing || this.#ended) return
    this.#isFlowing = true
    this.#flow += 1
    for (const part of this.#parts.values()) {
      if (part.lost) this.#loseBefore(part, part.place)
      part.lost = false
      if (!this.#join(part)) void this.#catchUp(part, this.#flow)
    }
    this.flush()
  }

  pause(): void {
    if (!this.#isFlowing) return
    this.#isFlowing = false
    this.#flow += 1
    for (const part of this.#parts.values()) {
      part.place = placeOf(part)
      part.joined = false
    }
  }

  end(): void {
    if (this.#ended) return
    this.pause()
    this.#ended = true
    for (const { watch } of this.#parts.values()) watch.unwant(this.prefix)
    this.#options.onEnd(this)
  }

  // What the watches tell.

  /** Heard by the watch of the partition: it flows on by `flush`. */
  heard(partition: number, at: number, key: string, version: number, reason: ChangeReason): boolean {
    const part = this.#parts.get(partition)
    if (part === undefined || !part.joined || at <= part.place) return false
    this.#events.push({ key, version, reason })
    return true
  }

  /** By the watch of the partition. Who came further elsewhere may have lost nothing: it asks for itself. */
  lost(partition: number, since: number, upTo: number): void {
    const part = this.#parts.get(partition)
    if (part === undefined || !part.joined) return
    if (part.place > since) return void this.#catchUp(part, this.#flow)
    part.place = upTo
    this.#loseBefore(part, upTo)
    this.flush()
  }

  matches(key: string): boolean {
    const { what } = this
    return 'keys' in what || 'all' in what || key.startsWith(what.prefix)
  }

  flush(): void {
    const events = this.#events
    this.#events = []
    if (events.length > 0) this.#options.listener.invalidated(events)
  }

  /** Of keys it is known which are concerned; of anything else it is not. Many partitions at once are one reset. */
  #loseBefore({ keys }: Part, upTo: number): void {
    for (const key of keys) this.#events.push({ key, version: upTo, reason: 'invalidate' })
    if ('keys' in this.what || this.#isResetDue) return
    this.#isResetDue = true
    this.#options.port.clock.defer(() => this.#tellReset())
  }

  #tellReset(): void {
    if (!this.#isResetDue) return
    this.#isResetDue = false
    if (!this.#ended) this.#options.listener.reset()
  }

  #join(part: Part): boolean {
    part.joined = part.watch.place !== null && part.place >= part.watch.place
    return part.joined
  }

  async #catchUp(part: Part, flow: number): Promise<void> {
    const { port, asker } = this.#options
    const { watch } = part
    const question = { interest: [this.prefix], waitMs: 0 }
    while (flow === this.#flow && !this.#join(part)) {
      const before = part.place
      try {
        const { upTo, lost, changes } = await port.poll(watch.partition, asker, { ...question, since: before })
        if (flow !== this.#flow) return
        part.place = upTo
        if (lost) this.#loseBefore(part, upTo)
        else this.#caughtUp(changes)
        this.flush()
      } catch (error) {
        if (!(error instanceof TricordError)) throw error
      }
      // Nobody answered, or a home that knows less than the watch does.
      if (part.place === before) await new Promise<void>((resolve) => port.clock.after(AGAIN_MS, resolve))
    }
  }

  #caughtUp(changes: Awaited<ReturnType<WatchPort['poll']>>['changes']): void {
    const { what } = this
    const wanted = 'keys' in what ? new Set(what.keys) : null
    for (const [, version, line, reason] of changes) {
      const key = line.slice(this.prefix.length)
      if (wanted?.has(key) ?? this.matches(key)) this.#events.push({ key, version, reason })
    }
  }
}

function placeOf({ watch, place, joined }: Part): number {
  return joined ? Math.max(place, watch.place ?? 0) : place
}
