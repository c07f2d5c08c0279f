/**
 * How far somebody has heard, per partition, as one text for clients to keep: `1.0-1k.3-zz`. Journals are the same on all
 * replicas, so it means the same on every gateway.
 */

export type Places = ReadonlyMap<number, number>

const FORM = /^1((?:\.[0-9a-z]{1,4}-[0-9a-z]{1,11})*)$/

export function encodeCursor(places: Places): string {
  let text = '1'
  for (const [partition, place] of places) text += `.${partition.toString(36)}-${place.toString(36)}`
  return text
}

/** Whoever has heard up to any of these has heard up to it: the earliest place of each partition; none, where one of them has none. */
export function earliest(texts: readonly string[]): string {
  const [first, ...others] = new Set(texts)
  if (first !== undefined && others.length === 0) return first
  const cursors = texts.map((text): Places => decodeCursor(text) ?? new Map())
  const partitions = [...(cursors[0]?.keys() ?? [])].filter((partition) => cursors.every((places) => places.has(partition)))
  return encodeCursor(new Map(partitions.map((at) => [at, Math.min(...cursors.map((places) => places.get(at) as number))])))
}

/** null: it is none. */
export function decodeCursor(text: string): Places | null {
  const form = FORM.exec(text)
  if (form === null) return null
  const places = new Map<number, number>()
  for (const part of (form[1] as string).split('.').slice(1)) {
    const [partition, place] = part.split('-').map((digits) => Number.parseInt(digits, 36)) as [number, number]
    if (!Number.isSafeInteger(place) || places.has(partition)) return null
    places.set(partition, place)
  }
  return places
}
