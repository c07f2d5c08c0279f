/** What is a record of the store, in whole: `records.ts` writes them, `loader.ts` reads them. */
import type { Tracked } from '../../base/changes.ts'

export abstract class Stored implements Tracked {
  /** First byte of its key. */
  abstract readonly kind: number
  dirtyAt = -1
  stored = false
}
