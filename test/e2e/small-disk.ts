/**
 * Nodes on disks of their own that are small enough to fill: each data directory is a file system in memory, which only root
 * may mount. Where that cannot be, these tests are skipped; src/raft/host/disk.test.ts, src/cluster/cluster.test.ts and the
 * simulator have what is left of them: disks without room, in memory.
 */
import { execFileSync } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeProcess, ProcessCluster } from './processes.ts'
import { startProcesses } from './processes.ts'

export const DISK_BYTES = 48 * 1024 * 1024
const STDERR_LINES = 40

export function mayMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

export interface SmallDisks {
  readonly cluster: ProcessCluster
  stop(): Promise<void>
}

/** `diskBytes`: of the first node, the second, and so on; of those beyond the last, as the last. */
export async function startOnSmallDisks(sets: readonly string[], diskBytes: readonly number[] = [DISK_BYTES]): Promise<SmallDisks> {
  const mounted: string[] = []
  const cluster = await startProcesses({
    sets: ['cluster.partitions=4', 'consensus.segment_bytes=1048576', ...sets],
    async disk(data) {
      await mkdir(data, { recursive: true })
      const bytes = diskBytes[mounted.length] ?? diskBytes.at(-1) ?? DISK_BYTES
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', data])
      mounted.push(data)
    },
  })
  return {
    cluster,
    async stop() {
      for (const node of cluster.nodes) await node.kill()
      for (const data of mounted) execFileSync('umount', [data])
      await cluster.stop()
    },
  }
}

/** For who has to find out why a test of full disks failed: of each node its room, its groups, and what it said last. */
export async function findings({ cluster }: SmallDisks): Promise<string> {
  const said = cluster.nodes.map(async (node) => {
    const get = async (path: string): Promise<string> => {
      const response = await fetch(`${node.url}${path}`, { signal: AbortSignal.timeout(5_000) })
      return response.text()
    }
    const [{ bavail, bsize }, metrics, status] = await Promise.all([
      statfs(node.data),
      get('/metrics').catch(String),
      get('/cluster/status').catch(String),
    ])
    const gauges = metrics.split('\n').filter((line) => /^tricord_(disk|wal_(segments|queued)|raft_(applied|commit|is_leader))/.test(line))
    const lines = node.stderr.split('\n').slice(-STDERR_LINES)
    return [`${node.id}: ${bavail * bsize} bytes free`, status, ...gauges, ...lines].join('\n')
  })
  return (await Promise.all(said)).join('\n\n')
}

const ballast = ({ data }: NodeProcess): string => join(data, 'ballast')

/** Takes all the space that is left on the disk of the node, or all but so much. */
export async function fill(node: NodeProcess, leaveBytes = 0): Promise<void> {
  if (leaveBytes > 0) {
    const { bavail, bsize } = await statfs(node.data)
    return writeFile(ballast(node), Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
  }
  for (let bytes = 1 << 20; bytes >= 4096; bytes >>= 1) {
    const block = Buffer.alloc(bytes)
    try {
      for (;;) await writeFile(ballast(node), block, { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
}

export function free(node: NodeProcess): Promise<void> {
  return rm(ballast(node))
}
