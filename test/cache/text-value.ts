/** A text to be put into a cache: without tags, and for ever whatever the cache says. */
import type { NewValue } from '../../src/cache/types.ts'

export function textValue(text: string): NewValue {
  return { value: new TextEncoder().encode(text), contentType: 'text/plain', ttlMs: 0, slidingMs: 0, tags: [] }
}
