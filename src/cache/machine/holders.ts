/** Which nodes may hold copies of lines of this partition: a new home asks them first (ADR 0006, 5). */
import type { Plain } from '../../actors/envelope.ts'
import { refuse } from '../../base/refusal.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import { type HoldCommand, MACHINE_LIMITS, type UnholdCommand } from './commands.ts'
import { Holder } from './marks.ts'
import { held, refused } from './replies.ts'
import type { CacheTable } from './table.ts'

export function hold(table: CacheTable, ctx: ApplyContext, command: HoldCommand | UnholdCommand): Plain {
  const { type, node } = command
  const there = table.holders.get(node)
  if (type === 'cache_unhold' && command.term === ctx.term && there !== undefined) {
    table.holders.delete(node)
    table.changes.removed(there)
  }
  if (type === 'cache_hold' && there === undefined) {
    const max = MACHINE_LIMITS.holdersMax
    if (table.holders.size >= max) return refused(refuse('QUOTA', `at most ${max} nodes may hold copies`))
    const made = new Holder(node)
    table.holders.set(node, made)
    table.changes.touched(made)
  }
  return held()
}
