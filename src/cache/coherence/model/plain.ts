/**
 * Copying and writing down the state of a reducer: plain objects, arrays, maps and sets. What has the same text behaves the
 * same, so fields that tell nothing about what may happen next (counts, when to send again) are left out by name.
 */

type Plain = unknown

/** A copy that shares nothing. */
export function copy<T>(value: T): T
export function copy(value: Plain): Plain {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: Plain) => copy(item))
  if (value instanceof Map) return new Map([...value].map(([key, item]: [Plain, Plain]) => [key, copy(item)]))
  if (value instanceof Set) return new Set(value)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]))
}

/** Its text; maps and sets in the order of their keys. */
export function write(value: Plain, omit: ReadonlySet<string>): string {
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return `[${value.map((item: Plain) => write(item, omit)).join()}]`
  if (value instanceof Set) return `{${[...value].map(String).sort().join()}}`
  const entries: [string, Plain][] =
    value instanceof Map ? [...value].map(([key, item]: [Plain, Plain]) => [String(key), item]) : Object.entries(value)
  const kept = entries.filter(([key]) => !omit.has(key))
  if (value instanceof Map) kept.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${kept.map(([key, item]) => `${key}:${write(item, omit)}`).join()}}`
}

/** Gives equal things the same small number. */
export class Numbers<T> {
  readonly items: T[] = []
  private readonly byText = new Map<string, number>()

  of(text: string, item: () => T): number {
    let number = this.byText.get(text)
    if (number === undefined) {
      number = this.items.length
      this.byText.set(text, number)
      this.items.push(item())
    }
    return number
  }

  get(number: number): T {
    return this.items[number] as T
  }
}
