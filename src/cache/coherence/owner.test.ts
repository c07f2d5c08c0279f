/** An owner between two homes: what it owes to the one is nothing to the other. */
import { expect, test } from 'vitest'
import { Controller } from './controller.ts'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import type { Copy } from './copies.ts'
import type { ToHome } from './protocol.ts'

const LINE = 'e7.1.defaultca'
const HELD = { version: 3, value: new Uint8Array([1]), contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }

test('what an older home took back is not acknowledged to a newer one: its numbers mean something else there', () => {
  const sent: ToHome[] = []
  const controller = new Controller({ ...CONTROLLER_DEFAULTS, life: 1 }, new Map<string, Copy>(), {
    send: (_, message) => void sent.push(message),
    answer: () => {},
    failed: () => {},
    flush: () => {},
    release: () => {},
    lost: () => {},
  })
  controller.own(LINE, 1, 10_000, 100)
  const open = sent.at(-1)
  if (open?.type !== 'open') throw new Error('no session is opened')
  controller.receive('n1', { type: 'opened', term: 1, sid: 1, n: open.n, leaseMs: 2_000 }, 150)
  const asked = sent.at(-1)
  if (asked?.type !== 'getM') throw new Error('nothing is asked')
  const given = { own: 7, versionFirst: 10, versionMax: 20 }
  controller.receive('n1', { type: 'dataX', term: 1, sid: 1, rid: asked.rid, line: LINE, g: 1, held: HELD, ...given }, 160)
  controller.write(LINE, (version) => ({ ...HELD, version }), 170)
  controller.receive('n1', { type: 'recall', term: 1, t: 2, gx: 1, line: LINE }, 180)
  controller.receive('n2', { type: 'view', term: 2 }, 190)
  expect(sent.filter(({ type }) => type === 'viewAck' || type === 'invAck')).toEqual([])
  controller.flushed(LINE, 7, 10, true, 200)
  expect(sent.filter(({ type }) => type === 'viewAck' || type === 'invAck')).toEqual([{ type: 'viewAck', term: 2 }])
})
