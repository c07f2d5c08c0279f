/**
 * The names of lines as one text each: what the directory, the copies of nodes and the journal know them by.
 *
 *   e7.6.defaultordersuser/7      kind, lengths of the namespace and of the cache, the two, and the name
 *
 * Injective and canonical: a line has one text, and a text is one line or none. Lengths are in units of the string.
 */
import { CACHE_LIMITS, type CacheName, type EntryName } from './types.ts'
import type { LineId } from './coherence/protocol.ts'

export type LineKind = 'entry' | 'tag' | 'level' | 'config'

export interface Line extends CacheName {
  readonly kind: LineKind
  /** Of an entry its key, of a tag its name, of a level the prefix; of the configuration ''. */
  readonly name: string
}

const LETTERS: Readonly<Record<LineKind, string>> = { entry: 'e', tag: 't', level: 'l', config: 'c' }
const KINDS: Readonly<Record<string, LineKind>> = { e: 'entry', t: 'tag', l: 'level', c: 'config' }
const DIGITS_MAX = 4
const ZERO = 0x30
const POINT = 0x2e
/** Code points, each at most two units. */
const NAME_UNITS_MAX = 2 * CACHE_LIMITS.nameLengthMax

/** What the lines of one kind of a cache begin with; the name follows. */
export function linePrefix(kind: LineKind, namespace: string, cache: string): string {
  return `${LETTERS[kind]}${namespace.length}.${cache.length}.${namespace}${cache}`
}

/** The cache of the last entry that was asked for: most reads are of the same, and its parts need not be put together for each. */
let last = { namespace: '', cache: '', prefix: linePrefix('entry', '', '') }

export function entryLine(namespace: string, cache: string, key: string): LineId {
  if (last.cache !== cache || last.namespace !== namespace) last = { namespace, cache, prefix: linePrefix('entry', namespace, cache) }
  const line = last.prefix + key
  // V8 copies the two parts into one when somebody looks inside. From here that costs half of what it does from a Map: 190 ns with
  // the look-up that follows, not 290.
  void line.charCodeAt(0)
  return line
}

export function lineOf({ namespace, cache, key }: EntryName): LineId {
  return entryLine(namespace, cache, key)
}

export function tagLine(namespace: string, cache: string, tag: string): LineId {
  return linePrefix('tag', namespace, cache) + tag
}

export function levelLine(namespace: string, cache: string, prefix: string): LineId {
  return linePrefix('level', namespace, cache) + prefix
}

export function configLine(namespace: string, cache: string): LineId {
  return linePrefix('config', namespace, cache)
}

export function isEntry(line: LineId): boolean {
  return line.startsWith(LETTERS.entry)
}

/** Of a tag or a level: entries carry it, and are swept when it is invalidated. */
export function isCarried(line: LineId): boolean {
  return line.startsWith(LETTERS.tag) || line.startsWith(LETTERS.level)
}

/** null: the text names no line. */
export function parseLine(line: LineId): Line | null {
  const end = nameAt(line)
  if (end < 0) return null
  const first = line.indexOf('.')
  const namespaceAt = line.indexOf('.', first + 1) + 1
  const cacheAt = namespaceAt + Number(line.slice(1, first))
  const kind = KINDS[line.charAt(0)] as LineKind
  return { kind, namespace: line.slice(namespaceAt, cacheAt), cache: line.slice(cacheAt, end), name: line.slice(end) }
}

/** Where the name begins; -1: the text names no line. By hand: every read of a copy asks it, and a RegExp costs more than the rest. */
function nameAt(line: LineId): number {
  const first = numberEnd(line, 1)
  const second = first < 0 ? -1 : numberEnd(line, first + 1)
  if (second < 0 || KINDS[line.charAt(0)] === undefined) return -1
  const [namespaceLength, cacheLength] = [numberIn(line, 1, first), numberIn(line, first + 1, second)]
  const middle = second + 1 + namespaceLength
  const end = middle + cacheLength
  if (end > line.length || namespaceLength > NAME_UNITS_MAX || cacheLength > NAME_UNITS_MAX) return -1
  // A name that begins or ends inside of a pair would not survive being written as UTF-8.
  if (isInsidePair(line, middle) || isInsidePair(line, end)) return -1
  return line.startsWith(LETTERS.config) && end < line.length ? -1 : end
}

/** Of a number of at most four digits, without a zero before others: where its point is; -1: there is none. */
function numberEnd(line: string, from: number): number {
  let at = from
  while (at < from + DIGITS_MAX && isDigit(line.charCodeAt(at))) at++
  if (at === from || line.charCodeAt(at) !== POINT) return -1
  return line.charCodeAt(from) === ZERO && at > from + 1 ? -1 : at
}

function numberIn(line: string, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + line.charCodeAt(at) - ZERO
  return value
}

function isDigit(unit: number): boolean {
  return unit >= ZERO && unit <= ZERO + 9
}

/**
 * The text that places a line: of an entry its key alone, so that a `{tag}` in it decides and /ring/explain need not know the
 * cache. That of other lines has no braces, whatever their names; two lines may share a place.
 */
export function placeOf(line: LineId): string {
  const at = isEntry(line) ? nameAt(line) : -1
  if (at >= 0) return line.slice(at)
  return line.replaceAll('{', '(')
}

/** What lines of one cache have in common, the kind left out: `7.6.defaultorders`. */
export function cachePart(line: LineId): string {
  const first = line.indexOf('.')
  const second = line.indexOf('.', first + 1)
  const length = Number(line.slice(1, first)) + Number(line.slice(first + 1, second))
  return line.slice(1, second + 1 + length)
}

function isInsidePair(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1)
  const after = text.charCodeAt(at)
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff
}
