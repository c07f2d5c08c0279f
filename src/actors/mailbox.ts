/**
 * A bounded FIFO of envelopes: a ring that grows by doubling up to its limit, then refuses. What an actor tells itself
 * (its timers, each armed again by the last) still finds some room: a tick that is refused would be the last one for ever.
 */
import type { Envelope } from './envelope.ts'

/** More than an actor has timers. */
const OWN_RESERVE = 64

export class Mailbox {
  readonly #max: number
  #ring: (Envelope | undefined)[] = Array.from({ length: 16 })
  #head = 0
  #length = 0

  constructor(max: number) {
    this.#max = max
  }

  get length(): number {
    return this.#length
  }

  /** False: full, the envelope was not taken. `own`: it comes from the actor itself. */
  push(envelope: Envelope, own = false): boolean {
    if (this.#length >= (own ? this.#max + OWN_RESERVE : this.#max)) return false
    if (this.#length === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = envelope
    this.#length++
    return true
  }

  shift(): Envelope | undefined {
    if (this.#length === 0) return undefined
    const envelope = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#length--
    return envelope
  }

  #grow(): void {
    const larger: (Envelope | undefined)[] = Array.from({ length: this.#ring.length * 2 })
    for (let i = 0; i < this.#length; i++) larger[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)]
    this.#ring = larger
    this.#head = 0
  }
}
