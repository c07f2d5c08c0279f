/** The queues of a partition as their own queries show them at an applied index, without the bodies: for `state-digest`. */
import type { Plain } from '../../actors/envelope.ts'
import { FIRST_PARTITION, type LogIndex } from '../../base/ids.ts'
import type { Seen } from './checker.ts'
import type { StateViews } from './state-digest.ts'

/** One in so many entries is looked at: the same ones on every replica. */
const EVERY = 4
const STATES = ['ready', 'leased', 'delayed', 'dead']

export class QueueViews implements StateViews {
  readonly #namespace: string
  readonly #names: readonly string[]

  constructor(namespace: string, names: readonly string[]) {
    this.#namespace = namespace
    this.#names = names
  }

  read({ group, status, before, machine }: Seen): { readonly index: LogIndex; readonly text: string } | null {
    if (group < FIRST_PARTITION || !machine || !status.serving || before?.applied === status.applied) return null
    const { applied: index, appliedTime: time } = status
    if (index % EVERY !== 0) return null
    const views = this.#names.flatMap((queue) => {
      const ask = (question: object): Plain => machine.query({ namespace: this.#namespace, queue, ...question } as unknown as Plain, time)
      const pages = STATES.map((state) => ask({ type: 'queue_browse', state, cursor: '', limit: 1_000 }))
      return [ask({ type: 'queue_status' }), ...pages]
    })
    return { index, text: JSON.stringify([time, views]) }
  }
}
