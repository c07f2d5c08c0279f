/**
 * Puts what this node wrote as the owner of a line into the log of the line's partition, until it is certain what came of it:
 * it is there, or it never will be.
 *
 *   committed                                             ──▶ done(true)
 *   the ownership is over, or the log can never take it   ──▶ done(false): lost
 *   it has no room (QUOTA)                                ──▶ again after 100, 200 … 5,000 ms; after 10 s: lost
 *   nobody could be asked (no quorum, overload, silence)  ──▶ likewise, without an end: nobody else can have the line either
 *
 * The same version twice is one flush, so it may be on its way twice.
 */
import { type ErrorCode, TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Clock, Timer } from '../../io/clock.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import { type Line, configLine, parseLine } from '../line-id.ts'
import type { Share } from '../machine/commands.ts'
import { DEFAULT_CONFIG } from '../types.ts'
import { configIn } from './configs.ts'
import type { Lines } from './lines.ts'
import type { Writes } from './writes.ts'

const TIMEOUT_MS: Millis = 5_000
const AGAIN_MS: Millis = 100
const AGAIN_MAX_MS: Millis = 5_000
/** A log that had no room for so long has none: reads of the line here wait for its flush, and its owner goes on writing. */
const NO_ROOM_MS: Millis = 10_000
/**
 * A flush that is not answered by then is sent once more beside itself: who asks for the line meanwhile waits for its owner half a second
 * and a lease (`home.ts`), and what the proposer repeats by itself it repeats after a second, then two.
 */
const BESIDE_MS: Millis = 250
/** Under way at a time. */
const RELEASES_MAX = 32

export interface Flush {
  readonly line: LineId
  readonly own: number
  readonly version: number
  readonly held: Held
  /** Of its life, on this node's clock. */
  readonly until: Millis
}

export class Flushes {
  readonly #clock: Clock
  readonly #writes: Writes
  readonly #lines: Lines
  readonly #onRefused: (line: LineId, code: ErrorCode) => void
  #closed = false
  #releasing = 0
  readonly #releases: { readonly partition: number; readonly line: LineId; readonly own: number }[] = []

  /** `onRefused`: for a reason that is worth knowing; that another owns the line is none. */
  constructor(clock: Clock, writes: Writes, lines: Lines, onRefused: (line: LineId, code: ErrorCode) => void) {
    this.#clock = clock
    this.#writes = writes
    this.#lines = lines
    this.#onRefused = onRefused
  }

  flush(partition: number, what: Flush, done: (isCommitted: boolean) => void): void {
    this.#try(partition, what, done, AGAIN_MS, null)
  }

  /** `noRoomSince`: without another answer in between. */
  #try(partition: number, what: Flush, done: (isCommitted: boolean) => void, againMs: Millis, noRoomSince: Millis | null): void {
    if (this.#closed) return
    let sent = 0
    const send = (): void => {
      if (this.#closed) return
      sent += 1
      this.#submit(partition, what).then(committed, failed)
    }
    let beside: Timer | null = this.#clock.after(BESIDE_MS, send)
    /** Nothing that comes of it counts any more. False: nothing did. */
    const end = (): boolean => {
      const isFirst = beside !== null
      beside?.cancel()
      beside = null
      return isFirst
    }
    const committed = (): void => {
      if (end()) done(true)
    }
    const failed = (error: unknown): void => {
      sent -= 1
      // The other of the two knows better: it may have been there first, and the ownership be over since.
      if (sent > 0 || !end() || this.#closed) return
      const now = this.#clock.now()
      const since = isNoRoom(error) ? (noRoomSince ?? now) : null
      if (error instanceof TricordError && (isForEver(error) || (since !== null && now - since >= NO_ROOM_MS))) {
        if (error.code !== 'FENCED') this.#onRefused(what.line, error.code)
        return done(false)
      }
      this.#clock.after(againMs, () => this.#try(partition, what, done, Math.min(againMs * 2, AGAIN_MAX_MS), since))
    }
    send()
  }

  /** A hint: where it does not come into the log, whoever asks for the line makes its home say so. */
  release(partition: number, line: LineId, own: number): void {
    this.#releases.push({ partition, line, own })
    this.#releaseNext()
  }

  #releaseNext(): void {
    while (!this.#closed && this.#releasing < RELEASES_MAX) {
      const next = this.#releases.shift()
      if (next === undefined) return
      const { partition, line, own } = next
      this.#releasing += 1
      const done = (): void => {
        this.#releasing -= 1
        this.#releaseNext()
      }
      this.#writes.submit(partition, { type: 'cache_release', line, own, term: 0 }, { timeoutMs: TIMEOUT_MS }).then(done, done)
    }
  }

  /** What is not flushed then is lost, as in a crash. */
  close(): void {
    this.#closed = true
  }

  async #submit(partition: number, { line, own, version, held, until }: Flush): Promise<void> {
    const { namespace, cache } = parseLine(line) as Line
    const { value, contentType, slidingMs, tags } = held
    const share = this.#shareOf(configLine(namespace, cache))
    // Its life began when it was written.
    const ttlMs = until === Infinity ? null : Math.max(1, Math.ceil(until - this.#clock.now()))
    const command = { type: 'cache_flush', line, own, version, value, contentType, ttlMs, slidingMs, tags, share } as const
    // The same version twice is one: it needs no key.
    await this.#writes.submit(partition, command, { timeoutMs: TIMEOUT_MS })
  }

  /**
   * What is not at hand is not waited for: it may be a silent home that has the configuration, and one is silent until this is
   * flushed. A share of no version changes nothing of a cache that is there.
   */
  #shareOf(line: LineId): Share {
    if (this.#lines.stateOf(line) === 'I') return this.#writes.shareOf(DEFAULT_CONFIG, 0)
    const configured = this.#lines.read(line, TIMEOUT_MS)
    if (configured instanceof Promise) {
      configured.catch(() => {})
      return this.#writes.shareOf(DEFAULT_CONFIG, 0)
    }
    return this.#writes.shareOf(configIn(configured), configured.version)
  }
}

function isNoRoom(error: unknown): boolean {
  return error instanceof TricordError && error.code === 'QUOTA'
}

/** Asked again, it would be refused again. */
function isForEver({ retryable }: TricordError): boolean {
  return !retryable
}
