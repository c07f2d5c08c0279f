/** The fields of a cache's commands, beyond those that all commands have. */
import { invalid } from '../../base/refusal.ts'
import { utf8Length } from '../../base/utf8.ts'
import { CommandReader } from '../../raft/command-reader.ts'
import type { LineId } from '../coherence/protocol.ts'
import { type LineKind, parseLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'

export class CacheCommandReader extends CommandReader {
  constructor(bytes: Uint8Array) {
    super(bytes, 'cache command')
  }

  /** At most so many bytes of UTF-8. */
  key(path: string, lengthMin: number): string {
    const key = this.input.text()
    if (key.length >= lengthMin && utf8Length(key) <= CACHE_LIMITS.keyBytesMax) return key
    this.refuse(invalid(path, `${lengthMin} to ${CACHE_LIMITS.keyBytesMax} bytes`))
    return ''
  }

  line(path: string, kinds: readonly LineKind[]): LineId {
    const line = this.input.text()
    const parsed = parseLine(line)
    if (parsed !== null && kinds.includes(parsed.kind) && isLine(parsed.namespace, parsed.cache, parsed.name)) return line
    this.refuse(invalid(path, `a line of the kind ${kinds.join(' or ')}`))
    return ''
  }

  value(path: string): Uint8Array {
    return this.bytes(path, CACHE_LIMITS.valueBytesMax)
  }
}

/** Names of tags and levels are texts that were keys' prefixes or short: the bound of a key holds for all. */
function isLine(namespace: string, cache: string, name: string): boolean {
  return namespace !== '' && cache !== '' && utf8Length(name) <= CACHE_LIMITS.keyBytesMax
}
