/** Reads of what no line says: how much a cache holds here. Requests come from other nodes and are not trusted. */
import type { Plain } from '../../actors/envelope.ts'
import { invalid } from '../../base/refusal.ts'
import { refused } from './replies.ts'
import type { CacheTable } from './table.ts'

/** Of one partition. */
export interface CacheShareStatus {
  readonly entries: number
  readonly bytes: number
  /** What they take in the memory of each replica, lines of tags aside. */
  readonly memoryBytes: number
  readonly evictions: number
}

export function answer(table: CacheTable, request: Plain): Plain {
  if (typeof request !== 'object' || request === null) return refused(invalid('', 'not a question to the caches'))
  const { type, namespace, cache } = request as { readonly [key: string]: unknown }
  if (type !== 'cache_status') return refused(invalid('type', 'not a question to the caches'))
  if (typeof namespace !== 'string') return refused(invalid('namespace', 'a string'))
  if (typeof cache !== 'string') return refused(invalid('cache', 'a string'))
  const found = table.find({ namespace, cache })
  const status: CacheShareStatus = {
    entries: found === null ? 0 : found.entries.size - found.staleEntries,
    bytes: found?.bytes ?? 0,
    memoryBytes: found?.weight ?? 0,
    evictions: found?.evictions ?? 0,
  }
  return status as unknown as Plain
}
