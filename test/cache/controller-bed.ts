/** A node's controller whose home is spoken for by hand: it is asked for a line at 100, opened at 150, and given the line at 160. */
import { CONTROLLER_DEFAULTS } from '../../src/cache/coherence/controller-port.ts'
import { Controller } from '../../src/cache/coherence/controller.ts'
import type { Copy } from '../../src/cache/coherence/copies.ts'
import { SILENT_NODE } from '../../src/cache/coherence/model/silent-ports.ts'
import type { ToHome } from '../../src/cache/coherence/protocol.ts'

export const LINE = 'e7.1.defaultca'
export const HELD = { version: 3, value: new Uint8Array([1]), contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }

/** After `ask` at 100: a session of 2 s from then, and the question that follows it. */
function askedOf(type: 'getS' | 'getM', ask: (controller: Controller) => unknown) {
  const sent: ToHome[] = []
  const released: number[] = []
  const controller = new Controller({ ...CONTROLLER_DEFAULTS, partition: 0, life: 1 }, new Map<string, Copy>(), {
    ...SILENT_NODE,
    send: (_, message) => void sent.push(message),
    release: (_, own) => void released.push(own),
  })
  ask(controller)
  const open = sent.at(-1)
  if (open?.type !== 'open') throw new Error('no session is opened')
  controller.receive('n1', { type: 'opened', term: 1, sid: 1, n: open.n, leaseMs: 2_000 }, 150)
  const asked = sent.at(-1)
  if (asked?.type !== type || !('rid' in asked)) throw new Error('nothing is asked')
  return { controller, sent, released, rid: asked.rid }
}

/** With a copy of the line. */
export function sharer() {
  const { controller, sent, rid } = askedOf('getS', (one) => one.load(LINE, 1, 10_000, 100))
  controller.receive('n1', { type: 'dataS', term: 1, sid: 1, rid, line: LINE, g: 1, held: HELD }, 160)
  return { controller, sent }
}

/** It owns the line, as number 7, with the versions from 10 on. */
export function owner(versionMax: number) {
  const { controller, sent, released, rid } = askedOf('getM', (one) => one.own(LINE, 1, 10_000, 100))
  const given = { type: 'dataX', term: 1, sid: 1, rid, line: LINE, g: 1, held: HELD, own: 7, versionFirst: 10, versionMax } as const
  controller.receive('n1', given, 160)
  return { controller, sent, released, given }
}
