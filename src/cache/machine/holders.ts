/** Which nodes may hold copies of lines of this partition: a new home asks them first (ADR 0006, 5). */
import type { Plain } from '../../actors/envelope.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import { type HoldCommand, MACHINE_LIMITS, type UnholdCommand } from './commands.ts'
import { Holder } from './marks.ts'
import { tooMany } from './quotas.ts'
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
    if (table.holders.size >= MACHINE_LIMITS.holdersMax) return refused(tooMany('holders'))
    const made = new Holder(node)
    table.holders.set(node, made)
    table.changes.touched(made)
  }
  return held()
}
