/**
 * A 30-bit hash of short strings, for hash tables and tags. Not for secrets.
 * 30 bits, so that the result stays a small integer of the engine.
 */

/** FNV-1a over UTF-16 units, with a final mix so that the low bits depend on every character. */
export function hashString(seed: number, text: string): number {
  let hash = seed ^ 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39)
  return (hash ^ (hash >>> 15)) & 0x3fffffff
}
