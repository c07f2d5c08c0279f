/**
 * Those who keep copies, the gateway's half: it asks its node to lend, waits to hear what is called back, and carries acknowledgements.
 *
 *   get ──lend_get──▶ node ──▶ the value, and how much was told before it (`after`)
 *   node ──lend_wait──▶ called back, n ──▶ the listener          beat ──lend_beat──▶ the lease
 *
 * An answer may be overtaken by what calls it back: it is lent only if no more was heard since than it knows of. A node that does not
 * know the borrower any more has begun another life, and is silent towards homes until what it lent before is over.
 */
import type { ActorSystem } from '../actors/actor.ts'
import { type Plain, actorId } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import type { Clock } from '../io/clock.ts'
import { CACHE_CALL, CACHE_PATH, decodeRead, valueOf } from './calls.ts'
import { SLACK_MS, certain } from './facade.ts'
import type { Borrowing, BorrowingListener, CacheCallOptions, EntryName, LentRead, Lendings } from './types.ts'

const WAIT_MS: Millis = 5_000
const AGAIN_MS: Millis = 100

/** Asks the node; rejects with a TricordError. */
export type AskNode = (call: readonly Plain[], timeoutMs: Millis, traceparent?: string) => Promise<unknown>

export function createLendings(system: ActorSystem, node: NodeId): Lendings {
  const address = actorId(node, CACHE_PATH)
  const ask: AskNode = async (call, timeoutMs, traceparent) =>
    valueOf((await certain(system.ask(address, CACHE_CALL, call as Plain[], timeoutMs + SLACK_MS, traceparent))).payload)
  let last = 0
  return {
    async open(listener, timeoutMs) {
      const borrowing = new GatewayBorrowing(system.clock, ask, () => `${system.node}@${system.incarnation}#${++last}`, listener)
      await borrowing.open(timeoutMs)
      return borrowing
    },
  }
}

export class GatewayBorrowing implements Borrowing {
  readonly #clock: Clock
  readonly #ask: AskNode
  readonly #nameOf: () => string
  readonly #listener: BorrowingListener
  /** As the node knows it; '': not now. */
  #name = ''
  #heard = 0
  #isPaused = true
  #isListening = false
  #isOver = false

  /** `nameOf`: each time another that nobody else has. */
  constructor(clock: Clock, ask: AskNode, nameOf: () => string, listener: BorrowingListener) {
    this.#clock = clock
    this.#ask = ask
    this.#nameOf = nameOf
    this.#listener = listener
  }

  async open(timeoutMs: Millis): Promise<void> {
    const name = this.#nameOf()
    try {
      await this.#ask(['lend_open', name], timeoutMs)
    } catch (error) {
      // It may be open, and nobody uses it.
      this.#leave(name, true)
      throw error
    }
    this.#name = name
    this.#heard = 0
  }

  async get({ namespace, cache, key }: EntryName, { timeoutMs, traceparent }: CacheCallOptions): Promise<LentRead> {
    const name = this.#name
    const answer = await this.#ask(['lend_get', name, namespace, cache, key, timeoutMs], timeoutMs, traceparent)
    const [read, lent] = answer as readonly [Plain, readonly [after: number, leaseMs: Millis, ttlMs: Millis | null] | null]
    return {
      read: decodeRead(read),
      lent: () => {
        if (lent === null || name !== this.#name || this.#isOver) return null
        const [after, leaseMs, ttlMs] = lent
        return this.#heard > after ? null : { leaseMs, ttlMs }
      },
    }
  }

  async beat(acked: number, timeoutMs: Millis): Promise<Millis> {
    const name = this.#name
    if (name === '') return 0
    try {
      return (await this.#ask(['lend_beat', name, acked], timeoutMs)) as Millis
    } catch (error) {
      if (!isUnknown(error)) throw error
      this.#forgotten(name)
      return 0
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#listen()
  }

  end(isCertain: boolean): void {
    this.#isOver = true
    if (this.#name !== '') this.#leave(this.#name, isCertain)
  }

  #leave(name: string, isCertain: boolean): void {
    // Where it does not come to the node, the lease ends by itself, and so does the place.
    this.#ask(['lend_leave', name, isCertain], SLACK_MS).catch(refusedOnly)
  }

  #listen(): void {
    if (this.#isListening || this.#isPaused || this.#isOver || this.#name === '') return
    this.#isListening = true
    const name = this.#name
    this.#ask(['lend_wait', name, this.#heard, WAIT_MS], WAIT_MS).then(
      (told) => {
        this.#isListening = false
        if (name === this.#name) this.#take(told as readonly (readonly [number, string | null])[])
        this.#listen()
      },
      (error: unknown) => {
        this.#isListening = false
        if (isUnknown(error)) this.#forgotten(name)
        else this.#clock.after(AGAIN_MS, () => this.#listen())
      },
    )
  }

  #take(told: readonly (readonly [n: number, key: string | null])[]): void {
    if (this.#isOver) return
    for (const [n, key] of told) {
      if (n <= this.#heard) continue
      this.#heard = n
      this.#listener.calledBack(n, key)
    }
  }

  /** Under another name, where the node takes it. */
  #forgotten(name: string): void {
    if (this.#isOver || name !== this.#name) return
    this.#name = ''
    this.#listener.calledBack(0, null)
    this.#openAgain()
  }

  #openAgain(): void {
    if (this.#isOver) return
    this.open(WAIT_MS).then(
      () => {
        if (this.#isOver) this.#leave(this.#name, true)
        else this.#listen()
      },
      (error: unknown) => {
        refusedOnly(error)
        this.#clock.after(AGAIN_MS, () => this.#openAgain())
      },
    )
  }
}

function isUnknown(error: unknown): boolean {
  refusedOnly(error)
  return (error as TricordError).code === 'NOT_FOUND'
}

/** Anything else is a bug. */
function refusedOnly(error: unknown): void {
  if (!(error instanceof TricordError)) throw error
}
