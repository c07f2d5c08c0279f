/**
 * The traces of messages that were delivered here and not yet settled, so that the span of an ack can link to that of
 * the enqueue. Sampled ones only; bounded, the oldest go first. An ack at another node has no link.
 */
const KEPT_MAX = 4_096

export class ProducerTraces {
  readonly #traces = new Map<string, string>()

  delivered(namespace: string, queue: string, id: string, traceparent: string): void {
    const key = keyOf(namespace, queue, id)
    this.#traces.delete(key)
    this.#traces.set(key, traceparent)
    if (this.#traces.size <= KEPT_MAX) return
    for (const oldest of this.#traces.keys()) {
      this.#traces.delete(oldest)
      break
    }
  }

  /** '' where none is known. */
  of(namespace: string, queue: string, id: string): string {
    return this.#traces.size === 0 ? '' : (this.#traces.get(keyOf(namespace, queue, id)) ?? '')
  }
}

function keyOf(namespace: string, queue: string, id: string): string {
  return `${namespace}\n${queue}\n${id}`
}
