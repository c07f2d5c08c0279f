/** A cluster of real processes, each of which reaches NATS over a wire of its own that can be cut. */
import { type NodeProcess, type ProcessCluster, startProcesses } from './processes.ts'
import { type TcpProxy, startTcpProxy } from './tcp-proxy.ts'

export interface WiredCluster extends ProcessCluster {
  wireOf(node: Pick<NodeProcess, 'id'>): TcpProxy
}

export async function startWired(sets: readonly string[]): Promise<WiredCluster> {
  const wires = new Map<string, TcpProxy>()
  const wire = async (id: string, natsPort: number): Promise<number> => {
    const proxy = await startTcpProxy(natsPort)
    wires.set(id, proxy)
    return proxy.port
  }
  const cluster = await startProcesses({ sets, wire })
  return {
    ...cluster,
    wireOf({ id }) {
      const found = wires.get(id)
      if (found === undefined) throw new Error(`${id} has no wire`)
      return found
    },
    async stop() {
      await cluster.stop()
      for (const proxy of wires.values()) proxy.close()
    },
  }
}
