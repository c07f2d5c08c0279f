/**
 * Public ids, derived from replicated counters and never stored.
 *
 *   grant              g_<token>          base 36 of the fencing token
 *                      g_<token>_<tag>    implicit session and a named owner: the tag is a hash of the owner's name, so
 *                                         that a late release can be told "you hold it again" from "you lost it"
 *   session, explicit  s_<number>
 *   session, implicit  s_g_<token>…        's_' + the id of the one grant it owns
 *
 * Ids are not secrets: a session is proved by its bearer secret, never by its id.
 */
import { hashString } from './string-hash.ts'

const TAG_SEED = 7
const DIGITS_MAX = 11

/** The tag of an implicit session's owner, 0 for a nameless one. */
export function ownerTag(owner: string): number {
  return owner === '' ? 0 : hashString(TAG_SEED, owner) || 1
}

/** `session` 0: implicit. */
export function grantId(token: number, session: number, owner: string): string {
  const id = 'g_' + token.toString(36)
  return session === 0 && owner !== '' ? id + '_' + ownerTag(owner).toString(36) : id
}

/** `session` 0: the implicit session of that grant. */
export function sessionId(session: number, grant: string): string {
  return session === 0 ? 's_' + grant : 's_' + session.toString(36)
}

/** What a grant id says. Only the canonical spelling is read: one grant, one id. */
export interface ParsedGrantId {
  readonly token: number
  /** 0: none. */
  readonly tag: number
}

/** Reads the grant id that begins at `from`; null for a text that is none. */
export function parseGrantId(id: string, from = 0): ParsedGrantId | null {
  if (!id.startsWith('g_', from)) return null
  const end = id.indexOf('_', from + 2)
  const token = parseNumber(id, from + 2, end < 0 ? id.length : end)
  const tag = end < 0 ? 0 : parseNumber(id, end + 1, id.length)
  return token === 0 || (end >= 0 && tag === 0) ? null : { token, tag }
}

/** The number of an explicit session, 0 for a text that names none. */
export function parseSessionId(id: string): number {
  return id.startsWith('s_') ? parseNumber(id, 2, id.length) : 0
}

/** The grant of an implicit session's id, or null. */
export function parseImplicitId(id: string): ParsedGrantId | null {
  return id.startsWith('s_g_') ? parseGrantId(id, 2) : null
}

/** A positive safe integer in base 36 without leading zeros, or 0. By hand: it is on the path of every release. */
function parseNumber(text: string, from: number, to: number): number {
  if (to - from > DIGITS_MAX || text.charCodeAt(from) === 0x30) return 0
  let number = 0
  for (let at = from; at < to; at++) {
    const unit = text.charCodeAt(at)
    const digit = unit >= 0x30 && unit <= 0x39 ? unit - 0x30 : unit >= 0x61 && unit <= 0x7a ? unit - 0x57 : -1
    if (digit < 0) return 0
    number = number * 36 + digit
  }
  return Number.isSafeInteger(number) ? number : 0
}
