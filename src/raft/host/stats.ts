/** The host's counters, and latencies kept in bounded lists until the reader drains them. */
import type { Millis } from '../../base/ids.ts'

const SAMPLES_MAX = 10_000

export class HostCounters {
  elections = 0
  proposals = 0
  commandsApplied = 0
  snapshotsSent = 0
  snapshotsReceived = 0
  #commitLatencies: Millis[] = []

  committed(latencyMs: Millis): void {
    if (this.#commitLatencies.length < SAMPLES_MAX) this.#commitLatencies.push(latencyMs)
  }

  takeCommitLatencies(): readonly Millis[] {
    const taken = this.#commitLatencies
    this.#commitLatencies = []
    return taken
  }
}
