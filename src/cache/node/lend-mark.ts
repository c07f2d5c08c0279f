/**
 * Whether this node has lent anything since it has its disk. What it lent before a crash is read by clients until their leases are over,
 * and it does not know by whom: so it begins by saying nothing to homes for as long. One that never lent begins at once.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import { DiskFullError, type Storage } from '../../io/storage.ts'
import { BORROWERS_DEFAULTS } from '../coherence/borrowers.ts'

const FILE = 'lends'

export interface LendMark {
  /** It says nothing before, on its clock. */
  readonly quietUntil: Millis
  /** Durable, before anything is lent. Rejects with DISK_LOW. */
  set(): Promise<void>
}

/** To be called before anything of the node speaks. */
export async function readLendMark(
  storage: Pick<Storage, 'readFile' | 'replace'>,
  clock: Pick<Clock, 'now'>,
  onDiskFatal: (error: Error) => void,
): Promise<LendMark> {
  let isSet = (await storage.readFile(FILE)) !== null
  return {
    quietUntil: isSet ? clock.now() + BORROWERS_DEFAULTS.lentMs : -Infinity,
    async set() {
      if (isSet) return
      try {
        await storage.replace(FILE, new Uint8Array(0))
        isSet = true
      } catch (error) {
        if (!(error instanceof DiskFullError)) onDiskFatal(error as Error)
        throw new TricordError('DISK_LOW', 'there is no room to note that this node lends')
      }
    },
  }
}
