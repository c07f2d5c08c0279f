/**
 * A wire between a client and the WebSocket of a node that loses, doubles and swaps frames of events. Answers pass: who asked would
 * wait for them. What no TCP does, a bug might.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type RawData, WebSocket, WebSocketServer } from 'ws'

/** Of which frame of events what becomes, counted over the life of the proxy. 0: never. */
export interface Mangling {
  readonly dropEvery: number
  readonly doubleEvery: number
  /** It comes after the one behind it. */
  readonly swapEvery: number
}

export interface FrameProxy {
  readonly url: string
  readonly counts: { dropped: number; doubled: number; swapped: number }
  close(): void
}

export async function startFrameProxy(toUrl: string, { dropEvery, doubleEvery, swapEvery }: Mangling): Promise<FrameProxy> {
  const counts = { dropped: 0, doubled: 0, swapped: 0 }
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (offered) => [...offered][0] ?? false })
  await once(server, 'listening')
  let nth = 0
  const isDue = (every: number): boolean => every > 0 && nth % every === 0
  server.on('connection', (near) => {
    const far = new WebSocket(toUrl, [near.protocol])
    const unsent: RawData[] = []
    let held: string | null = null
    const pass = (frame: string): void => {
      near.send(frame)
      if (held !== null) near.send(held)
      held = null
    }
    near.on('message', (data) => (far.readyState === WebSocket.OPEN ? far.send(data.toString()) : unsent.push(data)))
    far.on('open', () => unsent.forEach((data) => far.send(data.toString())))
    far.on('message', (data: Buffer) => {
      const frame = data.toString()
      if (!isOfEvents(JSON.parse(frame))) return pass(frame)
      nth++
      if (isDue(dropEvery)) counts.dropped++
      else if (isDue(doubleEvery)) {
        counts.doubled++
        pass(frame)
        pass(frame)
      } else if (isDue(swapEvery) && held === null) {
        counts.swapped++
        held = frame
      } else pass(frame)
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('close', () => other.terminate())
      one.on('error', () => other.terminate())
    }
  })
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    close() {
      for (const socket of server.clients) socket.terminate()
      server.close()
    },
  }
}

function isOfEvents(frame: unknown): boolean {
  const all = (Array.isArray(frame) ? frame : [frame]) as Record<string, unknown>[]
  return all.every((one) => one['event'] !== undefined)
}
