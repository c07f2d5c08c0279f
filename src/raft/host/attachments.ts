/**
 * The last step of every answer: what the machine leaves out of a reply is put in as it leaves (machine.ts, `attach`).
 *
 *   reply ──attach──> whole: leaves at once
 *               └───> promise ──> whole: leaves if this replica may still speak for the group; else dropped
 *
 * Whoever was to hear an answer that is dropped asks again, and is answered by whoever leads then. A machine without
 * `attach` costs one comparison here.
 */
import type { ActorId, Envelope, Plain } from '../../actors/envelope.ts'
import { AssertionError } from '../../base/assert.ts'
import type { LogIndex, NodeId } from '../../base/ids.ts'
import type { AttachContext, ColdReads } from '../machine.ts'
import { ColdUnreadable } from './cold.ts'
import type { Group } from './group.ts'
import type { HostShared } from './shared.ts'
import type { StateStore } from './state-store.ts'
import { DONE, SETTLED } from './wire.ts'

/** Answers of one group that wait for the store; beyond it they are dropped, and asked for again. */
const PENDING_MAX = 10_000

interface Copy {
  readonly node: NodeId
  readonly match: LogIndex
}

export class Attachments implements AttachContext {
  readonly #group: Group
  readonly #shared: HostShared
  #pending = 0
  /** How far each voter's log is known to reach; null: not asked in this turn. */
  #copies: readonly Copy[] | null = null

  constructor(group: Group, shared: HostShared) {
    this.#group = group
    this.#shared = shared
  }

  get cold(): ColdReads {
    return this.#group.store.cold
  }

  /** A turn begins: what the others have may have changed. */
  turn(): void {
    this.#copies = null
  }

  durableOn(index: LogIndex): readonly NodeId[] {
    this.#copies ??= this.#survey()
    const nodes: NodeId[] = []
    for (const { node, match } of this.#copies) if (match >= index && nodes.at(-1) !== node) nodes.push(node)
    return nodes
  }

  #survey(): readonly Copy[] {
    const copies: Copy[] = []
    for (const { replica, match, learner } of this.#group.core.status().progress) {
      const node = learner ? null : this.#shared.outgoing.nodeOf(replica)
      if (node !== null) copies.push({ node, match })
    }
    return copies.sort((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0))
  }

  /** An answer to a proposer. */
  answer(to: ActorId, client: number, sequence: number, status: number, reply: Plain): void {
    const { id, core } = this.#group
    const { outgoing } = this.#shared
    if (this.#group.applier.machine.attach === undefined || (status !== DONE && status !== SETTLED)) {
      return outgoing.answer(to, id, client, sequence, status, reply)
    }
    const { term } = core
    const leave = (whole: Plain): void => {
      if (core.term === term && core.role === 'leader') outgoing.answer(to, id, client, sequence, status, whole)
    }
    this.#attach(reply, leave, () => {})
  }

  /** The answer to a query; `leave` sends it. What a leader was asked leaves while it leads, as the answers to commands do. */
  query(envelope: Envelope, reply: Plain, leave: (whole: Plain) => void): void {
    const { core, applier } = this.#group
    if (applier.machine.attach === undefined) return leave(reply)
    const term = core.role === 'leader' ? core.term : null
    const drop = (): void => this.#shared.outgoing.ctx.fail(envelope, 'NO_LEADER', 'the answer cannot be completed here')
    const isOver = (): boolean => term !== null && (core.term !== term || core.role !== 'leader')
    this.#attach(reply, (whole) => (isOver() ? drop() : leave(whole)), drop)
  }

  #attach(reply: Plain, leave: (whole: Plain) => void, drop: () => void): void {
    const { store, applier } = this.#group
    if (this.#pending >= PENDING_MAX) return drop()
    let whole: Plain | Promise<Plain>
    try {
      whole = applier.machine.attach!(reply, this)
    } catch (error) {
      return this.#failed(store, error, drop)
    }
    if (!(whole instanceof Promise)) return leave(whole)
    this.#pending++
    this.#shared.outgoing.ctx.pipeToSelf(
      whole,
      (got) => {
        this.#pending--
        if (this.#isState(store)) leave(got)
        else drop()
      },
      (error) => {
        this.#pending--
        this.#failed(store, error, drop)
      },
    )
  }

  /** Whether what was read out of `store` still is the state. */
  #isState(store: StateStore): boolean {
    return this.#group.store === store && this.#group.serving
  }

  /** Whatever is wrong in a state that has been replaced meanwhile is wrong no more. */
  #failed(store: StateStore, error: unknown, drop: () => void): void {
    const damaged = error instanceof AssertionError
    if (!damaged && !(error instanceof ColdUnreadable)) throw error
    if (this.#isState(store)) {
      if (damaged) this.#shared.ail(this.#group, error.message)
      else this.#shared.options.onLog('warn', `an answer is dropped: ${error.message}`, { group: this.#group.id })
    }
    drop()
  }
}
