/**
 * What a write makes of a line that this node owns: judged as the machine would, without the log. Pure.
 */
import { nothingAt } from '../coherence/held.ts'
import type { Held } from '../coherence/protocol.ts'
import type { CacheReply, DeleteCommand, IncrementCommand, PutCommand } from '../machine/commands.ts'
import { SUM_TYPE, bytesOfSum, mismatchOf, sumOf } from '../machine/judge.ts'

export interface LocalWrite {
  readonly reply: CacheReply
  /** What the line holds then; null: it is as it was. */
  readonly next: Held | null
}

/** `version`: what the write makes of it gets. A life that is given begins now. */
export function writeLocally(held: Held, command: PutCommand | DeleteCommand | IncrementCommand, version: number): LocalWrite {
  const current = held.value === null || held.version <= command.dead ? null : held
  switch (command.type) {
    case 'cache_put': {
      const refusal = mismatchOf(command.condition, current?.version ?? 0)
      if (refusal !== null) return { reply: refusal, next: null }
      const { value, contentType, ttlMs, slidingMs, tags } = command
      const ttlLeftMs = ttlMs ?? (slidingMs > 0 ? slidingMs : null)
      return {
        reply: { type: 'put', version, created: current === null },
        next: { version, value, contentType, ttlLeftMs, slidingMs, tags },
      }
    }
    case 'cache_delete': {
      const refusal = mismatchOf(command.condition, current?.version ?? 0)
      if (refusal !== null) return { reply: refusal, next: null }
      if (current === null) return { reply: { type: 'deleted', version: 0, existed: false }, next: null }
      return { reply: { type: 'deleted', version, existed: true }, next: nothingAt(version) }
    }
    case 'cache_increment': {
      const value = sumOf(current?.value ?? null, command.by)
      if (typeof value !== 'number') return { reply: value, next: null }
      const { ttlLeftMs, slidingMs, tags } = current ?? { ttlLeftMs: command.ttlMs, slidingMs: 0, tags: command.tags }
      const next = { version, value: bytesOfSum(value), contentType: SUM_TYPE, ttlLeftMs, slidingMs, tags }
      return { reply: { type: 'incremented', version, value }, next }
    }
  }
}
