/**
 * The lock manager as a replicated state machine: the table of contents of this folder.
 *
 *   advance ──▶ expiry                      commands ──▶ codec ──▶ acquire | release | session-commands
 *                  └──────────▶ pump ◀──────────────────────────────────────┘
 *                            grants what was freed
 *
 * Invariants after every call (asserted by `check`; why they matter is in `docs/locks.md`):
 * (1) holders are compatible; (2) every hold and wait has a live owner; (3) tokens rise and are never given twice;
 * (4) nobody who waits could be granted; (5) nothing overdue is alive; (6) what is neither held nor waited for is not in memory.
 */
import type { ApplyContext, StateMachine } from '../raft/machine.ts'
import type { Plain } from '../actors/envelope.ts'
import type { Refused } from '../base/refusal.ts'
import type { Decoded } from './codec.ts'
import type { LockStats } from './types.ts'
import { Loader } from './loader.ts'
import { LockTable } from './table.ts'
import { acquire } from './acquire.ts'
import { answer, statsOf } from './queries.ts'
import { cancelWait, openSession, sessionCommand } from './session-commands.ts'
import { checkTable } from './check.ts'
import { decodeCommand } from './codec.ts'
import { drainRecords } from './records.ts'
import { expire } from './expiry.ts'
import { newTally } from './tally.ts'
import { pump } from './pump.ts'
import { refused } from './replies.ts'
import { release, renew } from './release.ts'
import type { Tally } from './tally.ts'

export interface LockMachineOptions {
  /** Spreads names over the hash table; not part of the state, so it may differ per process and be a secret. */
  readonly hashSeed?: number
}

export interface LockMachine extends StateMachine {
  /** What is there now, and what this replica has seen since it started. */
  stats(): LockStats & { readonly tally: Readonly<Tally> }
}

export function createLockMachine(options: LockMachineOptions = {}): LockMachine {
  const hashSeed = options.hashSeed ?? 0
  const tally = newTally()
  let table = new LockTable(hashSeed)
  let loader = new Loader(table)
  // For `check` alone: when `advance` ran last, and whether it left something for the next time.
  let lastTime = 0
  let paced = false

  return {
    apply(ctx, ticket, command) {
      const decoded = decodeCommand(command)
      const outcome = decoded.type === 'refused' ? decoded : execute(table, tally, ctx, ticket, decoded)
      pump(table, tally, ctx)
      if (!isRefused(outcome)) return outcome
      tally.refused += 1
      return refused(outcome)
    },
    cancel(ctx, ticket) {
      const waiter = table.waiters.get(ticket)
      if (waiter === undefined) return
      cancelWait(table, tally, ctx, waiter)
      pump(table, tally, ctx)
    },
    advance(ctx) {
      lastTime = ctx.time
      paced = !expire(table, tally, ctx)
      pump(table, tally, ctx)
    },
    nextDeadline: () => table.deadlines.next(),
    query: (request, time) => answer(table, request, time),
    get dirty() {
      return table.changes.size + (table.countersChanged ? 1 : 0)
    },
    drain: (write) => drainRecords(table, write),
    load: (key, value) => loader.load(key, value),
    loaded: () => loader.finish(),
    reset() {
      table = new LockTable(hashSeed)
      loader = new Loader(table)
    },
    check: () => checkTable(table, lastTime, paced),
    stats: () => ({ ...statsOf(table), tally }),
  }
}

function execute(table: LockTable, tally: Tally, ctx: ApplyContext, ticket: number, command: Decoded): Plain | Refused | null {
  switch (command.type) {
    case 'lock_acquire':
      return acquire(table, tally, ctx, ticket, command)
    case 'lock_release':
      return release(table, tally, ctx, command)
    case 'lock_renew':
      return renew(table, tally, ctx, command)
    case 'session_open':
      return openSession(table, tally, ctx, command)
    default:
      return sessionCommand(table, tally, ctx, command)
  }
}

/** Replies are tuples, refusals are objects. */
function isRefused(outcome: Plain | Refused | null): outcome is Refused {
  return outcome !== null && !Array.isArray(outcome)
}
