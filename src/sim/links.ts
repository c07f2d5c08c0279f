/**
 * The state of every one-way link of the simulated network: cut by a partition, or clogged (what is sent waits until the
 * clog ends, and comes then in any order). Asymmetric faults are cuts of one direction alone.
 */
import type { NodeId } from '../base/ids.ts'

export class NetworkLinks {
  readonly #cut = new Set<string>()
  readonly #clogged = new Map<string, number>()

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(`${from}>${to}`)
  }

  /** Until when frames from `from` to `to` wait. */
  cloggedUntil(from: NodeId, to: NodeId): number {
    return this.#clogged.get(`${from}>${to}`) ?? 0
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`)
  }

  /** Cuts every link from a node of `side` to a node of `other`; both ways unless `oneWay`. */
  partition(side: readonly NodeId[], other: readonly NodeId[], oneWay: boolean): void {
    for (const a of side) {
      for (const b of other) {
        this.cut(a, b)
        if (!oneWay) this.cut(b, a)
      }
    }
  }

  clog(from: NodeId, to: NodeId, until: number): void {
    this.#clogged.set(`${from}>${to}`, until)
  }

  heal(): void {
    this.#cut.clear()
    this.#clogged.clear()
  }
}
