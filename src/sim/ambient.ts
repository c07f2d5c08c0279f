/**
 * While a simulation runs, the ambient sources of time and chance throw: forbidding them in review is not enough
 * (`Date.now()` deep in a dependency would make a seed unrepeatable, and nobody would see it).
 *
 * The test runner lives in the same process and needs its clock: calls whose nearest frame is the runner's pass.
 */
const RUNNER = /node_modules\/(vitest|@vitest|tinypool|vite|birpc)\/|node:internal/

export interface AmbientGuard {
  restore(): void
}

/** Replaces the ambient functions until `restore`. One guard at a time. */
export function guardAmbient(): AmbientGuard {
  const undo: (() => void)[] = []
  const guard = (owner: object, name: string): void => {
    const holder = owner as Record<string, unknown>
    const real = holder[name] as (...args: unknown[]) => unknown
    const own = Object.getOwnPropertyDescriptor(owner, name)
    const stub = function (this: unknown, ...args: unknown[]): unknown {
      const caller = new Error('ambient').stack?.split('\n')[2] ?? ''
      if (RUNNER.test(caller)) return real.apply(this, args)
      throw new Error(`ambient ${name} during a simulation; take it from the ports\n${caller}`)
    }
    Object.defineProperty(owner, name, { configurable: true, writable: true, value: stub })
    undo.push(() => {
      if (own) Object.defineProperty(owner, name, own)
      else delete holder[name]
    })
  }
  guard(Date, 'now')
  guard(Math, 'random')
  guard(globalThis, 'setTimeout')
  guard(globalThis, 'setInterval')
  guard(globalThis, 'setImmediate')
  guard(performance, 'now')
  return {
    restore: () => {
      for (const one of undo.reverse()) one()
    },
  }
}
