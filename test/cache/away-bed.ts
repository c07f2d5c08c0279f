/** A node that leads nothing: the home of the only partition is elsewhere, and played here. Its flushes never come to an end. */
import type { ActorSystem } from '../../src/actors/actor.ts'
import type { Held, LineId, ToHome, ToNode } from '../../src/cache/coherence/protocol.ts'
import { NOTHING_HELD } from '../../src/cache/coherence/held.ts'
import { ROOM_UNBOUNDED } from '../../src/cache/machine/room.ts'
import { Coherence } from '../../src/cache/node/coherence.ts'
import { decodeMessage, encodeMessage, typeOf } from '../../src/cache/node/wire.ts'
import type { Writes } from '../../src/cache/node/writes.ts'
import type { Directory, GroupHost } from '../../src/raft/group-host.ts'
import { ManualClock } from '../manual-clock.ts'

export const LEASE_MS = 2_000
/** It leads nothing. */
const UNBOUNDED = { bytesMax: () => ROOM_UNBOUNDED, onChange() {} }

export function awayBed(storeBytesMax = 1_000) {
  const clock = new ManualClock()
  const sent: ToHome[] = []
  const logged: string[] = []
  const coherence: Coherence = new Coherence({
    system: {
      clock,
      incarnation: 1,
      send: (_to: string, _type: string, payload: Uint8Array) => {
        const decoded = decodeMessage(payload)
        if (decoded?.to !== 'home') throw new Error('no message for a home')
        const { message } = decoded
        sent.push(message)
        if (message.type === 'open') receive({ type: 'opened', term: 1, sid: 1, n: message.n, leaseMs: LEASE_MS })
      },
    } as unknown as ActorSystem,
    host: { onChange() {}, groups: () => [], status: () => null } as unknown as GroupHost,
    directory: { hostsOf: () => ['n2'] } as unknown as Directory,
    writes: { partitions: 1, partitionOf: () => 0, shareOf: () => ({}), submit: () => new Promise(() => {}) } as unknown as Writes,
    machineOf: () => null,
    storeBytesMax,
    room: UNBOUNDED,
    lendMark: { quietUntil: -Infinity, set: async () => {} },
    onLog: (_level, message) => void logged.push(message),
  })
  const receive = (message: ToNode): void =>
    coherence.receive({ senderId: 'n2/cache', msgType: typeOf(message), payload: encodeMessage(0, message) } as never)
  const give = (line: LineId): void => {
    const asked = sent.findLast(({ type }) => type === 'getM')
    if (asked?.type !== 'getM') throw new Error('nobody wants to own it')
    const versions = { own: 7, versionFirst: 10, versionMax: 20 }
    receive({ type: 'dataX', term: 1, sid: 1, rid: asked.rid, line, g: 1, held: NOTHING_HELD, ...versions })
  }
  /** Reads a line that the home says holds this. */
  const fetch = async (line: LineId, held: Held): Promise<void> => {
    const read = coherence.read(line, 1_000)
    const asked = sent.findLast((message) => message.type === 'getS' && message.line === line)
    if (asked?.type !== 'getS') throw new Error('nobody asks for it')
    receive({ type: 'dataS', term: 1, sid: 1, rid: asked.rid, line, g: asked.rid, held })
    await read
  }
  return { coherence, clock, sent, logged, receive, give, fetch }
}
