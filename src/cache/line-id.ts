/**
 * The names of lines as one text each: what the directory, the copies of nodes and the journal know them by.
 *
 *   e7.6.defaultordersuser/7      kind, lengths of the namespace and of the cache, the two, and the name
 *
 * Injective and canonical: a line has one text, and a text is one line or none. Lengths are in units of the string.
 */
import { CACHE_LIMITS, type CacheName } from './types.ts'
import type { LineId } from './coherence/protocol.ts'

export type LineKind = 'entry' | 'tag' | 'level' | 'config'

export interface Line extends CacheName {
  readonly kind: LineKind
  /** Of an entry its key, of a tag its name, of a level the prefix; of the configuration ''. */
  readonly name: string
}

const LETTERS: Readonly<Record<LineKind, string>> = { entry: 'e', tag: 't', level: 'l', config: 'c' }
const KINDS: Readonly<Record<string, LineKind>> = { e: 'entry', t: 'tag', l: 'level', c: 'config' }
const FORM = /^([etlc])(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\./
/** Code points, each at most two units. */
const NAME_UNITS_MAX = 2 * CACHE_LIMITS.nameLengthMax

export function lineId({ kind, namespace, cache, name }: Line): LineId {
  return linePrefix(kind, namespace, cache) + name
}

/** What the lines of one kind of a cache begin with; the name follows. */
export function linePrefix(kind: LineKind, namespace: string, cache: string): string {
  return `${LETTERS[kind]}${namespace.length}.${cache.length}.${namespace}${cache}`
}

export function entryLine(namespace: string, cache: string, key: string): LineId {
  return linePrefix('entry', namespace, cache) + key
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

/** null: the text names no line. */
export function parseLine(line: LineId): Line | null {
  const head = FORM.exec(line)
  if (head === null) return null
  const [all, letter, namespaceLength, cacheLength] = head as unknown as readonly [string, string, string, string]
  const middle = all.length + Number(namespaceLength)
  const end = middle + Number(cacheLength)
  if (end > line.length || Number(namespaceLength) > NAME_UNITS_MAX || Number(cacheLength) > NAME_UNITS_MAX) return null
  // A name that begins or ends inside of a pair would not survive being written as UTF-8.
  if (isInsidePair(line, middle) || isInsidePair(line, end)) return null
  const kind = KINDS[letter] as LineKind
  const name = line.slice(end)
  if (kind === 'config' && name !== '') return null
  return { kind, namespace: line.slice(all.length, middle), cache: line.slice(middle, end), name }
}

/**
 * The text that places a line: of an entry its key alone, so that a `{tag}` in it decides and /ring/explain need not know the
 * cache. That of other lines has no braces, whatever their names; two lines may share a place.
 */
export function placeOf(line: LineId): string {
  const parsed = parseLine(line)
  if (parsed?.kind === 'entry') return parsed.name
  return line.replaceAll('{', '(')
}

function isInsidePair(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1)
  const after = text.charCodeAt(at)
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff
}
