/** Records of a machine: where tests keep them, as they compare them, and in the orders in which they give them back. */
import type { StateMachine, WriteRecord } from '../src/raft/machine.ts'

/** By key, in hexadecimal. */
export type Store = Map<string, Uint8Array>

export function hexOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

/** What a machine drains. Held to the rule that the host relies upon for records of every kind: no delete of nothing; of cold ones: no write over. */
export function into(store: Store, kind: 'record' | 'cold record'): WriteRecord {
  return (key, value) => {
    const hex = hexOf(key)
    if (value === null) {
      if (!store.delete(hex)) throw new Error(`a ${kind} is deleted that was never written`)
      return
    }
    if (kind === 'cold record' && store.has(hex)) throw new Error('a cold record is written over')
    store.set(hex, Uint8Array.from(value))
  }
}

/** Into a machine that is fresh or was reset. */
export function loadRecords(
  machine: Pick<StateMachine, 'load' | 'loaded' | 'check'>,
  store: Store,
  sort: (keys: string[]) => string[],
): void {
  for (const key of sort([...store.keys()])) {
    machine.load(Uint8Array.from(Buffer.from(key, 'hex')), Uint8Array.from(store.get(key) as Uint8Array))
  }
  machine.loaded()
  machine.check()
}

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
