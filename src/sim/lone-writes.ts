/**
 * What nodes wrote alone (`writeback`) and lost: told to the history, which allows no more than that, and looked at for whether
 * it may have been lost at all.
 *
 *   crash                    what was not in the log
 *   stopped                  nothing, where the home was there for the node all the time
 *   cache.writeback.lost     only by a node that was frozen or cut off since it wrote; and the count of the metric is the sum of what was told
 */
import type { Millis, NodeId } from '../base/ids.ts'
import { entryLine } from '../cache/line-id.ts'
import { unflushed } from '../cache/coherence/owned-lines.ts'
import type { CacheHistory, Open } from './cache-history.ts'
import { CACHE } from './cache-workload.ts'
import type { Checker } from './checkers/checker.ts'
import type { Running, SimCluster, SimNode } from './cluster.ts'
import { Reach } from './reach.ts'
import { SimFailure } from './world.ts'

const LOST = 'cache.writeback.lost'

interface Dirty {
  readonly since: Millis
  until: Millis
  isLost: boolean
}

export class LoneWrites implements Checker {
  readonly #cluster: SimCluster
  readonly #history: CacheHistory
  readonly #keys: readonly string[]
  readonly #reach: Reach
  readonly #lives = new WeakMap<Running, string>()
  /** When a life had something of a key that was not in the log. */
  readonly #dirty = new Map<string, Dirty[]>()
  /** What each life said that it lost. */
  readonly #told = new Map<string, number>()
  readonly #stopAt = new Map<NodeId, Millis>()
  lost = 0

  constructor(cluster: SimCluster, history: CacheHistory, keys: readonly string[]) {
    this.#cluster = cluster
    this.#history = history
    this.#keys = keys
    this.#reach = new Reach(cluster)
  }

  /** The life that answers here. */
  lifeOf(running: Running): string {
    const known = this.#lives.get(running)
    if (known !== undefined) return known
    const node = this.#cluster.up.find((one) => one.running === running)
    if (node === undefined) return ''
    const life = nameOf(node)
    this.#lives.set(running, life)
    return life
  }

  after(): void {
    this.#reach.look()
    const { now } = this.#cluster.world
    for (const node of this.#cluster.up) {
      if (!node.stopping) this.#stopAt.delete(node.id)
      else if (!this.#stopAt.has(node.id)) this.#stopAt.set(node.id, now)
      for (const key of this.#keys) this.#watch(`${nameOf(node)} ${key}`, unflushedOf(node, key), now)
    }
  }

  #watch(what: string, count: number, now: Millis): void {
    const known = this.#dirtyNow(what)
    if (count === 0 && known !== undefined) known.until = now
    if (count === 0 || known !== undefined) return
    const dirty = { since: now, until: Infinity, isLost: false }
    const all = this.#dirty.get(what)
    if (all === undefined) this.#dirty.set(what, [dirty])
    else all.push(dirty)
  }

  #dirtyNow(what: string): Dirty | undefined {
    const last = this.#dirty.get(what)?.at(-1)
    return last?.until === Infinity ? last : undefined
  }

  /** Since when what was answered is in the log; Infinity: it is not, or nobody knows. */
  countsFrom({ key, alone, endedAt }: Open): Millis {
    if (alone === '' || endedAt === Infinity) return endedAt
    const dirty = this.#dirty.get(`${alone} ${key}`)?.find(({ since, until }) => since <= endedAt && endedAt < until)
    if (dirty === undefined) return endedAt
    return dirty.isLost ? Infinity : dirty.until
  }

  /** The life of the node is about to end. */
  ending(node: SimNode, isStopped: boolean): void {
    this.#checkTold(node)
    const life = nameOf(node)
    if (!node.stopping) this.#history.died(life)
    for (const key of this.#keys) {
      const count = unflushedOf(node, key)
      if (count === 0) continue
      const since = Math.min(this.#stopAt.get(node.id) ?? -Infinity, this.#dirtyNow(`${life} ${key}`)?.since ?? -Infinity)
      if (isStopped && this.#reach.unservedAt(node.id) < since)
        throw new SimFailure(`writeback: ${life} was stopped and lost ${count} writes of ${key}, though its home was there`)
      this.#lose(key, life, count)
    }
    this.#stopAt.delete(node.id)
  }

  logged(node: SimNode, message: string, fields: Readonly<Record<string, unknown>>): void {
    if (!message.startsWith(LOST) || fields['cache'] !== CACHE.cache) return
    const key = String(fields['key'])
    const count = Number(fields['count'])
    const life = nameOf(node)
    this.#told.set(life, (this.#told.get(life) ?? 0) + count)
    // What it could not flush before it stops is dealt with when it ends.
    if (!this.#keys.includes(key) || node.stopping) return
    const since = this.#dirtyNow(`${life} ${key}`)?.since ?? this.#cluster.world.now
    if (this.#reach.hinderedAt(node.id) < since)
      throw new SimFailure(`writeback: ${life} lost ${count} writes of ${key}, and was neither frozen nor cut off since it wrote them`)
    this.#lose(key, life, count)
  }

  check(): void {
    for (const node of this.#cluster.up) {
      this.#checkTold(node)
      // What is not flushed at the end may be lost already: its owner has not heard of it.
      for (const key of this.#keys) {
        const count = unflushedOf(node, key)
        if (count > 0) this.#lose(key, nameOf(node), count)
      }
    }
  }

  #checkTold(node: SimNode): void {
    const told = this.#told.get(nameOf(node)) ?? 0
    const counted = node.running?.node.coherence.lostWrites ?? told
    if (counted !== told) throw new SimFailure(`writeback: ${nameOf(node)} counted ${counted} lost writes, and told of ${told}`)
  }

  #lose(key: string, life: string, count: number): void {
    this.lost += count
    this.#cluster.world.log(`${life} lost ${count} writes of ${key}`)
    this.#history.lose(key, life, count)
    const dirty = this.#dirtyNow(`${life} ${key}`)
    if (dirty !== undefined) dirty.isLost = true
  }
}

function nameOf({ id, lives }: SimNode): string {
  return `${id}/${lives}`
}

function unflushedOf({ running }: SimNode, key: string): number {
  const line = entryLine(CACHE.namespace, CACHE.cache, key)
  let count = 0
  for (const { controller } of running?.node.coherence.copies.values() ?? []) {
    const owned = controller.owner.lines.get(line)
    if (owned !== undefined) count += unflushed(owned)
  }
  return count
}
