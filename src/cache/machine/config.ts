/** The configuration of a cache as a client gives it: any part of it, each within its bounds. */
import type { Plain } from '../../actors/envelope.ts'
import { invalid } from '../../base/refusal.ts'
import type { ByteWriter } from '../../raft/bytes.ts'
import { readPlain, writePlain } from '../../raft/plain.ts'
import { CACHE_LIMITS, type CacheConfig, DEFAULT_CONFIG } from '../types.ts'
import { SHARE_POLICIES } from './codes.ts'
import type { CacheCommandReader } from './command-reader.ts'

type Range = readonly [min: number, max: number]

const INTEGERS: Readonly<Record<string, Range>> = {
  bytesMax: [CACHE_LIMITS.bytesMaxMin, CACHE_LIMITS.bytesMaxMax],
  entriesMax: [1, CACHE_LIMITS.entriesMaxMax],
  ttlMs: [0, CACHE_LIMITS.ttlMsMax],
}
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  policy: SHARE_POLICIES,
  durability: ['quorum', 'writeback'],
}
const TEXT = new TextEncoder()

export function writeConfig(out: ByteWriter, config: Partial<CacheConfig>): void {
  const given = Object.entries(config).filter(([, value]) => value !== undefined)
  writePlain(out, Object.fromEntries(given) as Plain)
}

export function readConfig(reader: CacheCommandReader): Partial<CacheConfig> {
  const config = readPlain(reader.input)
  if (typeof config !== 'object' || config === null || Array.isArray(config) || config instanceof Uint8Array) {
    reader.refuse(invalid('config', 'an object'))
    return {}
  }
  for (const [name, value] of Object.entries(config as { readonly [name: string]: Plain })) {
    const wrong = wrongMember(name, value)
    if (wrong !== null) reader.refuse(invalid(`config.${name}`, wrong))
  }
  return config as Partial<CacheConfig>
}

function wrongMember(name: string, value: Plain): string | null {
  if (Object.hasOwn(INTEGERS, name)) {
    const [min, max] = INTEGERS[name] as Range
    return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max ? null : `an integer from ${min} to ${max}`
  }
  if (Object.hasOwn(CHOICES, name)) {
    const choices = CHOICES[name] as readonly string[]
    return choices.includes(value as string) ? null : `one of ${choices.join(', ')}`
  }
  return name === 'levels' ? wrongLevels(value) : 'no such member'
}

function wrongLevels(value: Plain): string | null {
  const { levelsMax, levelLengthMax } = CACHE_LIMITS
  const isRight =
    Array.isArray(value) &&
    value.length <= levelsMax &&
    new Set(value).size === value.length &&
    value.every((level) => typeof level === 'string' && level !== '' && level.length <= levelLengthMax)
  return isRight ? null : `at most ${levelsMax} separators, each other, of 1 to ${levelLengthMax} characters`
}

/** Members in a fixed order: the same configuration is the same bytes. */
export function mergeConfig(before: CacheConfig | null, change: Partial<CacheConfig>): CacheConfig {
  const { bytesMax, entriesMax, policy, ttlMs, levels, durability } = { ...(before ?? DEFAULT_CONFIG), ...change }
  return { bytesMax, entriesMax, policy, ttlMs, levels, durability }
}

/** What the line of the configuration holds. */
export function configBytes(config: CacheConfig): Uint8Array {
  return TEXT.encode(JSON.stringify(config))
}
