/** The numbers of the format of commands (`codec.ts`). Never changed, only added to: logs are full of them. */
import type { CacheConfig } from '../types.ts'
import type { CacheCommand } from './commands.ts'

export const VERSION = 0x41

export const KINDS = {
  cache_put: 0x40,
  cache_delete: 0x41,
  cache_increment: 0x42,
  cache_touch: 0x43,
  cache_bump: 0x44,
  cache_configure: 0x45,
  cache_invalidate_keys: 0x46,
  cache_sweep: 0x47,
  cache_limits: 0x48,
  cache_load: 0x49,
  cache_hold: 0x4a,
  cache_unhold: 0x4b,
  cache_own: 0x4c,
  cache_flush: 0x4d,
  cache_release: 0x4e,
  cache_begin: 0x4f,
  cache_room: 0x53,
  cache_swept: 0x54,
} as const satisfies Readonly<Record<CacheCommand['type'], number>>

/** Writes that say what is known of tags. */
export const KNOWING_KINDS = {
  cache_put: 0x50,
  cache_delete: 0x51,
  cache_increment: 0x52,
} as const

export const ANY = 0
export const ABSENT = 1
export const PRESENT = 2
export const VERSIONED = 3

export const SWEEP_LINE = 0
export const SWEEP_PREFIX = 1
export const SWEEP_ALL = 2

export const SHARE_POLICIES: readonly CacheConfig['policy'][] = ['lru', 's3fifo']

/** What a number that no varint can carry is sent as: beyond every limit. */
export const OUT_OF_RANGE = Number.MAX_SAFE_INTEGER
export const VERSION_MAX = OUT_OF_RANGE - 1
