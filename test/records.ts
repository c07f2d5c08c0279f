/** Records of a machine as tests compare them, and in the orders in which they give them back. */

/** By key, values as text. */
export function sorted(store: ReadonlyMap<string, Uint8Array>): unknown {
  return [...store].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, Buffer.from(value).toString('hex')])
}

/** In place, the same for the same seed. */
export function shuffle(keys: string[], seed: number): string[] {
  let state = seed | 1
  for (let at = keys.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    const other = state % (at + 1)
    ;[keys[at], keys[other]] = [keys[other] as string, keys[at] as string]
  }
  return keys
}
