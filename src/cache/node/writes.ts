/**
 * The way of a cache's commands into the logs of the partitions, and what goes to all of them.
 */
import { TricordError } from '../../base/errors.ts'
import type { Hash } from '../../base/hash.ts'
import { partitionGroup } from '../../base/ids.ts'
import type { Refused } from '../../base/refusal.ts'
import { partitionOf } from '../../cluster/ring.ts'
import type { Proposer, SubmitOptions, SubmitResult } from '../../raft/proposer.ts'
import { readOr, refusalOf, unreadable } from '../../raft/unreadable.ts'
import type { LineId } from '../coherence/protocol.ts'
import { configLine, lineOf, placeOf } from '../line-id.ts'
import { encodeCommand } from '../machine/codec.ts'
import type { CacheCommand, CacheReply, Share } from '../machine/commands.ts'
import { decodeReply } from '../machine/replies.ts'
import type { CacheCallOptions, CacheConfig, CacheName, LoadCallOptions } from '../types.ts'

export type Done = Exclude<CacheReply, Refused>

/** What places lines; the same on every node, for ever. */
export interface Partitioning {
  readonly partitions: number
  readonly hash: Hash
}

/** What takes no space for long, or keeps what is held, is taken though the disk is low. */
const TAKES_SPACE: ReadonlySet<CacheCommand['type']> = new Set([
  'cache_put',
  'cache_increment',
  'cache_configure',
  'cache_load',
  'cache_own',
])

export interface WriteOptions extends LoadCallOptions {
  /** It takes no space for long, and still is not worth any where the disk is low. */
  readonly isDispensable?: boolean
}

export class Writes {
  readonly #proposer: Proposer
  readonly #partitioning: Partitioning

  constructor(proposer: Proposer, partitioning: Partitioning) {
    this.#proposer = proposer
    this.#partitioning = partitioning
  }

  get partitions(): number {
    return this.#partitioning.partitions
  }

  partitionOf(line: LineId): number {
    return partitionOf(placeOf(line), this.#partitioning.partitions, this.#partitioning.hash)
  }

  /** Of a partition. Something is always kept: a cache of fewer entries than there are partitions keeps one on each. */
  shareOf({ bytesMax, entriesMax, policy }: CacheConfig, configVersion: number): Share {
    const { partitions } = this.#partitioning
    const part = (total: number): number => Math.max(1, Math.floor(total / partitions))
    return { bytes: part(bytesMax), entries: part(entriesMax), policy, configVersion }
  }

  /** Rejects with the refusal of the machine, or of its group. With a signal, one that waits is taken out once that says so. */
  submit(partition: number, command: CacheCommand, options: WriteOptions): Promise<Done> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      const giveUp = (): void => submission.cancel()
      const done = (result: SubmitResult): void => {
        signal?.removeEventListener('abort', giveUp)
        const outcome = outcomeOf(result)
        if (outcome instanceof TricordError) reject(outcome)
        else resolve(outcome)
      }
      const submission = this.#proposer.submit(partitionGroup(partition), encodeCommand(command), submitOptions(command, options), done)
      if (signal?.aborted) giveUp()
      else signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** A command about one key. */
  entry(command: Extract<CacheCommand, { readonly key: string }>, options: LoadCallOptions): Promise<Done> {
    return this.submit(this.partitionOf(lineOf(command)), command, options)
  }

  async configure(
    { namespace, cache }: CacheName,
    config: Partial<CacheConfig>,
    options: CacheCallOptions,
  ): Promise<{ readonly created: boolean; readonly config: CacheConfig; readonly version: number }> {
    const line = configLine(namespace, cache)
    const reply = await this.submit(this.partitionOf(line), { type: 'cache_configure', namespace, cache, config }, options)
    if (reply.type !== 'configured') throw unreadable('another answer to a configuration')
    return reply
  }

  /** Says the key of a call that is many writes, each under a key of its own: IDEMPOTENCY_KEY_REUSED where it was another's. */
  async begin({ namespace, cache }: CacheName, options: CacheCallOptions): Promise<void> {
    await this.submit(this.partitionOf(configLine(namespace, cache)), { type: 'cache_begin', namespace, cache }, options)
  }

  /** Every partition hears of its new share, so that a smaller cache is one at once. */
  async limit({ namespace, cache }: CacheName, config: CacheConfig, version: number, options: CacheCallOptions): Promise<void> {
    const share = this.shareOf(config, version)
    const all = Array.from({ length: this.#partitioning.partitions }, (_, partition) =>
      this.submit(partition, { type: 'cache_limits', namespace, cache, share }, withoutKey(options)),
    )
    await allOf(all, true)
  }
}

function outcomeOf(result: SubmitResult): Done | TricordError {
  if (!result.ok) return result.error
  const reply = readOr(() => decodeReply(result.reply))
  if (reply instanceof TricordError) return reply
  return reply.type === 'refused' ? refusalOf(reply) : reply
}

function submitOptions({ type }: CacheCommand, options: WriteOptions): SubmitOptions {
  const { timeoutMs, idempotencyKey: key, traceparent = '', isDispensable = false } = options
  const essential = !isDispensable && !TAKES_SPACE.has(type)
  return key ? { timeoutMs, traceparent, essential, key } : { timeoutMs, traceparent, essential }
}

/** One call, several commands: each under a key of its own. */
export function ofPart<T extends CacheCallOptions>(options: T, part: number | string): T {
  const { idempotencyKey } = options
  return idempotencyKey ? { ...options, idempotencyKey: { ...idempotencyKey, key: `${idempotencyKey.key}#${part}` } } : options
}

/** What may be done twice without harm. */
export function withoutKey({ timeoutMs, traceparent }: CacheCallOptions): CacheCallOptions {
  return { timeoutMs, ...(traceparent && { traceparent }) }
}

/** Where one of several commands is refused, others may have been taken. `isPart`: others were before. */
export function allOf<T>(works: readonly Promise<T>[], isPart = false): Promise<T[]> {
  return partOf(Promise.all(works), isPart || works.length > 1)
}

/** Where it is refused as a part of something, nobody knows what became of the whole. */
export async function partOf<T>(work: Promise<T>, isPart = true): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isPart || !(error instanceof TricordError)) throw error
    throw new TricordError(error.code, error.message, error.details, 'unknown')
  }
}
