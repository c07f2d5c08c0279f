/**
 * Commands on their way through the log. Numbers are varints, texts and bytes have their length first. A partition's group
 * carries the commands of its queues too: theirs begin with 1, those of the caches with 0x41, and kinds begin at 0x40.
 *
 *   0x41 (u8)  kind (u8)  then
 *   put         name  own dead  condition?  loadToken+1 (0: none)  ttlMs (0: for ever) slidingMs contentType  tags  share  value
 *   delete      name  own dead  condition?
 *   increment   name  own dead  sign (u8) |by|  ttlMs  tags  share
 *               each of the three has a second kind: with what is known, as tags, after `dead`
 *   touch, invalidate_keys   cache  n, then n times: key         bump   n, then n times: line
 *   configure   cache  config (plain)                             limits cache  share
 *   sweep       cache  below after  what (u8): line | prefix | nothing                swept  tags
 *   load        name  dead waitMs staleOk  tags                   hold node   unhold node term            begin cache
 *   own         line node count term                              release   line own term
 *   flush       line own version  value?: ttlMs slidingMs contentType tags value  share                   room bytes term
 *   with        cache: namespace cache    name: namespace cache key    tags: n, then n times: line version
 *               share: bytes entries policy (u8) configVersion
 *
 * Decoding (`decode.ts`) trusts nothing: whatever is not exactly this is a refusal.
 */
import { ByteWriter } from '../../raft/bytes.ts'
import type { CacheName, Condition, EntryName } from '../types.ts'
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
} from './codes.ts'
import type { CacheCommand, DeleteCommand, FlushCommand, IncrementCommand, LineVersion, PutCommand, Share, SweepWhat } from './commands.ts'
import { writeConfig } from './config.ts'

const out = new ByteWriter(2048)

/** The bytes of a command. Values out of range are encoded as they are: decoding refuses them. */
export function encodeCommand(command: CacheCommand): Uint8Array {
  // One that was no command, and threw, has left its beginning behind.
  if (out.length > 0) out.take()
  out.u8(VERSION)
  out.u8('known' in command && command.known !== null ? KNOWING_KINDS[command.type] : KINDS[command.type])
  write(command)
  return out.take()
}

function write(c: CacheCommand): void {
  switch (c.type) {
    case 'cache_put':
      return writePut(c)
    case 'cache_delete':
      writeBefore(c)
      return writeCondition(c.condition)
    case 'cache_increment':
      writeBefore(c)
      out.u8(c.by < 0 ? 1 : 0)
      number(Math.abs(c.by))
      number(c.ttlMs ?? 0)
      writeTags(c.tags)
      return writeShare(c.share)
    case 'cache_touch':
    case 'cache_invalidate_keys':
      writeCache(c)
      return writeTexts(c.keys)
    case 'cache_bump':
      return writeTexts(c.lines)
    case 'cache_configure':
      writeCache(c)
      return writeConfig(out, c.config)
    case 'cache_begin':
      return writeCache(c)
    case 'cache_limits':
      writeCache(c)
      return writeShare(c.share)
    case 'cache_sweep':
      writeCache(c)
      number(c.below)
      number(c.after)
      return writeWhat(c.what)
    case 'cache_swept':
      return writeTags(c.lines)
    case 'cache_load':
      writeName(c)
      number(c.dead)
      number(c.waitMs)
      out.u8(c.staleOk ? 1 : 0)
      return writeTags(c.tags)
    case 'cache_hold':
      return out.text(c.node)
    case 'cache_unhold':
      out.text(c.node)
      return number(c.term)
    case 'cache_own':
      out.text(c.line)
      out.text(c.node)
      number(c.count)
      return number(c.term)
    case 'cache_flush':
      return writeFlush(c)
    case 'cache_release':
      out.text(c.line)
      number(c.own)
      return number(c.term)
    case 'cache_room':
      number(c.bytes)
      return number(c.term)
  }
}

function writeBefore(c: PutCommand | DeleteCommand | IncrementCommand): void {
  writeName(c)
  number(c.own)
  number(c.dead)
  if (c.known !== null) writeTags(c.known)
}

function writePut(c: PutCommand): void {
  writeBefore(c)
  writeCondition(c.condition)
  number(c.loadToken === null ? 0 : c.loadToken + 1)
  number(c.ttlMs ?? 0)
  number(c.slidingMs)
  out.text(c.contentType)
  writeTags(c.tags)
  writeShare(c.share)
  out.bytes(c.value)
}

function writeFlush(c: FlushCommand): void {
  out.text(c.line)
  number(c.own)
  number(c.version)
  out.u8(c.value === null ? 0 : 1)
  if (c.value !== null) {
    number(c.ttlMs ?? 0)
    number(c.slidingMs)
    out.text(c.contentType)
    writeTags(c.tags)
    out.bytes(c.value)
  }
  writeShare(c.share)
}

function number(value: number): void {
  out.varint(Number.isSafeInteger(value) && value >= 0 ? value : OUT_OF_RANGE)
}

function writeCache({ namespace, cache }: CacheName): void {
  out.text(namespace)
  out.text(cache)
}

function writeName(name: EntryName): void {
  writeCache(name)
  out.text(name.key)
}

function writeTexts(texts: readonly string[]): void {
  out.varint(texts.length)
  for (const text of texts) out.text(text)
}

function writeTags(tags: readonly LineVersion[]): void {
  out.varint(tags.length)
  for (const [line, version] of tags) {
    out.text(line)
    number(version)
  }
}

function writeShare({ bytes, entries, policy, configVersion }: Share): void {
  number(bytes)
  number(entries)
  out.u8(SHARE_POLICIES.indexOf(policy))
  number(configVersion)
}

function writeCondition(condition: Condition): void {
  if (condition === null) return out.u8(ANY)
  if (condition === 'absent') return out.u8(ABSENT)
  if (condition === 'present') return out.u8(PRESENT)
  out.u8(VERSIONED)
  number(condition)
}

function writeWhat(what: SweepWhat): void {
  if ('line' in what) {
    out.u8(SWEEP_LINE)
    return out.text(what.line)
  }
  if (!('prefix' in what)) return out.u8(SWEEP_ALL)
  out.u8(SWEEP_PREFIX)
  out.text(what.prefix)
}
