/** What is at hand at once where it can be, and comes later where it cannot: without a promise nothing waits for a turn. */
export type Eventually<T> = T | Promise<T>

export function after<T, U>(value: Eventually<T>, then: (value: T) => Eventually<U>): Eventually<U> {
  return value instanceof Promise ? value.then(then) : then(value)
}
