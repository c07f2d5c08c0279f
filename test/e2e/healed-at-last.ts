/** What a scene breaks on processes that the next scenes use, too. */
import { onTestFinished } from 'vitest'

/** Undone once: when it is called, or as the scene is over. One that fails leaves nothing broken to the next. */
export function healedAtLast(undo: () => Promise<void> | void): () => Promise<void> {
  let done: Promise<void> | null = null
  const heal = async (): Promise<void> => (done ??= (async () => undo())())
  onTestFinished(heal)
  return heal
}
