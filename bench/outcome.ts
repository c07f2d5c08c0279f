/** What a generator of load says at its end, in a process of its own. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

const LAST_WORDS_MS = 1_000

/** Rejects where it ends without a word. */
export async function outcomeOf<T>(child: ChildProcess): Promise<T> {
  const [outcome] = (await Promise.race([once(child, 'message'), failed(child)])) as [T]
  return outcome
}

async function failed(child: ChildProcess): Promise<never> {
  await once(child, 'exit')
  // What it said before it ended is on its way.
  await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))
  throw new Error('a generator failed')
}
