/**
 * Versions as entity tags (RFC 9110, 8.8.3 and 13.1): `"17"` is version 17.
 *
 *   write   If-Match: "17" | *          If-None-Match: *            one condition, decided where the key lives
 *   read    If-None-Match: "17", W/"16", "other" | *                decided here: which of them is it
 *
 * What would be ignored elsewhere is refused here: whoever sends a condition means it.
 */
import type { Condition } from '../cache/types.ts'
import { type FieldError, invalid } from './errors.ts'

const LENGTH_MAX = 4_096
/** An entity tag and what separates it from the next. */
const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(,[ \t,]*|$)/y
const VERSION = /^[1-9]\d{0,15}$/

interface EntityTag {
  readonly opaque: string
  readonly isWeak: boolean
}

export const etagOf = (version: number): string => `"${version}"`

/** Of a put or a delete. Throws INVALID_ARGUMENT. */
export function conditionOf(ifMatch: string | undefined, ifNoneMatch: string | undefined): Condition {
  if (ifMatch !== undefined && ifNoneMatch !== undefined) throw refusal('If-Match', 'one of If-Match and If-None-Match')
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() !== '*') throw refusal('If-None-Match', 'of a write only * is taken: where there is none')
    return 'absent'
  }
  if (ifMatch === undefined) return null
  const tags = readTags(ifMatch, 'If-Match')
  if (tags === '*') return 'present'
  const [tag] = tags
  if (tag === undefined || tags.length > 1) throw refusal('If-Match', 'one version: several are not compared with')
  if (tag.isWeak) throw refusal('If-Match', `a weak tag never matches here: send "${tag.opaque}"`)
  const version = versionOf(tag)
  if (version === null) throw refusal('If-Match', 'no version: send the ETag of an answer, as "17"')
  return version
}

/** Of a read: whether the caller has that version already. Throws INVALID_ARGUMENT. */
export function knownVersions(ifNoneMatch: string | undefined): (version: number) => boolean {
  if (ifNoneMatch === undefined) return () => false
  const tags = readTags(ifNoneMatch, 'If-None-Match')
  return (version) => tags === '*' || tags.some((tag) => versionOf(tag) === version)
}

/** Throws INVALID_ARGUMENT where one came with a call that does not look at it. */
export function refuseCondition(name: string, value: string | undefined, hint: string): void {
  if (value !== undefined) throw refusal(name, hint)
}

function versionOf({ opaque }: EntityTag): number | null {
  const version = VERSION.test(opaque) ? Number(opaque) : Infinity
  return Number.isSafeInteger(version) ? version : null
}

function readTags(header: string, name: string): '*' | readonly EntityTag[] {
  const text = header.trim()
  if (text === '*') return '*'
  const tags: EntityTag[] = []
  TAG.lastIndex = 0
  while (TAG.lastIndex < text.length && text.length <= LENGTH_MAX) {
    const match = TAG.exec(text)
    if (!match) break
    tags.push({ opaque: match[2] ?? '', isWeak: match[1] !== undefined })
    if (match.index + match[0].length === text.length) return tags
  }
  throw refusal(name, /^\d+$/.test(text) ? `quotes belong to it: "${text}"` : 'neither * nor versions in quotes, as "17" or "17", "18"')
}

function refusal(path: string, message: string): Error {
  const errors: readonly FieldError[] = [{ path, message }]
  return invalid(errors)
}
