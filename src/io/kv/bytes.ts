/** Byte strings in order, as the key-value stores compare them. */

/** Negative, zero or positive as `a` sorts before, with or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** The smallest key above every key that begins with `prefix`; undefined where there is none (all 0xff). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] ?? 0
    if (last === 0xff) continue
    const end = prefix.slice(0, length)
    end[length - 1] = last + 1
    return end
  }
  return undefined
}
