/**
 * The two ways to say "this cannot happen". An AssertionError is a bug: it is never caught to go on
 * (main prints it and exits with 70, the simulator fails the run), because no supervisor can repair a
 * broken invariant in memory.
 */

/** A broken invariant. The process that throws it stops. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError unless `ok` is truthy. Always on, in production too. */
export function assert(ok: unknown, message: string): asserts ok {
  if (!ok) throw new AssertionError(message)
}

/** Makes a switch over a union exhaustive: a new member does not compile until it is handled. */
export function unreachable(value: never, what = 'value'): never {
  throw new AssertionError(`unreachable ${what}: ${JSON.stringify(value)}`)
}
