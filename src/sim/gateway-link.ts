/**
 * The way between a client and the gateway of a node, as a WebSocket over TCP: what either says is there a moment later, in order, and
 * never where the connection ends before. Neither side sees at once that the other is gone.
 *
 *   client ── call ──▶ gateway          out ──▶ a frame, where the client reads ── way ──▶ client
 *          (a stall holds back both, an end is heard of a moment later, or after a long silence)
 */
import type { Millis } from '../base/ids.ts'
import type { SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import type { Inbox } from './inbox.ts'
import type { World } from './world.ts'

const FRAME_MS = 1
const WAY_MEAN_MS = 1
/** What a gateway takes to find that nobody is there. */
const SILENCE_MS: Millis = 15_000

/** When something that a gateway sends arrives, after the time that it has to wait for what was before. */
export interface Fate {
  readonly extraMs: Millis
}

const ONCE: readonly Fate[] = [{ extraMs: 0 }]

export interface Frame {
  readonly deliver: () => void
  /** Of each arrival; none: it is lost. Undefined: it arrives once. */
  readonly fates?: () => readonly Fate[]
}

export class GatewayLink {
  readonly node: SimNode
  readonly life: number
  /** While the client does not read, nothing is sent. */
  writable = true
  readonly #world: World
  readonly #dice: Dice
  /** Of the client. */
  readonly #inbox: Inbox
  #frames: Frame[] = []
  #isFrameDue = false
  #arrivesAt: Millis = 0
  #stalledUntil: Millis = 0
  /** The client has hung up, or is gone. */
  #isOver = false
  /** The gateway knows. */
  #isEnded = false

  constructor(world: World, dice: Dice, node: SimNode, inbox: Inbox) {
    this.node = node
    this.life = node.lives
    this.#world = world
    this.#dice = dice
    this.#inbox = inbox
  }

  /** Neither ended by one of them, nor with the node's life. */
  get isOpen(): boolean {
    return !this.#isOver && !this.#isEnded && this.#isThere
  }

  /** Something that the client sends. */
  call(work: () => void): void {
    const stallMs = this.#stalledUntil - this.#world.now
    this.#world.at(Math.max(FRAME_MS, stallMs), 'link call', () => this.#run(work))
  }

  /** Something that the gateway sends. */
  out(frame: Frame): void {
    this.#frames.push(frame)
    this.#frame()
  }

  /** Whether the client reads from now on. */
  read(reads: boolean, changed: () => void): void {
    this.call(() => {
      this.writable = reads
      changed()
      this.#frame()
    })
  }

  /** For so long nothing comes and goes, and neither side knows. */
  stall(ms: Millis): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#world.now + ms)
  }

  /** The client hangs up, or `isSilent` is gone without a word. `goodbye`: as the gateway hears of it. */
  end(isSilent: boolean, goodbye: () => void): void {
    const end = (): void => this.#end(goodbye)
    if (isSilent) this.#world.at(SILENCE_MS, 'link silent', () => this.#run(end))
    else this.call(end)
    this.#isOver = true
  }

  /** The gateway takes it for broken, and the client is not told. */
  cut(goodbye: () => void): void {
    this.node.life?.run(() => this.isOpen && this.#end(goodbye))
  }

  get #isThere(): boolean {
    return this.node.up && this.node.lives === this.life
  }

  #run(work: () => void): void {
    const { life } = this.node
    if (this.#isThere) life?.run(() => this.#isThere && !this.#isEnded && work())
  }

  #end(goodbye: () => void): void {
    this.#isEnded = true
    this.#frames = []
    goodbye()
  }

  #frame(): void {
    if (this.#isFrameDue || !this.writable || this.#frames.length === 0) return
    this.#isFrameDue = true
    this.#world.at(FRAME_MS, 'link frame', () => this.node.life?.run(() => this.#flush()))
  }

  #flush(): void {
    this.#isFrameDue = false
    if (!this.isOpen || !this.writable) return
    const frames = this.#frames
    this.#frames = []
    for (const frame of frames) this.#send(frame)
  }

  #send({ deliver, fates }: Frame): void {
    const all = fates?.() ?? ONCE
    if (all.length === 0) return
    this.#arrivesAt = Math.max(this.#arrivesAt, this.#stalledUntil, this.#world.now + this.#dice.exponential(WAY_MEAN_MS))
    for (const { extraMs } of all) this.#arrive(this.#arrivesAt + extraMs, deliver)
  }

  #arrive(at: Millis, deliver: () => void): void {
    this.#world.at(at - this.#world.now, 'link arrival', () => {
      if (!this.#isOver) this.#inbox.arrived(deliver)
    })
  }
}
