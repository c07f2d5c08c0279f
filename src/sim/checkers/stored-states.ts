/**
 * Equal index, equal records: what a replica's machine has stored as its state at an index is the same on every replica, in
 * every life, after a snapshot too; and so are the keys of its cold records. (The pages of the request table are cut as each
 * replica drained them.) Seen when a batch has landed, at one in `EVERY` indexes.
 */
import type { NodeId } from '../../base/ids.ts'
import type { KvPair } from '../../io/kv/kv.ts'
import { AREA_HEADER, AREA_MACHINE, PREFIX_BYTES, decodeHeader, groupOfKey } from '../../raft/host/keys.ts'
import { hashBytes, hashText } from '../dice.ts'
import { CacheUse } from './cache-use.ts'
import { type Checker, violated } from './checker.ts'

const EVERY = 4

export function storedStates(): Checker {
  const states = new Map<string, { readonly node: NodeId; readonly text: string }>()
  return {
    landed(node, ops, records) {
      for (const { key, value } of ops) {
        const header = value !== null && key[PREFIX_BYTES] === AREA_HEADER ? decodeHeader(value) : null
        if (header === null || header.index % EVERY !== 0) continue
        const { index, term, time, membership, cold } = header
        const text = JSON.stringify({ term, time, membership, cold, sums: sumsOf(key, records()) })
        const group = groupOfKey(key)
        const known = states.get(`${group}/${index}`)
        if (known === undefined) states.set(`${group}/${index}`, { node, text })
        else if (known.text !== text) {
          const both = `${known.node}: ${known.text}\n${node}: ${text}`
          violated('stored state', group, `${node} and ${known.node} differ at ${index}\n${both}`)
        }
      }
    },
  }
}

/** Of the machine's records beside this header: a sum by kind, as the first byte of their keys has it. */
function sumsOf(header: Uint8Array, records: Iterable<KvPair>): number[] {
  const sums: number[] = []
  const cached = new CacheUse()
  for (const [key, value] of records) {
    if (key[PREFIX_BYTES] !== AREA_MACHINE || !isBeside(header, key)) continue
    if (cached.take(key.subarray(PREFIX_BYTES + 1), value)) continue
    const kind = key[PREFIX_BYTES + 1] ?? 0
    while (sums.length <= kind) sums.push(0)
    sums[kind] = ((sums[kind] ?? 0) + hashBytes(value, hashBytes(key.subarray(PREFIX_BYTES)))) >>> 0
  }
  let entries = 0
  for (const [born, value] of cached.records()) entries = (entries + hashBytes(value, hashText(born))) >>> 0
  return [...sums, entries]
}

function isBeside(header: Uint8Array, key: Uint8Array): boolean {
  for (let at = 0; at < PREFIX_BYTES; at++) if (key[at] !== header[at]) return false
  return true
}
