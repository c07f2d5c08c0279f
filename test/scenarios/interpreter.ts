/**
 * Runs a transcript and writes down what happens. The format:
 *
 *     # Prose: why this scenario is here.
 *
 *     verb word word key=value          one or more commands, # comments allowed between them
 *     verb
 *     ----
 *     what was seen
 *     (an empty line ends it)
 *
 * The result has the same commands with what was seen *now*, so a comparison of the two texts is the test.
 */
import { assert } from '../../src/base/assert.ts'
import { VERBS, type Args } from './verbs.ts'
import { World } from './world.ts'

const SEPARATOR = '----'

/** Runs `script` in a new world; returns it with the outputs replaced. */
export function interpret(script: string): string {
  const world = new World()
  const out: string[] = []
  const lines = script.split('\n')
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!
    if (line !== SEPARATOR) {
      out.push(line)
      if (isCommand(line)) runCommand(world, line)
      at++
      continue
    }
    const seen = world.takeLines()
    out.push(SEPARATOR, ...(seen.length > 0 ? seen : ['ok']))
    // What was seen when the transcript was written.
    while (at < lines.length && lines[at] !== '') at++
  }
  assert(world.takeLines().length === 0, `a transcript ends with commands but without ${SEPARATOR}`)
  return out.join('\n')
}

function isCommand(line: string): boolean {
  return line !== '' && !line.startsWith('#')
}

function runCommand(world: World, line: string): void {
  const [name = '', ...rest] = line.split(/\s+/)
  const verb = VERBS.get(name)
  assert(verb !== undefined, `unknown verb: ${name}`)
  try {
    verb(world, parseArgs(rest))
  } catch (error) {
    throw new Error(`"${line}": ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function parseArgs(parts: readonly string[]): Args {
  const named = new Map<string, string>()
  const words: string[] = []
  for (const part of parts) {
    const at = part.indexOf('=')
    if (at < 0) words.push(part)
    else named.set(part.slice(0, at), part.slice(at + 1))
  }
  return { words, named }
}
