/** The machine's clocks and timers. */
import type { Millis } from '../base/ids.ts'
import type { Clock, Timer } from './clock.ts'

/** setTimeout takes 32 bits; longer delays are walked in steps. */
const DELAY_MAX_MS = 2_147_483_647

export class SystemClock implements Clock {
  now(): Millis {
    return performance.now()
  }

  wall(): Millis {
    return Date.now()
  }

  after(delayMs: Millis, run: () => void): Timer {
    const due = this.now() + delayMs
    let handle: NodeJS.Timeout
    const arm = (): void => {
      const left = Math.max(0, due - this.now())
      handle = setTimeout(left > DELAY_MAX_MS ? arm : run, Math.min(Math.ceil(left), DELAY_MAX_MS))
    }
    arm()
    return { cancel: () => clearTimeout(handle) }
  }

  defer(run: () => void): void {
    setImmediate(run)
  }
}
