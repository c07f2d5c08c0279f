/**
 * A WebSocket and its limits.
 *
 *   bytes not yet taken by the peer   > 1 MiB: it is read no more and nothing is leased for it, until half of that is left
 *                                     > 16 MiB: cut
 *   silence                           a ping every 10 s                                             20 s: cut
 *
 * While the peer is not read its pongs are not either: then bytes it takes are the sign of life.
 */
import type { WebSocket } from 'ws'
import type { Clock, Timer } from '../../io/clock.ts'
import type { Outlet } from './connection.ts'

export const PAUSE_BYTES = 1_048_576
const RESUME_BYTES = PAUSE_BYTES / 2
export const CUT_BYTES = 16 * 1_048_576
export const PING_EVERY_MS = 10_000
export const SILENCE_MS = 20_000

/** What is used of a `ws` WebSocket. */
export type Peer = Pick<WebSocket, 'bufferedAmount' | 'isPaused' | 'send' | 'ping' | 'pause' | 'resume' | 'close' | 'terminate'>

export class Link implements Outlet {
  readonly #peer: Peer
  readonly #clock: Clock
  readonly #isBinary: boolean
  readonly #onHeldBack: () => void
  #heardAt: number
  #beat: Timer

  /** `onHeldBack` is called whenever `isHeldBack` changes. */
  constructor(peer: Peer, clock: Clock, isBinary: boolean, onHeldBack: () => void) {
    this.#peer = peer
    this.#clock = clock
    this.#isBinary = isBinary
    this.#onHeldBack = onHeldBack
    this.#heardAt = clock.now()
    this.#beat = clock.after(PING_EVERY_MS, () => this.#onBeat())
  }

  get isHeldBack(): boolean {
    return this.#peer.isPaused
  }

  get unreadBytes(): number {
    return this.#peer.bufferedAmount
  }

  /** The peer gave a sign of life. */
  heard(): void {
    this.#heardAt = this.#clock.now()
  }

  send(frame: string | Uint8Array): void {
    this.#peer.send(frame, { binary: this.#isBinary, compress: false }, this.#onTaken)
    const waiting = this.#peer.bufferedAmount
    if (waiting > CUT_BYTES) this.#peer.terminate()
    else if (waiting > PAUSE_BYTES && !this.#peer.isPaused) {
      this.#peer.pause()
      this.#onHeldBack()
    }
  }

  close(code: number, reason: string): void {
    // The peer's answer to the close must be read.
    if (this.#peer.isPaused) this.#peer.resume()
    this.#peer.close(code, reason)
  }

  terminate(): void {
    this.#peer.terminate()
  }

  /** No more pings. */
  end(): void {
    this.#beat.cancel()
  }

  readonly #onTaken = (error?: Error | null): void => {
    if (error || !this.#peer.isPaused) return
    this.heard()
    if (this.#peer.bufferedAmount > RESUME_BYTES) return
    this.#peer.resume()
    this.#onHeldBack()
  }

  #onBeat(): void {
    if (this.#clock.now() - this.#heardAt >= SILENCE_MS) return this.#peer.terminate()
    this.#peer.ping()
    this.#beat = this.#clock.after(PING_EVERY_MS, () => this.#onBeat())
  }
}
