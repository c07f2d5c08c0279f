/** The NATS transport against a real server: frames, lives, a server that dies and comes back. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NatsTransport, NatsUnavailableError, connectNats } from '../../src/io/transport-nats.ts'
import { type NatsServer, freePort, startNatsServer } from '../nats-server.ts'

let server: NatsServer
const none = { user: '', password: '', token: '', credentialsFile: '', tls: { caFile: '', certFile: '', keyFile: '' } }
const join = (node: string, incarnation = 1): Promise<NatsTransport> =>
  connectNats('test', node, incarnation, { ...none, servers: [server.url] })

beforeAll(async () => {
  server = await startNatsServer()
})
afterAll(() => server.stop())

interface Ear {
  readonly frames: string[]
  readonly connections: boolean[]
}
function listen(transport: NatsTransport): Ear {
  const ear: Ear = { frames: [], connections: [] }
  transport.listen({
    onFrame: (frame) => ear.frames.push(new TextDecoder().decode(frame)),
    onConnection: (connected) => ear.connections.push(connected),
  })
  return ear
}
const frame = (text: string) => new TextEncoder().encode(text)

test('frames reach one life of one node; broadcasts reach all others', async () => {
  const [a, b, old] = [await join('n1'), await join('n2', 2), await join('n2', 1)]
  const [heardA, heardB, heardOld] = [listen(a), listen(b), listen(old)]
  await expect
    .poll(() => {
      a.broadcast(frame('all'))
      return heardB.frames.includes('all') && heardOld.frames.includes('all')
    })
    .toBe(true)
  a.send('n2', 2, frame('for life 2'))
  await expect.poll(() => heardB.frames.includes('for life 2')).toBe(true)
  expect(heardOld.frames).not.toContain('for life 2')
  expect(heardA.frames).toEqual([])
  expect(a.frameBytesMax).toBe(1024 * 1024 - 1024)
  const large = 'x'.repeat(a.frameBytesMax)
  a.send('n2', 2, frame(large))
  await expect.poll(() => heardB.frames.includes(large)).toBe(true)
  await Promise.all([a.close(), b.close(), old.close()])
})

test('a server that is killed and comes back: said, nothing kept from before, traffic goes on', async () => {
  const [a, b] = [await join('n1'), await join('n2')]
  const [heardA, heardB] = [listen(a), listen(b)]
  await server.signal('SIGKILL')
  await expect.poll(() => [heardA.connections, heardB.connections]).toEqual([[false], [false]])
  expect(a.connected).toBe(false)
  a.send('n2', 1, frame('into the void'))
  expect(a.stats).toMatchObject({ disconnects: 1, dropped: 1 })
  await server.restart()
  await expect
    .poll(() => [heardA.connections, heardB.connections], { timeout: 10_000 })
    .toEqual([
      [false, true],
      [false, true],
    ])
  await expect
    .poll(() => {
      a.send('n2', 1, frame('again'))
      return heardB.frames.includes('again')
    })
    .toBe(true)
  expect(heardB.frames).not.toContain('into the void')
  await Promise.all([a.close(), b.close()])
})

test('no server: a clear refusal', async () => {
  const port = await freePort()
  await expect(connectNats('test', 'n1', 1, { ...none, servers: [`nats://127.0.0.1:${port}`] })).rejects.toThrow(NatsUnavailableError)
  await expect(connectNats('a.b', 'n1', 1, { ...none, servers: [server.url] })).rejects.toThrow(/subject/)
})

/** Nothing is said on the first connections; those that follow reach the server. */
async function slowServer(silent: number): Promise<{ readonly url: string; readonly dialed: () => number; readonly close: () => void }> {
  const sockets = new Set<Socket>()
  let dialed = 0
  const slow = createServer((near) => {
    sockets.add(near.on('error', () => near.destroy()))
    if (dialed++ < silent) return
    const far = connect(Number(new URL(server.url).port), '127.0.0.1')
    sockets.add(far.on('error', () => far.destroy()))
    near.pipe(far).pipe(near)
  })
  await once(slow.listen(0, '127.0.0.1'), 'listening')
  const close = (): void => {
    for (const socket of sockets) socket.destroy()
    slow.close()
  }
  return { url: `nats://127.0.0.1:${(slow.address() as AddressInfo).port}`, dialed: () => dialed, close }
}

test('a server that is slow to answer at first is dialed again, five times at most', async () => {
  const slow = await slowServer(2)
  const node = await connectNats('test', 'n1', 1, { ...none, servers: [slow.url] })
  expect(node.connected).toBe(true)
  // Once more, where the machine is slow, too.
  expect(slow.dialed()).toBeGreaterThanOrEqual(3)
  await node.close()
  slow.close()
  const silent = await slowServer(Infinity)
  await expect(connectNats('test', 'n1', 1, { ...none, servers: [silent.url] })).rejects.toThrow(NatsUnavailableError)
  expect(silent.dialed()).toBe(5)
  silent.close()
})
