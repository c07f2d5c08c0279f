/** A cluster in memory for all tests of a file: there before the first, stopped after the last, and no bug between. */
import { afterAll, beforeAll, expect } from 'vitest'
import { type EmbeddedCluster, startEmbedded } from '../src/embedded.ts'

const bugs: unknown[] = []
const onBug = (error: unknown): void => void bugs.push(error)

/** One more of the kind, for a test of its own. Whoever starts it stops it; its bugs fail the file. */
export function startInMemory(nodes: number, sets: readonly string[] = []): Promise<EmbeddedCluster> {
  return startEmbedded({ nodes, port: 0, data: null, sets: [...sets], onBug, onDiskFatal: onBug })
}

/** To be called at the top of the file; what it returns gives the cluster once tests run. */
export function clusterForAll(nodes: number, sets: () => readonly string[] | Promise<readonly string[]>): () => EmbeddedCluster {
  let cluster: EmbeddedCluster
  beforeAll(async () => {
    cluster = await startInMemory(nodes, await sets())
  })
  afterAll(async () => {
    await cluster.stop()
    expect(bugs).toEqual([])
  })
  return () => cluster
}
