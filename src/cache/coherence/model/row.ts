/** A state of the model as a row of numbers, and who may be elected in it. */
import type { Entry } from './register.ts'

export type World = readonly number[]

// Where things are in it; what follows the nodes depends on how many there are.
export const NOW = 0
export const NEWEST = 1
export const NETWORK = 2
export const NODES = 3
/** There is none yet; it is over. */
export const NONE = -1
export const DONE = -2

export function at(world: World, index: number): number {
  return world[index] as number
}

export function with_(world: World, index: number, value: number): World {
  const next = [...world]
  next[index] = value
  return next
}

/** The first of its kind that nobody has used; null: all are. */
export function firstFree(world: World, from: number, count: number, backwards = false): number | null {
  const free = world.slice(from, from + count)
  const found = backwards ? free.lastIndexOf(NONE) : free.indexOf(NONE)
  return found < 0 ? null : found
}

export function isSame(a: Entry, b: Entry): boolean {
  return a.type === b.type && textOfEntry(a) === textOfEntry(b)
}

/** It tells it from every other; the log that it is in makes no difference. */
export function textOfEntry(entry: Entry): string {
  let text = texts.get(entry)
  if (text === undefined) texts.set(entry, (text = JSON.stringify({ ...entry, term: 0 }).replaceAll(/"type":|,"term":0|["{}]/g, '')))
  return text
}

const texts = new WeakMap<Entry, string>()

export function nameOf(node: number): string {
  return `n${node}`
}

/** Whoever is elected has all that is committed, and some of what older leaders had beyond. `ends`: how much of each log is committed. */
export function electable(
  logs: readonly (readonly Entry[])[],
  ends: readonly number[],
): { committed: number; home: number; log: Entry[] }[] {
  const committed = Math.max(...ends)
  const agreed = JSON.stringify(logs[ends.indexOf(committed)]?.slice(0, committed))
  const seen = new Set<string>()
  const found: { committed: number; home: number; log: Entry[] }[] = []
  for (const [home, log] of logs.entries()) {
    if (JSON.stringify(log.slice(0, committed)) !== agreed) continue
    for (let length = committed; length <= log.length; length++) {
      const own = log.slice(0, length)
      const text = JSON.stringify(own)
      if (!seen.has(text)) found.push({ committed, home, log: own })
      seen.add(text)
    }
  }
  return found
}
