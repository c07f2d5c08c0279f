/**
 * The configuration of a queue as a client gives it: any part of it, each within its bounds. `deadLetter` is only held to be
 * a name here; whether it is the one that the queue has is for the machine to say (CONFIG_CONFLICT).
 */
import type { Plain } from '../actors/envelope.ts'
import { type Refused, invalid } from '../base/refusal.ts'
import { type ByteWriter } from '../raft/bytes.ts'
import { readPlain, writePlain } from '../raft/plain.ts'
import type { QueueCommandReader } from './command-reader.ts'
import { QUEUE_LIMITS } from './types.ts'
import type { PutQueueCommand } from './types.ts'

type ConfigPart = PutQueueCommand['config']
type Range = readonly [min: number, max: number]

const DEAD_LETTER_SUFFIX = '!dlq'
const DEAD_LETTER_LENGTH_MAX = QUEUE_LIMITS.nameLengthMax + DEAD_LETTER_SUFFIX.length
const FACTOR_MAX = 1_000

const INTEGERS: Readonly<Record<string, Range>> = {
  visibilityMs: [QUEUE_LIMITS.visibilityMsMin, QUEUE_LIMITS.visibilityMsMax],
  maxDeliveries: [1, QUEUE_LIMITS.deliveriesMax],
  dedupWindowMs: [0, QUEUE_LIMITS.dedupWindowMsMax],
  maxLength: [1, QUEUE_LIMITS.lengthMax],
  ttlMs: [0, QUEUE_LIMITS.ttlMsMax],
}
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  overflow: ['reject', 'drop-head'],
  poison: ['dlq', 'block'],
  durability: ['quorum'],
  ordering: ['fifo', 'none'],
}
const BACKOFF_INTEGERS: Readonly<Record<string, Range>> = {
  baseMs: [0, QUEUE_LIMITS.delayMsMax],
  maxMs: [0, QUEUE_LIMITS.delayMsMax],
}
const BACKOFF_NUMBERS: Readonly<Record<string, Range>> = { factor: [1, FACTOR_MAX], jitter: [0, 1] }

export function writeConfig(out: ByteWriter, config: ConfigPart): void {
  writePlain(out, given(config))
}

/** Without the members that are there and undefined. */
function given(value: object): Plain {
  const members: [string, Plain][] = []
  for (const [name, member] of Object.entries(value) as [string, Plain | object | undefined][]) {
    if (member === undefined) continue
    members.push([name, typeof member === 'object' && member !== null ? given(member) : (member as Plain)])
  }
  return Object.fromEntries(members)
}

export function readConfig(reader: QueueCommandReader): ConfigPart {
  const config = readPlain(reader.input)
  const wrong = wrongIn(config, 'config', wrongMember)
  if (wrong !== null) reader.refuse(wrong)
  return config as ConfigPart
}

function wrongMember(name: string, value: Plain): string | null {
  if (Object.hasOwn(INTEGERS, name)) return wrongInteger(value, INTEGERS[name] as Range)
  if (Object.hasOwn(CHOICES, name)) return wrongChoice(value, CHOICES[name] as readonly string[])
  if (name === 'deadLetter') return typeof value === 'string' && value.length <= DEAD_LETTER_LENGTH_MAX ? null : 'the name of a queue'
  return 'no such member'
}

function wrongBackoff(name: string, value: Plain): string | null {
  if (Object.hasOwn(BACKOFF_INTEGERS, name)) return wrongInteger(value, BACKOFF_INTEGERS[name] as Range)
  if (!Object.hasOwn(BACKOFF_NUMBERS, name)) return 'no such member'
  const [min, max] = BACKOFF_NUMBERS[name] as Range
  return typeof value === 'number' && value >= min && value <= max ? null : `a number from ${min} to ${max}`
}

function wrongIn(value: Plain, path: string, wrong: (name: string, value: Plain) => string | null): Refused | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return invalid(path, 'an object')
  for (const [name, member] of Object.entries(value as { readonly [name: string]: Plain })) {
    const below = `${path}.${name}`
    if (name === 'backoff' && wrong === wrongMember) {
      const found = wrongIn(member, below, wrongBackoff)
      if (found !== null) return found
      continue
    }
    const problem = wrong(name, member)
    if (problem !== null) return invalid(below, problem)
  }
  return null
}

function wrongInteger(value: Plain, [min, max]: Range): string | null {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max ? null : `an integer from ${min} to ${max}`
}

function wrongChoice(value: Plain, choices: readonly string[]): string | null {
  return choices.includes(value as string) ? null : `one of ${choices.join(', ')}`
}
