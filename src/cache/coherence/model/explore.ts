/**
 * Going through the states of a model: all of them, breadth first, so that the way to a violation is a shortest one; or a
 * few long ways by lot.
 */
import { Prng } from '../../../base/prng.ts'
import type { World } from './row.ts'
import type { Model } from './world.ts'

export interface Result {
  readonly states: number
  readonly steps: number
  /** Every state was seen. */
  readonly complete: boolean
  /** The events that lead to a broken promise, and the promise. */
  readonly violation: readonly string[] | null
}

interface Trail {
  readonly event: string
  readonly before: Trail | null
}

/** `trails` remembers how each state was reached: for a violation to be read, at the price of memory. */
export function explore(model: Model, statesMax: number, trails = false): Result {
  const seen = new Set<number>([hash(model.first())])
  let frontier: (readonly [World, Trail | null])[] = [[model.first(), null]]
  let steps = 0
  let violation: readonly string[] | null = null
  while (frontier.length > 0 && violation === null) {
    const next: (readonly [World, Trail | null])[] = []
    for (const [world, trail] of frontier) {
      model.successors(world, (after, event, broken) => {
        steps += 1
        if (broken !== null) violation ??= [...eventsOf({ event, before: trail }), broken]
        const key = hash(after)
        if (seen.has(key)) return
        seen.add(key)
        next.push([after, trails ? { event, before: trail } : null])
      })
      if (violation !== null) break
      if (seen.size >= statesMax) return { states: seen.size, steps, complete: false, violation }
    }
    frontier = next
  }
  return { states: seen.size, steps, complete: violation === null, violation }
}

/** Ways of `length` events from the beginning, until `stepsMax` in all. */
export function walk(model: Model, seed: number, length: number, stepsMax: number): Result {
  const random = new Prng(seed)
  const seen = new Set<number>()
  let steps = 0
  while (steps < stepsMax) {
    let world = model.first()
    let trail: Trail | null = null
    for (let i = 0; i < length; i++) {
      const choices: [World, string, string | null][] = []
      model.successors(world, (after, event, broken) => choices.push([after, event, broken]))
      const choice = choices[random.below(choices.length)]
      if (choice === undefined) break
      steps += 1
      trail = { event: choice[1], before: trail }
      const broken = choices.find(([, , violation]) => violation !== null)
      if (broken !== undefined) {
        return { states: seen.size, steps, complete: false, violation: [...eventsOf(trail.before), broken[1], broken[2] as string] }
      }
      world = choice[0]
      seen.add(hash(world))
    }
  }
  return { states: seen.size, steps, complete: false, violation: null }
}

function eventsOf(trail: Trail | null): string[] {
  const events: string[] = []
  for (let at = trail; at !== null; at = at.before) events.push(at.event)
  return events.reverse()
}

/** 53 bits: among ten million states two are taken for one with a chance of one in two hundred. */
function hash(world: World): number {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  for (const value of world) {
    a = Math.imul(a ^ value, 0xcc9e2d51)
    a = (a << 15) | (a >>> 17)
    b = Math.imul(b ^ (value + 0x7f4a7c15), 0x1b873593)
    b = (b << 13) | (b >>> 19)
    b = (b + a) | 0
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b)
  b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  return ((a ^ (a >>> 13)) >>> 0) * 2 ** 21 + ((b ^ (b >>> 16)) >>> 11)
}
