/** Writes of one key: put, delete, increment; and that keys were read. */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis } from '../../base/ids.ts'
import { entryLine } from '../line-id.ts'
import { CACHE_LIMITS, type Condition, type EntryName } from '../types.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import type { DeleteCommand, IncrementCommand, PutCommand, Refused, Share, TouchCommand } from './commands.ts'
import type { Entry } from './entry.ts'
import { invalid, refuse } from './refusal.ts'
import { deleted, incremented, nothingDeleted, put, refused, touched } from './replies.ts'
import { evict } from './share.ts'
import type { CacheTable, NewContent } from './table.ts'

const INTEGER = /^-?(0|[1-9]\d{0,15})$/
const JSON_TYPE = 'application/json'
const TEXT = new TextEncoder()
const FROM_TEXT = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/** A read comes to the log by so much later than it was, of the life it gave: an eighth (`slidingMs / 8`). */
function slidingDeadline(slidingMs: Millis, time: Millis): Millis {
  return time + slidingMs + Math.ceil(slidingMs / 8)
}

export function putEntry(table: CacheTable, ctx: ApplyContext, command: PutCommand): Plain {
  const there = table.entry(command)
  const current = alive(there, command.dead)
  const wrong = mismatch(command, command.condition, current)
  if (wrong !== null) return wrong
  const { contentType, ttlMs, slidingMs, tags, share } = command
  const deadline = deadlineOf(ttlMs, slidingMs, ctx.time)
  // A copy: the command lies in the memory of the frame that brought it.
  const value = command.value.slice()
  const version = write(table, ctx, command, there, share, { value, contentType, deadline, slidingMs, staleMs: 0, tags })
  return typeof version === 'number' ? put(version, current === null) : refused(version)
}

export function deleteEntry(table: CacheTable, ctx: ApplyContext, command: DeleteCommand): Plain {
  const there = table.entry(command)
  const current = alive(there, command.dead)
  const wrong = mismatch(command, command.condition, current)
  if (wrong !== null) return wrong
  const version = there === null ? 0 : table.remove(there, 'delete', ctx.time)
  return current === null || version === 0 ? nothingDeleted(lineOf(command)) : deleted(version)
}

export function incrementEntry(table: CacheTable, ctx: ApplyContext, command: IncrementCommand): Plain {
  const there = table.entry(command)
  const current = alive(there, command.dead)
  const before = current === null ? 0 : integerIn(current)
  const value = before + command.by
  if (Number.isNaN(value)) return refused(invalid('key', 'what it holds is no integer'), [lineOf(command)])
  if (!Number.isSafeInteger(value)) return refused(invalid('by', 'the sum is beyond 2^53'), [lineOf(command)])
  const kept = current === null ? null : lifeOf(current)
  const fresh = { deadline: deadlineOf(command.ttlMs, 0, ctx.time), slidingMs: 0, staleMs: 0, tags: command.tags }
  const content = { value: TEXT.encode(String(value)), contentType: JSON_TYPE, ...(kept ?? fresh) }
  const version = write(table, ctx, command, there, command.share, content)
  return typeof version === 'number' ? incremented(version, value) : refused(version)
}

export function touchEntries(table: CacheTable, ctx: ApplyContext, command: TouchCommand): Plain {
  const cache = table.find(command)
  let count = 0
  for (const key of command.keys) {
    const entry = cache?.entries.get(key)
    if (entry === undefined || entry.isStale || entry.own !== 0) continue
    entry.cache.policy.wasUsed(entry)
    const deadline = slidingDeadline(entry.slidingMs, ctx.time)
    if (entry.slidingMs > 0 && deadline > entry.deadline && entry.deadline < Infinity) {
      entry.deadline = deadline
      table.useChanged(entry)
    }
    count += 1
  }
  return touched(count)
}

/** Puts content in the place of what is there, makes room for it, and tells; returns its version. */
function write(
  table: CacheTable,
  ctx: ApplyContext,
  name: EntryName,
  there: Entry | null,
  share: Share,
  content: Omit<NewContent, 'version'>,
): number | Refused {
  const cache = there?.cache ?? table.find(name) ?? table.make(name, share)
  if (cache === null) return refuse('QUOTA', `at most ${CACHE_LIMITS.cachesPerPartitionMax} caches`)
  const previous = table.before(there, ctx.time)
  const version = table.nextVersion()
  cache.limit(share)
  const entry = there ?? table.add(cache, name.key, { ...content, version })
  if (there !== null) table.replace(there, { ...content, version })
  table.note(entry.line, version, 'put', previous)
  evict(table, cache, entry, ctx.time)
  return version
}

/** What a write meets: not what is stale, nor what was seen to be dead by its tags. */
function alive(entry: Entry | null, dead: number): Entry | null {
  return entry === null || entry.isStale || entry.version <= dead ? null : entry
}

function mismatch(name: EntryName, condition: Condition, current: Entry | null): Plain | null {
  const version = current?.version ?? 0
  const holds =
    condition === null || (condition === 'absent' ? current === null : condition === 'present' ? current !== null : version === condition)
  if (holds) return null
  const what = version === 0 ? 'there is none' : `it is at version ${version}`
  return refused(refuse('VERSION_MISMATCH', what, { version }), [lineOf(name)])
}

function deadlineOf(ttlMs: Millis | null, slidingMs: Millis, time: Millis): Millis {
  if (ttlMs !== null) return time + ttlMs
  return slidingMs > 0 ? slidingDeadline(slidingMs, time) : Infinity
}

function lifeOf({ deadline, slidingMs, staleMs, tags }: Entry): Omit<NewContent, 'version' | 'value' | 'contentType'> {
  return { deadline, slidingMs, staleMs, tags: tags.map(({ line, version }) => [line, version]) }
}

/** NaN: it is none. */
function integerIn({ value }: Entry): number {
  const text = value.length > 20 ? '' : FROM_TEXT.decode(value)
  return INTEGER.test(text) ? Number(text) : Number.NaN
}

function lineOf({ namespace, cache, key }: EntryName): string {
  return entryLine(namespace, cache, key)
}
