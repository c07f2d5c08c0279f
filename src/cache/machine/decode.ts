/** Commands off the bytes of the log, or why they are none. The format is told in `codec.ts`. Never throws. */
import { type Refused, invalid } from '../../base/refusal.ts'
import type { LineId } from '../coherence/protocol.ts'
import { entryLine, lineOf } from '../line-id.ts'
import { CACHE_LIMITS, type CacheName, type ChangeReason, type Condition, type EntryName } from '../types.ts'
import {
  ABSENT,
  ANY,
  KINDS,
  KNOWING_KINDS,
  OUT_OF_RANGE,
  PRESENT,
  SHARE_POLICIES,
  SWEEP_ALL,
  SWEEP_LINE,
  SWEEP_PREFIX,
  VERSION,
  VERSIONED,
  VERSION_MAX,
} from './codes.ts'
import { CacheCommandReader } from './command-reader.ts'
import {
  type CacheCommand,
  type DeleteCommand,
  type FlushCommand,
  type IncrementCommand,
  type LineVersion,
  type LoadCommand,
  MACHINE_LIMITS,
  type OwnCommand,
  type PutCommand,
  type Share,
  type SweepWhat,
} from './commands.ts'
import { readConfig } from './config.ts'

const NODE_LENGTH_MAX = 128
/** Of kinds that do not put. */
const CHANGES: ReadonlyMap<number, ChangeReason> = new Map([
  [KINDS.cache_delete, 'delete'],
  [KNOWING_KINDS.cache_delete, 'delete'],
  [KINDS.cache_invalidate_keys, 'invalidate'],
  [KINDS.cache_bump, 'invalidate'],
])
const NO_LINES: readonly LineId[] = []

/** Reads a command, or says why it is none. Values are views of `bytes`. */
export function decodeCommand(bytes: Uint8Array): CacheCommand | Refused {
  const input = new CacheCommandReader(bytes)
  if (input.u8() !== VERSION) return invalid('', 'a cache command of an unknown version')
  const command = read(input, input.u8())
  return input.end() ?? command
}

/** The lines that a command means to change, where its head says so; looks no further, and may name them though the rest is malformed. */
export function linesToChange(bytes: Uint8Array): readonly LineId[] {
  const input = new CacheCommandReader(bytes)
  const kind = input.u8() === VERSION ? input.u8() : 0
  const lines = linesIn(input, kind)
  return input.failed ? NO_LINES : lines
}

/** What becomes of the lines of `linesToChange`; of a transaction they are put. */
export function changeMeant(bytes: Uint8Array): ChangeReason {
  return (bytes[0] === VERSION && CHANGES.get(bytes[1] as number)) || 'put'
}

function linesIn(input: CacheCommandReader, kind: number): readonly LineId[] {
  switch (kind) {
    case KINDS.cache_put:
    case KINDS.cache_delete:
    case KINDS.cache_increment:
    case KNOWING_KINDS.cache_put:
    case KNOWING_KINDS.cache_delete:
    case KNOWING_KINDS.cache_increment:
      return [lineOf(readName(input))]
    case KINDS.cache_invalidate_keys: {
      const { namespace, cache } = readCache(input)
      return readKeys(input).map((key) => entryLine(namespace, cache, key))
    }
    case KINDS.cache_bump:
      return readLines(input)
  }
  return NO_LINES
}

function read(input: CacheCommandReader, kind: number): CacheCommand | Refused {
  switch (kind) {
    case KINDS.cache_put:
      return readPut(input, false)
    case KNOWING_KINDS.cache_put:
      return readPut(input, true)
    case KINDS.cache_delete:
      return readDelete(input, false)
    case KNOWING_KINDS.cache_delete:
      return readDelete(input, true)
    case KINDS.cache_increment:
      return readIncrement(input, false)
    case KNOWING_KINDS.cache_increment:
      return readIncrement(input, true)
    case KINDS.cache_touch:
      return { type: 'cache_touch', ...readCache(input), keys: readKeys(input) }
    case KINDS.cache_invalidate_keys:
      return { type: 'cache_invalidate_keys', ...readCache(input), keys: readKeys(input) }
    case KINDS.cache_bump:
      return { type: 'cache_bump', lines: readLines(input) }
    case KINDS.cache_configure:
      return { type: 'cache_configure', ...readCache(input), config: readConfig(input) }
    case KINDS.cache_begin:
      return { type: 'cache_begin', ...readCache(input) }
    case KINDS.cache_limits:
      return { type: 'cache_limits', ...readCache(input), share: readShare(input) }
    case KINDS.cache_sweep: {
      const name = readCache(input)
      const [below, after] = [input.count('below', 0, OUT_OF_RANGE), input.count('after', 0, OUT_OF_RANGE)]
      return { type: 'cache_sweep', ...name, below, after, what: readWhat(input) }
    }
    case KINDS.cache_swept:
      return { type: 'cache_swept', lines: readTags(input) }
    case KINDS.cache_load:
      return readLoad(input)
    case KINDS.cache_hold:
      return { type: 'cache_hold', node: readNode(input) }
    case KINDS.cache_unhold:
      return { type: 'cache_unhold', node: readNode(input), term: input.count('term', 0, VERSION_MAX) }
    case KINDS.cache_own:
      return readOwn(input)
    case KINDS.cache_flush:
      return readFlush(input)
    case KINDS.cache_release:
      return {
        type: 'cache_release',
        line: input.line('line', ['entry']),
        own: input.count('own', 1, VERSION_MAX),
        term: input.count('term', 0, VERSION_MAX),
      }
    case KINDS.cache_room:
      return { type: 'cache_room', bytes: input.count('bytes', 1, VERSION_MAX), term: input.count('term', 0, VERSION_MAX) }
  }
  return invalid('', 'a cache command of an unknown kind')
}

function readCache(input: CacheCommandReader): CacheName {
  const namespace = input.text('namespace', 1, CACHE_LIMITS.nameLengthMax)
  return { namespace, cache: input.text('cache', 1, CACHE_LIMITS.nameLengthMax) }
}

function readName(input: CacheCommandReader): EntryName {
  const { namespace, cache } = readCache(input)
  return { namespace, cache, key: input.key('key', 1) }
}

function readBefore(input: CacheCommandReader, isKnowing: boolean): Pick<PutCommand, 'own' | 'dead' | 'known'> {
  const own = input.count('own', 0, VERSION_MAX)
  const dead = input.count('dead', 0, VERSION_MAX)
  return { own, dead, known: isKnowing ? readTags(input) : null }
}

function readDelete(input: CacheCommandReader, isKnowing: boolean): DeleteCommand {
  const name = readName(input)
  const before = readBefore(input, isKnowing)
  return { type: 'cache_delete', ...name, ...before, condition: readCondition(input) }
}

/** By naming each member: V8 makes a hidden class for each object that others are spread into, and what reads such is slow. */
function readPut(input: CacheCommandReader, isKnowing: boolean): PutCommand {
  const { namespace, cache, key } = readName(input)
  const { own, dead, known } = readBefore(input, isKnowing)
  const condition = readCondition(input)
  const loadToken = input.count('loadToken', 0, VERSION_MAX)
  const { ttlMs, slidingMs } = readLife(input)
  const contentType = readContentType(input)
  const tags = readTags(input)
  const share = readShare(input)
  const token = loadToken === 0 ? null : loadToken - 1
  return {
    type: 'cache_put',
    namespace,
    cache,
    key,
    own,
    dead,
    known,
    condition,
    loadToken: token,
    ttlMs,
    slidingMs,
    contentType,
    tags,
    share,
    value: input.value('value'),
  }
}

function readLife(input: CacheCommandReader): { readonly ttlMs: number | null; readonly slidingMs: number } {
  const ttlMs = readTtl(input)
  return { ttlMs, slidingMs: input.count('slidingMs', 0, CACHE_LIMITS.ttlMsMax) }
}

function readTtl(input: CacheCommandReader): number | null {
  const ttlMs = input.count('ttlMs', 0, CACHE_LIMITS.ttlMsMax)
  return ttlMs === 0 ? null : ttlMs
}

function readContentType(input: CacheCommandReader): string {
  return input.text('contentType', 0, CACHE_LIMITS.contentTypeLengthMax)
}

function readIncrement(input: CacheCommandReader, isKnowing: boolean): IncrementCommand {
  const name = readName(input)
  const before = readBefore(input, isKnowing)
  const isNegative = input.flag('by')
  const by = input.count('by', 0, CACHE_LIMITS.incrementMax)
  const ttlMs = readTtl(input)
  const tags = readTags(input)
  return { type: 'cache_increment', ...name, ...before, by: isNegative && by > 0 ? -by : by, ttlMs, tags, share: readShare(input) }
}

function readTags(input: CacheCommandReader): LineVersion[] {
  const tags: LineVersion[] = []
  for (let left = input.length('tags', 0, MACHINE_LIMITS.tagsPerEntryMax); left > 0 && !input.failed; left--) {
    const line = input.line('tags', ['tag', 'level'])
    tags.push([line, input.count('tags', 0, VERSION_MAX)])
  }
  if (new Set(tags.map(([line]) => line)).size !== tags.length) input.refuse(invalid('tags', 'each line once'))
  return tags
}

function readKeys(input: CacheCommandReader): string[] {
  const keys: string[] = []
  for (let left = input.length('keys', 1, CACHE_LIMITS.keysMax); left > 0 && !input.failed; left--) keys.push(input.key('keys', 1))
  return keys
}

function readLines(input: CacheCommandReader): string[] {
  const lines: string[] = []
  for (let left = input.length('lines', 1, MACHINE_LIMITS.linesPerCommandMax); left > 0 && !input.failed; left--) {
    lines.push(input.line('lines', ['tag', 'level']))
  }
  return lines
}

function readShare(input: CacheCommandReader): Share {
  const bytes = input.count('share.bytes', 0, OUT_OF_RANGE)
  const entries = input.count('share.entries', 0, OUT_OF_RANGE)
  const policy = SHARE_POLICIES[input.u8()]
  if (policy === undefined) input.refuse(invalid('share.policy', `one of ${SHARE_POLICIES.join(', ')}`))
  return { bytes, entries, policy: policy ?? 'lru', configVersion: input.count('share.configVersion', 0, VERSION_MAX) }
}

function readCondition(input: CacheCommandReader): Condition {
  switch (input.u8()) {
    case ANY:
      return null
    case ABSENT:
      return 'absent'
    case PRESENT:
      return 'present'
    case VERSIONED:
      return input.count('condition', 0, OUT_OF_RANGE)
  }
  input.refuse(invalid('condition', 'of an unknown kind'))
  return null
}

function readWhat(input: CacheCommandReader): SweepWhat {
  switch (input.u8()) {
    case SWEEP_LINE:
      return { line: input.line('line', ['tag', 'level']) }
    case SWEEP_PREFIX:
      return { prefix: input.key('prefix', 0) }
    case SWEEP_ALL:
      return { all: true }
  }
  input.refuse(invalid('what', 'of an unknown kind'))
  return { all: true }
}

function readLoad(input: CacheCommandReader): LoadCommand {
  const name = readName(input)
  const dead = input.count('dead', 0, VERSION_MAX)
  const waitMs = input.count('waitMs', 0, CACHE_LIMITS.loadWaitMsMax)
  const staleOk = input.flag('staleOk')
  return { type: 'cache_load', ...name, dead, waitMs, staleOk, tags: readTags(input) }
}

function readNode(input: CacheCommandReader): string {
  return input.text('node', 1, NODE_LENGTH_MAX)
}

function readOwn(input: CacheCommandReader): OwnCommand {
  const line = input.line('line', ['entry'])
  const node = readNode(input)
  return {
    type: 'cache_own',
    line,
    node,
    count: input.count('count', 1, MACHINE_LIMITS.ownVersionsMax),
    term: input.count('term', 0, VERSION_MAX),
  }
}

function readFlush(input: CacheCommandReader): FlushCommand {
  const line = input.line('line', ['entry'])
  const own = input.count('own', 1, VERSION_MAX)
  const version = input.count('version', 1, VERSION_MAX)
  if (!input.flag('value')) {
    const none = { value: null, contentType: '', ttlMs: null, slidingMs: 0, tags: [] }
    return { type: 'cache_flush', line, own, version, ...none, share: readShare(input) }
  }
  const life = readLife(input)
  const contentType = readContentType(input)
  const tags = readTags(input)
  const value = input.value('value')
  return { type: 'cache_flush', line, own, version, ...life, contentType, tags, value, share: readShare(input) }
}
