/** The load of a cache, in a process of its own. Told what to do by its parent, tells it what it saw. */
import { type CacheCaller, HttpCacheCaller, SocketCacheCaller } from './cache-caller.ts'
import { CacheLoad, type CacheTask } from './cache-load.ts'
import { BatchingSocket } from './socket.ts'

/** Over HTTP a caller has a connection of its own; over WebSocket all share one. */
async function callersOf({ kind, url, cache, callers }: CacheTask): Promise<readonly CacheCaller[]> {
  if (kind === 'http') return Array.from({ length: callers }, () => new HttpCacheCaller(url, cache))
  const socket = await BatchingSocket.open(url)
  return Array.from({ length: callers }, () => new SocketCacheCaller(socket, cache))
}

process.once('message', (task: CacheTask) => {
  const run = async (): Promise<void> => {
    const callers = await callersOf(task)
    const outcome = await new CacheLoad(task).run(callers)
    for (const caller of callers) caller.close()
    // Only once it is written: a large message would be cut off.
    process.send?.(outcome, () => process.disconnect())
  }
  void run()
})
