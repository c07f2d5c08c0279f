/**
 * What a power cut leaves of a stored state has exactly the cold records that its header speaks of: the machine kept the
 * rule of their keys (raft/machine.ts), and every batch was whole. Asked of each disk at each crash.
 */
import type { NodeId } from '../../base/ids.ts'
import { ColdDigest, coldHash } from '../../raft/host/cold-digest.ts'
import { AREA_COLD, AREA_HEADER, PREFIX_BYTES, type StateHeader, decodeHeader, groupOfKey } from '../../raft/host/keys.ts'
import type { KvPlatter } from '../kv-platter.ts'
import { violated } from './checker.ts'

export function checkColdRecords(node: NodeId, store: KvPlatter): void {
  let prefix = ''
  let header: StateHeader | null = null
  let digest = new ColdDigest()
  let last: Uint8Array | null = null
  const close = (): void => {
    // A snapshot that is still arriving has none.
    if (header === null || last === null || digest.equals(header.cold)) return
    const [found, wanted] = [digest.now.count, header.cold.count]
    violated('cold records', groupOfKey(last), `${node} has ${found} of ${wanted} after a crash, at ${header.index}`)
  }
  for (const [key, value] of store.range({})) {
    const of = Buffer.from(key.buffer, key.byteOffset, PREFIX_BYTES).toString('latin1')
    if (of !== prefix) {
      close()
      prefix = of
      header = null
      digest = new ColdDigest()
    }
    last = key
    if (key[PREFIX_BYTES] === AREA_HEADER) header = decodeHeader(value)
    else if (key[PREFIX_BYTES] === AREA_COLD) digest.add(coldHash(key.subarray(PREFIX_BYTES + 1)))
  }
  close()
}
