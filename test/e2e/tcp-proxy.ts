/** A wire that can be cut: TCP from a port of its own to another, closed or silent on demand. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** `silent`: nothing gets through and nobody is told. `closed`: connections break, new ones are refused at once. */
  cut(how: 'silent' | 'closed'): void
  heal(): void
  close(): void
}

export async function startTcpProxy(toPort: number): Promise<TcpProxy> {
  let state: 'open' | 'silent' | 'closed' = 'open'
  const sockets = new Set<Socket>()
  const join = (from: Socket, to: Socket): void => {
    // What comes while the wire is silent is lost, as on a network that drops packets until the connection breaks.
    from.on('data', (bytes) => state === 'open' && to.write(bytes))
    from.on('close', () => {
      sockets.delete(from)
      if (state !== 'silent') to.destroy()
    })
    from.on('error', () => from.destroy())
    sockets.add(from)
  }
  const server = createServer((near) => {
    if (state === 'closed') return void near.destroy()
    const far = connect(toPort, '127.0.0.1')
    join(near, far)
    join(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = (): void => sockets.forEach((socket) => socket.destroy())
  return {
    port: (server.address() as AddressInfo).port,
    cut(how) {
      state = how
      if (how === 'closed') drop()
    },
    heal() {
      // Streams that lost bytes are of no use: as after a real cut, both ends begin anew.
      if (state === 'silent') drop()
      state = 'open'
    },
    close() {
      drop()
      server.close()
    },
  }
}
