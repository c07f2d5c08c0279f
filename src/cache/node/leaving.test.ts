/** A node that stops: what it is asked to write then is never answered and lost. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import type { ActorSystem } from '../../actors/actor.ts'
import type { Directory, GroupHost } from '../../raft/group-host.ts'
import type { ToHome, ToNode } from '../coherence/protocol.ts'
import { entryLine } from '../line-id.ts'
import { NOTHING_HELD } from '../machine/entry.ts'
import { Coherence } from './coherence.ts'
import type { LocalWrite } from './local-write.ts'
import { decodeMessage, encodeMessage, typeOf } from './wire.ts'
import type { Writes } from './writes.ts'

const LINE = entryLine('default', 'c', 'k')
const put = (): LocalWrite => ({ reply: { type: 'put', version: 0, created: true }, next: { ...NOTHING_HELD, value: new Uint8Array(1) } })

/** A node whose partition has its home elsewhere; flushes never come to an end. */
function bed() {
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
        if (message.type === 'open') receive({ type: 'opened', term: 1, sid: 1, n: message.n, leaseMs: 2_000 })
      },
    } as unknown as ActorSystem,
    host: { onChange() {}, groups: () => [], status: () => null } as unknown as GroupHost,
    directory: { hostsOf: () => ['n2'] } as unknown as Directory,
    writes: { partitions: 1, partitionOf: () => 0, shareOf: () => ({}), submit: () => new Promise(() => {}) } as unknown as Writes,
    machineOf: () => null,
    storeBytesMax: 1_000,
    onLog: (_level, message) => void logged.push(message),
  })
  const receive = (message: ToNode): void =>
    coherence.receive({ senderId: 'n2/cache', msgType: typeOf(message), payload: encodeMessage(0, message) } as never)
  const give = (): void => {
    const asked = sent.findLast(({ type }) => type === 'getM')
    if (asked?.type !== 'getM') throw new Error('nobody wants to own it')
    const versions = { own: 7, versionFirst: 10, versionMax: 20 }
    receive({ type: 'dataX', term: 1, sid: 1, rid: asked.rid, line: LINE, g: 1, held: NOTHING_HELD, ...versions })
  }
  return { coherence, sent, logged, give }
}

test('a write that comes then goes through the log, and so does one whose line comes only then', async () => {
  const { coherence, sent, give } = bed()
  const early = coherence.writeOwned(LINE, 1_000, put)
  expect(coherence.giveUpOwned()).toBe(true)
  give()
  expect(await early).toBeNull()
  const asked = sent.length
  expect(await coherence.writeOwned(LINE, 1_000, put)).toBeNull()
  expect(sent.length).toBe(asked)
  coherence.close()
})

test('what it wrote and cannot flush in time is told as lost', async () => {
  const { coherence, logged, give } = bed()
  const written = coherence.writeOwned(LINE, 1_000, put)
  give()
  expect(await written).toMatchObject({ type: 'put', version: 10 })
  expect(coherence.giveUpOwned()).toBe(false)
  coherence.close()
  expect(coherence.lostWrites).toBe(1)
  expect(logged).toHaveLength(1)
})
