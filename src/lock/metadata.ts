/**
 * Metadata rests as the JSON text it came as ('' for none): one string per grant instead of an object tree, the same
 * bytes on every replica, parsed only when somebody looks.
 */
import { utf8Length } from '../base/utf8.ts'
import { LIMITS } from './types.ts'
import type { Metadata } from './types.ts'

const NONE: Metadata = Object.freeze({})

export function metadataText(metadata: Metadata | null): string {
  return metadata === null ? '' : JSON.stringify(metadata)
}

/** Whether the text is '' or the JSON of a flat object within the limit of bytes. */
export function isMetadataText(text: string): boolean {
  if (text === '') return true
  if (utf8Length(text) > LIMITS.metadataBytesMax) return false
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    return Object.values(value).every((member) => member === null || typeof member !== 'object')
  } catch {
    return false
  }
}

/** Reads text that `isMetadataText` has accepted. */
export function parseMetadata(text: string): Metadata {
  return text === '' ? NONE : (JSON.parse(text) as Metadata)
}
