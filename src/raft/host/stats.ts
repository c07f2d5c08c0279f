/** The host's counters: plain numbers that only grow. */
import { LatencyHistogram } from '../../base/latency-histogram.ts'

export class HostCounters {
  elections = 0
  proposals = 0
  commandsApplied = 0
  snapshotsSent = 0
  snapshotsReceived = 0
  /** From proposal to commit, of the entries that this node proposed as leader. */
  readonly commitLatencies = new LatencyHistogram()
}
