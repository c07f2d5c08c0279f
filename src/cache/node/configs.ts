/** What the line of a cache's configuration says. */
import type { Held } from '../coherence/protocol.ts'
import { type CacheConfig, DEFAULT_CONFIG } from '../types.ts'

const FROM_TEXT = new TextDecoder()
/** A copy of a line is one buffer as long as it lasts: it is parsed once. */
const PARSED = new WeakMap<Uint8Array, CacheConfig>()

/** A cache that was not configured has the default one. */
export function configIn({ value }: Held): CacheConfig {
  if (value === null) return DEFAULT_CONFIG
  const known = PARSED.get(value)
  if (known !== undefined) return known
  const config = JSON.parse(FROM_TEXT.decode(value)) as CacheConfig
  PARSED.set(value, config)
  return config
}
