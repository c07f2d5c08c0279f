/**
 * Requests of the simulated clients: one logical operation, sent to a node, and (when its outcome is unknown) perhaps again
 * under the same idempotency key to another. A node that dies answers nothing: its clients see the connection break.
 *
 *   run ──> attempt at a node that is up ──> answer                       ──> done(answer)
 *             ^                          └─> unknown, node gone, silence ──┐
 *             └────────────── again, same key ─────────────────────────────┴─> done(unknown)
 */
import { type ErrorCode, TricordError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { Running, SimCluster, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'

/** How an operation ended, as its client knows it. */
export type Answer<Reply> =
  | { readonly type: 'reply'; readonly reply: Reply }
  /** The machine said no: the command went through the log and changed nothing. */
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly details: Readonly<Record<string, unknown>> }
  /** It never reached the log. */
  | { readonly type: 'not applied'; readonly code: ErrorCode }
  | { readonly type: 'unknown' }

/** Hands a command to a node: a facade's `submit`. */
export type Submit<Command, Reply> = (
  running: Running,
  command: Command,
  options: { readonly timeoutMs: number; readonly idempotencyKey?: { readonly key: string; readonly fingerprint: string } },
  done: (reply: Reply | TricordError) => void,
) => { cancel(): void }

const NEVER_IN_LOG = new Set<ErrorCode>(['NO_QUORUM', 'NO_LEADER', 'STARTING', 'READ_ONLY', 'DISK_LOW', 'OVERLOADED'])
const RETRIES_MAX = 6
const RETRY_MS = 50
/** What a client waits beyond the server's own deadline. */
const PATIENCE_MS = 1_000

export interface AttemptOptions {
  readonly timeoutMs: number
  /** Not '': sent again under this key while the outcome is unknown. */
  readonly key: string
  /** Gives the wait up after this time; Infinity: never. */
  readonly cancelAfterMs: number
  /** Where it is sent first, if that node is up. */
  readonly at?: NodeId | null
}

interface Attempt {
  readonly node: NodeId
  readonly life: number
  /** Its outcome will never be known. */
  giveUp(): void
}

export class Attempts<Command, Reply extends object> {
  readonly #cluster: SimCluster
  readonly #dice: Dice
  readonly #submit: Submit<Command, Reply>
  readonly #open = new Set<Attempt>()

  constructor(cluster: SimCluster, dice: Dice, submit: Submit<Command, Reply>) {
    this.#cluster = cluster
    this.#dice = dice
    this.#submit = submit
  }

  /** Runs the command at one of the nodes that are up; `done` is called once. `again`: how often it was sent once more. */
  run(command: Command, options: AttemptOptions, done: (answer: Answer<Reply>, again: number) => void): void {
    this.#try(command, options, 0, false, done)
  }

  /** Once, at this node. */
  runAt(id: NodeId, command: Command, options: AttemptOptions, done: (answer: Answer<Reply>) => void): void {
    const node = this.#cluster.up.find((one) => one.id === id)
    if (node) this.#attempt(node, command, options, done)
    else done({ type: 'not applied', code: 'NO_QUORUM' })
  }

  #try(
    command: Command,
    options: AttemptOptions,
    tried: number,
    doubt: boolean,
    done: (answer: Answer<Reply>, again: number) => void,
  ): void {
    const again = (inDoubt: boolean): void => {
      if (options.key === '' || tried >= RETRIES_MAX) return done({ type: 'unknown' }, tried)
      this.#cluster.world.at(RETRY_MS, 'client retry', () => this.#try(command, options, tried + 1, inDoubt, done))
    }
    const node = this.#pick(tried === 0 ? options.at : null)
    if (!node) return doubt ? again(true) : done({ type: 'not applied', code: 'NO_QUORUM' }, tried)
    this.#attempt(node, command, options, (answer) => {
      if (answer.type === 'unknown') again(true)
      // A refusal of a repetition says nothing of the first attempt.
      else if (answer.type === 'not applied' && doubt) again(true)
      else done(answer, tried)
    })
  }

  #pick(first: NodeId | null = null): SimNode | null {
    const { up } = this.#cluster
    const preferred = first === null ? undefined : up.find(({ id }) => id === first)
    return preferred ?? (up.length === 0 ? null : this.#dice.pick(up))
  }

  #attempt(node: SimNode, command: Command, options: AttemptOptions, done: (answer: Answer<Reply>) => void): void {
    const { world } = this.#cluster
    const { timeoutMs, key, cancelAfterMs } = options
    const settle = (answer: Answer<Reply>): void => {
      if (!this.#open.delete(attempt)) return
      timer.cancel()
      done(answer)
    }
    const attempt: Attempt = { node: node.id, life: node.lives, giveUp: () => settle({ type: 'unknown' }) }
    const timer = world.at(timeoutMs + PATIENCE_MS, 'client patience', attempt.giveUp)
    this.#open.add(attempt)
    const { running } = node
    node.life?.run(() => {
      const idempotency = key === '' ? {} : { idempotencyKey: { key, fingerprint: key } }
      const submission = running && this.#submit(running, command, { timeoutMs, ...idempotency }, (reply) => settle(answerOf(reply)))
      if (cancelAfterMs < Infinity) world.at(cancelAfterMs, 'client cancel', () => node.life?.run(() => submission?.cancel()))
    })
  }

  /** Reads through one of the nodes that are up, through `at` if it is; null where nobody could tell. */
  look<T>(read: (running: Running) => Promise<T>, timeoutMs: number, done: (seen: T | null) => void, at: NodeId | null = null): void {
    const node = this.#pick(at)
    if (!node) return done(null)
    const settle = (seen: T | null): void => {
      if (this.#open.delete(attempt)) done(seen)
    }
    const attempt: Attempt = { node: node.id, life: node.lives, giveUp: () => settle(null) }
    this.#open.add(attempt)
    this.#cluster.world.at(timeoutMs + PATIENCE_MS, 'client patience', attempt.giveUp)
    const { running } = node
    node.life?.run(() => {
      if (running) read(running).then(settle, attempt.giveUp)
    })
  }

  /** The node's life ended: whoever waited for it knows nothing. */
  nodeEnded(node: SimNode): void {
    const broken = [...this.#open].filter((attempt) => attempt.node === node.id && attempt.life === node.lives)
    for (const attempt of broken) this.#cluster.world.at(1, 'connection broken', () => attempt.giveUp())
  }

  get open(): number {
    return this.#open.size
  }
}

function answerOf<Reply extends object>(reply: Reply | TricordError): Answer<Reply> {
  if (!(reply instanceof TricordError)) return { type: 'reply', reply }
  if (reply.code === 'UNKNOWN_OUTCOME' || reply.outcome === 'unknown') return { type: 'unknown' }
  const { code, details } = reply
  return NEVER_IN_LOG.has(code) ? { type: 'not applied', code } : { type: 'refused', code, details }
}
