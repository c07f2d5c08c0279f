/** What nodes say on standard error of acknowledged writes that they could not flush, as it comes. */
import type { NodeProcess } from './processes.ts'
import type { Life } from './writeback-history.ts'

export interface LostEvent {
  readonly life: Life
  readonly cache: string
  readonly key: string
  readonly count: number
  /** When it was seen, on the test's monotonic clock. */
  readonly at: number
}

const LOOK_MS = 10
const LOST = 'cache.writeback.lost'

export class LostEvents {
  readonly seen: LostEvent[] = []
  readonly #nodes: readonly NodeProcess[]
  readonly #lifeOf: (node: NodeProcess) => Life
  readonly #read = new Map<Life, number>()
  readonly #timer: NodeJS.Timeout

  constructor(nodes: readonly NodeProcess[], lifeOf: (node: NodeProcess) => Life) {
    this.#nodes = nodes
    this.#lifeOf = lifeOf
    this.#timer = setInterval(() => this.look(), LOOK_MS)
  }

  look(): void {
    for (const node of this.#nodes) {
      const life = this.#lifeOf(node)
      const from = this.#read.get(life) ?? 0
      const end = node.stderr.lastIndexOf('\n') + 1
      if (end <= from) continue
      this.#read.set(life, end)
      for (const line of node.stderr.slice(from, end).split('\n')) if (line.includes(LOST)) this.#told(life, line)
    }
  }

  #told(life: Life, line: string): void {
    const { cache, key, count } = JSON.parse(line) as { cache: string; key: string; count: number }
    this.seen.push({ life, cache, key, count, at: performance.now() })
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
