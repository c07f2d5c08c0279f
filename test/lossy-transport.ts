/**
 * A transport of which a test says what becomes of what is sent to one node: it goes out at once, or late, or never. What is said to
 * all nodes goes out, where the test does not say otherwise.
 */
import type { NodeId } from '../src/base/ids.ts'
import type { Transport } from '../src/io/transport.ts'

/** Where `go` is not called, the frame is lost. */
export type Fate = (to: NodeId, go: () => void, frame: Uint8Array) => void

export function lossyTransport(transport: Transport, fate: Fate, fateOfBroadcasts: (go: () => void) => void = (go) => go()): Transport {
  return {
    node: transport.node,
    incarnation: transport.incarnation,
    frameBytesMax: transport.frameBytesMax,
    get connected() {
      return transport.connected
    },
    send: (to, incarnation, frame) => fate(to, () => transport.send(to, incarnation, frame), frame),
    broadcast: (frame) => fateOfBroadcasts(() => transport.broadcast(frame)),
    listen: (handlers) => transport.listen(handlers),
    close: () => transport.close(),
  }
}
