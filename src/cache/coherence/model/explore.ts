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

/** What a world has only so much of. By a fair lot all of it would be spent before anybody has a copy. */
const FATE = /^time|elected|restarts|gives up|proposes (put|look)/
const FATE_ONE_IN = 10

/**
 * Ways of `length` events from the beginning, until `stepsMax` in all. The kind of event is drawn first: a message that is delivered
 * again and again must not crowd out the rest. `met` counts the kinds.
 */
export function walk(model: Model, seed: number, length: number, stepsMax: number, met = new Map<string, number>()): Result {
  const random = new Prng(seed)
  const seen = new Set<number>()
  let steps = 0
  while (steps < stepsMax) {
    let world = model.first()
    let trail: Trail | null = null
    for (let i = 0; i < length; i++) {
      const choices = new Map<string, Choice[]>()
      let violation: readonly string[] | null = null
      model.successors(world, (after, event, broken) => {
        const kind = event.replaceAll(/\d+/g, '')
        choices.set(kind, [...(choices.get(kind) ?? []), [after, event]])
        if (broken !== null) violation = [...eventsOf(trail), event, broken]
      })
      if (violation !== null) return { states: seen.size, steps, complete: false, violation }
      const kind = draw(random, [...choices.keys()])
      if (kind === null) break
      met.set(kind, (met.get(kind) ?? 0) + 1)
      const drawn = choices.get(kind) as Choice[]
      const [after, event] = drawn[random.below(drawn.length)] as Choice
      steps += 1
      trail = { event, before: trail }
      world = after
      seen.add(hash(world))
    }
  }
  return { states: seen.size, steps, complete: false, violation: null }
}

type Choice = readonly [after: World, event: string]

function draw(random: Prng, kinds: readonly string[]): string | null {
  const ordinary = kinds.filter((kind) => !FATE.test(kind))
  const from = ordinary.length === 0 || random.below(FATE_ONE_IN) === 0 ? kinds : ordinary
  return from[random.below(from.length)] ?? null
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
