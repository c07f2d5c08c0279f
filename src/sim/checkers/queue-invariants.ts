/** The invariants of the queue machine (queue/check.ts), on every replica, in every life, at one in `EVERY` of its entries. */
import { FIRST_PARTITION } from '../../base/ids.ts'
import type { Checker } from './checker.ts'

const EVERY = 4

export function queueInvariants(): Checker {
  return {
    seen({ group, status, before, machine }) {
      if (group < FIRST_PARTITION || !machine || !status.serving || before?.applied === status.applied) return
      if (status.applied % EVERY === 0) machine.check()
    },
  }
}
