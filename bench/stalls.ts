/** The readings of the probes, of one phase of a benchmark, as figures and as words. */
import type { BenchCluster } from './cluster.ts'
import type { ProbeReading, Stall } from './stall-probe.ts'

/** What nobody should be held up longer than. */
export const AIM_MS = 50
/** A stall is somebody else's when the thread would have kept to the aim, had it got a core whenever it wanted one. */
const ownMs = ({ ms, waitedMs }: Stall): number => ms - waitedMs
const SHOWN = 5
const MIB = 2 ** 20

export interface PhaseStalls {
  readonly node: string
  readonly max: number
  readonly p999: number
  readonly over50: number
  /** Of these: still over 50 ms without the time in which the thread waited for a core. */
  readonly ownOver50: number
  readonly longestOwn: number
  readonly longestGc: number
  readonly rssMib: number
  readonly heapMib: number
  readonly longest: readonly Stall[]
  /** Stalls in which the thread waited for a core: from and to by the wall, and how long it waited. */
  readonly waits: readonly (readonly [from: number, to: number, waitedMs: number])[]
}

/** Reads every node, and begins anew. */
export async function readStalls(cluster: BenchCluster): Promise<PhaseStalls[]> {
  const readings = await cluster.takeStalls()
  return readings.flatMap((reading, at) => (reading ? [summary(cluster.ids[at] ?? '', reading)] : []))
}

function summary(node: string, { timeOrigin, stalls, p999, max, rss, heapUsed, external }: ProbeReading): PhaseStalls {
  const over = stalls.filter(({ ms }) => ms > AIM_MS)
  return {
    node,
    max,
    p999,
    over50: over.length,
    ownOver50: over.filter((stall) => ownMs(stall) > AIM_MS).length,
    longestOwn: Math.max(0, ...stalls.map(ownMs)),
    longestGc: Math.max(0, ...stalls.map(({ gcMs }) => gcMs)),
    rssMib: Math.round(rss / MIB),
    heapMib: Math.round((heapUsed + external) / MIB),
    longest: [...stalls].sort((a, b) => b.ms - a.ms).slice(0, SHOWN),
    waits: stalls.map(({ atMs, ms, waitedMs }) => [timeOrigin + atMs, timeOrigin + atMs + ms, waitedMs] as const),
  }
}

export function describeStalls(phases: readonly PhaseStalls[], verbose: boolean): string {
  const lines = phases.map((phase) => {
    const { node, max, p999, over50, ownOver50, longestOwn, longestGc, rssMib, heapMib } = phase
    const figures = [max, p999, longestOwn, longestGc].map((ms) => ms.toFixed(0).padStart(5))
    const head = `  ${node}  max ${figures[0]}  p99.9 ${figures[1]}  over 50: ${over50}, own ${ownOver50}  longest own ${figures[2]}  gc ${figures[3]}`
    return `${head}  rss ${rssMib} heap ${heapMib} MiB${verbose ? phase.longest.map(describeStall).join('') : ''}`
  })
  return lines.join('\n')
}

function describeStall({ atMs, ms, cpuMs, waitedMs, gcMs, gcKinds }: Stall): string {
  const parts = `cpu ${cpuMs.toFixed(0)} waited ${waitedMs.toFixed(0)} gc ${gcMs.toFixed(0)} (${gcKinds})`
  return `\n      at ${(atMs / 1_000).toFixed(1)} s: ${ms.toFixed(0)} ms, ${parts}`
}
