/**
 * Puts what this node wrote as the owner of a line into the log of the line's partition, until it is certain what came of it:
 * it is there, or the ownership was over.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import { type Line, configLine, parseLine } from '../line-id.ts'
import { type CacheConfig, DEFAULT_CONFIG } from '../types.ts'
import type { Lines } from './lines.ts'
import type { Writes } from './writes.ts'

const TIMEOUT_MS: Millis = 5_000
const AGAIN_MS: Millis = 100

interface Flush {
  readonly line: LineId
  readonly own: number
  readonly version: number
  readonly held: Held
}

export class Flushes {
  readonly #clock: Clock
  readonly #writes: Writes
  readonly #lines: Lines
  #closed = false

  constructor(clock: Clock, writes: Writes, lines: Lines) {
    this.#clock = clock
    this.#writes = writes
    this.#lines = lines
  }

  flush(partition: number, what: Flush, done: (isCommitted: boolean) => void): void {
    if (this.#closed) return
    const failed = (error: unknown): void => {
      if (error instanceof TricordError && error.code === 'FENCED') done(false)
      else this.#clock.after(AGAIN_MS, () => this.flush(partition, what, done))
    }
    this.#submit(partition, what).then(() => done(true), failed)
  }

  /** What is not flushed then is lost, as in a crash. */
  close(): void {
    this.#closed = true
  }

  async #submit(partition: number, { line, own, version, held }: Flush): Promise<void> {
    const { namespace, cache } = parseLine(line) as Line
    const configured = await this.#lines.read(configLine(namespace, cache), TIMEOUT_MS)
    const config = configured.value === null ? DEFAULT_CONFIG : (JSON.parse(new TextDecoder().decode(configured.value)) as CacheConfig)
    const { value, contentType, ttlLeftMs, slidingMs, tags } = held
    const share = this.#writes.shareOf(config, configured.version)
    const command = { type: 'cache_flush', line, own, version, value, contentType, ttlMs: ttlLeftMs, slidingMs, tags, share } as const
    // The same version twice is one: it needs no key.
    await this.#writes.submit(partition, command, { timeoutMs: TIMEOUT_MS })
  }
}
