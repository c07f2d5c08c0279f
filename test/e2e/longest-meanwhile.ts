/** What something takes on this machine while something else is under way: it is done again and again, and the longest counts. */
import { setTimeout as pass } from 'node:timers/promises'

const PAUSE_MS = 10

/** In ms. */
export async function longestMeanwhile(meanwhile: Promise<unknown>, once: (nth: number) => Promise<unknown>): Promise<number> {
  let isOver = false
  const over = (): void => void (isOver = true)
  void meanwhile.then(over, over)
  let longest = 0
  for (let nth = 0; !isOver; nth++) {
    const began = performance.now()
    await once(nth)
    longest = Math.max(longest, performance.now() - began)
    await pass(PAUSE_MS)
  }
  return Math.round(longest)
}
