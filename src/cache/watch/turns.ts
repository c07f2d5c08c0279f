/** So many works at a time, the others in line: many subscriptions that come back together must not crowd out what else a node is asked. */
export class Turns {
  readonly #max: number
  readonly #line: (() => void)[] = []
  #busy = 0

  constructor(max: number) {
    this.#max = max
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#max) await new Promise<void>((resolve) => this.#line.push(resolve))
    else this.#busy += 1
    try {
      return await work()
    } finally {
      // Whoever is next has the place of this one.
      const next = this.#line.shift()
      if (next === undefined) this.#busy -= 1
      else next()
    }
  }
}
