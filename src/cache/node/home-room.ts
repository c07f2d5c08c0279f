/**
 * How much the entries of a partition may take of a node's memory, said in its log by its home: whoever leads the partition
 * compares what the log says with what follows from the setting and the placement, and writes it where they differ. So one number
 * holds for all replicas, a partition that nobody writes hears of it as well, and no command carries it.
 *
 *   elected ──confirmed: the log of older terms is applied──▶ compare ──other──▶ cache_room ──▶ compare
 *                                                                ▲ the placement has changed; a lower number after 5 s
 */
import { type GroupId, type Millis, type Term, FIRST_PARTITION, partitionGroup } from '../../base/ids.ts'
import type { ClusterDirectory } from '../../cluster/directory.ts'
import type { Placement } from '../../cluster/types.ts'
import type { Clock, Timer } from '../../io/clock.ts'
import type { GroupHost } from '../../raft/group-host.ts'
import type { CacheMachine } from '../machine/machine.ts'
import { ROOM_UNBOUNDED } from '../machine/room.ts'
import type { Writes } from './writes.ts'

const TIMEOUT_MS: Millis = 5_000
const AGAIN_MS: Millis = 1_000
/**
 * What evicts has to be right for so long before it is said: a node that has just started, and was elected, may know an old table, in which
 * fewer nodes had more partitions each.
 */
const LOWER_MS: Millis = 5_000

export interface PartitionRoom {
  /** Of each partition, as of the placement now. */
  bytesMax(): number
  /** The placement has changed. */
  onChange(listener: () => void): void
}

/** `nodeBytesMax`: of all replicas on a node. 0: without a bound. */
export function partitionRoom(nodeBytesMax: number, directory: ClusterDirectory): PartitionRoom {
  let [epoch, bytes] = [-1, ROOM_UNBOUNDED]
  return {
    bytesMax() {
      if (nodeBytesMax > 0 && epoch !== directory.epoch) {
        epoch = directory.epoch
        bytes = Math.max(1, Math.floor(nodeBytesMax / partitionsOfFullest(directory.placements)))
      }
      return bytes
    },
    onChange: (listener) => directory.onChange(listener),
  }
}

/** How many partitions the node has that has most, by the table. While they move a node may have more. */
export function partitionsOfFullest(placements: readonly Placement[]): number {
  const counts = new Map<number, number>()
  for (const { group, replicas } of placements) {
    if (group >= FIRST_PARTITION) for (const member of replicas) counts.set(member, (counts.get(member) ?? 0) + 1)
  }
  return Math.max(1, ...counts.values())
}

export interface HomeRoomDeps {
  readonly clock: Clock
  readonly host: Pick<GroupHost, 'confirm'>
  readonly writes: Pick<Writes, 'submit'>
  readonly room: Pick<PartitionRoom, 'bytesMax'>
}

export class HomeRoom {
  readonly #partition: number
  readonly #group: GroupId
  readonly #term: Term
  readonly #machine: Pick<CacheMachine, 'roomBytes'>
  readonly #deps: HomeRoomDeps
  #timer: Timer | null = null
  /** A lower number, and when it may be said; null: it is not to be lower. */
  #lower: { readonly bytes: number; readonly at: Millis } | null = null
  #isCaughtUp = false
  /** Asks, or says. Who only waits may be looked at: what is right now may not be what it waits for. */
  #isBusy = false
  #ended = false

  constructor(partition: number, term: Term, machine: Pick<CacheMachine, 'roomBytes'>, deps: HomeRoomDeps) {
    this.#partition = partition
    this.#group = partitionGroup(partition)
    this.#term = term
    this.#machine = machine
    this.#deps = deps
    this.look()
  }

  look(): void {
    if (this.#ended || this.#isBusy) return
    this.#timer?.cancel()
    this.#isBusy = true
    if (this.#isCaughtUp) return this.#compare()
    this.#deps.host.confirm(this.#group, (answer) => {
      if (this.#ended) return
      if (answer === null || answer.term !== this.#term) return this.#again()
      this.#isCaughtUp = true
      this.#compare()
    })
  }

  /** It leads no more, or the node stops. */
  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  #compare(): void {
    const bytes = this.#deps.room.bytesMax()
    const { roomBytes } = this.#machine
    if (bytes >= roomBytes) this.#lower = null
    if (bytes === roomBytes) {
      this.#isBusy = false
      return
    }
    const waitMs = bytes < roomBytes && roomBytes < ROOM_UNBOUNDED ? this.#lowerInMs(bytes) : 0
    if (waitMs > 0) return this.#again(waitMs)
    // Another number may be right by then.
    const said = (): void => {
      if (!this.#ended) this.#compare()
    }
    const command = { type: 'cache_room', bytes, term: this.#term } as const
    this.#deps.writes.submit(this.#partition, command, { timeoutMs: TIMEOUT_MS }).then(said, () => this.#again())
  }

  /** From the beginning where it is to be lower still: that is as new as the first was. */
  #lowerInMs(bytes: number): Millis {
    const now = this.#deps.clock.now()
    const at = this.#lower === null || bytes < this.#lower.bytes ? now + LOWER_MS : this.#lower.at
    this.#lower = { bytes, at }
    return at - now
  }

  #again(waitMs: Millis = AGAIN_MS): void {
    if (this.#ended) return
    this.#isBusy = false
    this.#timer = this.#deps.clock.after(waitMs, () => this.look())
  }
}
