import { MessageChannel } from 'node:worker_threads'
import { SystemClock } from '../../src/io/clock-system.ts'
import { createLocalBus } from '../../src/io/transport-local.ts'
import { createPortTransport } from '../../src/io/transport-port.ts'
import { NodeLife } from '../../src/sim/life.ts'
import { SimNetwork } from '../../src/sim/network.ts'
import { World } from '../../src/sim/world.ts'
import { testTransport } from './transport.ts'

const clock = new SystemClock()
const turn = (): Promise<void> => new Promise((resolve) => clock.defer(resolve))

testTransport('local', { ends: 'many', lives: true }, async () => {
  const bus = createLocalBus(clock)
  return { join: async (node, incarnation) => bus.transport(node, incarnation), turn, dispose: async () => undefined }
})

testTransport('port', { ends: 'two', lives: false }, async () => {
  const { port1, port2 } = new MessageChannel()
  const ports = [port1, port2]
  return {
    join: async (node, incarnation) => createPortTransport(node, incarnation, ports.shift() ?? port2),
    turn,
    dispose: async () => {
      port1.close()
      port2.close()
    },
  }
})

const CALM = { latencyMinMs: 1, latencyMeanMs: 1, loss: 0, duplicate: 0, straggle: 0, straggleMs: 0, ordered: true, frameBytesMax: 65_536 }

testTransport('simulated', { ends: 'many', lives: false }, async () => {
  const world = new World(1)
  const network = new SimNetwork(world, world.dice, CALM)
  return {
    join: async (node, incarnation) => network.join(new NodeLife(world, node), incarnation),
    turn: () => world.run(world.now + 5, () => undefined),
    dispose: async () => undefined,
  }
})
