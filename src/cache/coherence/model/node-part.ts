/**
 * A node in the model: a production controller and its copies, as plain data between two steps. A step takes the data into a
 * fresh controller, does one thing, and writes down what came of it.
 */
import type { Borrowers, Lender } from '../borrowers.ts'
import type { Copy } from '../copies.ts'
import { Controller } from '../controller.ts'
import type { OwnedLine } from '../owned-lines.ts'
import type { LineId, ToHome } from '../protocol.ts'
import { type Lendings, NOTHING_LENT, createBorrowers, lendingsOf } from './lendings.ts'
import { copy, write } from './plain.ts'
import { SILENT_NODE } from './silent-ports.ts'

export const LINE: LineId = 'x'

export interface NodePart {
  readonly node: string
  readonly life: number
  readonly session: Controller['session']
  readonly fetches: Controller['fetches']
  readonly rid: number
  readonly copies: Map<LineId, Copy>
  readonly owned: ReadonlyMap<LineId, OwnedLine>
  readonly viewFrom: Controller['owner']['viewFrom']
  readonly lent: Controller['lent']['lines']
  readonly lendings: Lendings
}

/** What an owner wants to be in the log. */
export interface Flush {
  readonly type: 'flush'
  readonly own: number
  readonly version: number
}

/** It has let the line go. */
export interface Release {
  readonly type: 'release'
  readonly own: number
}

export interface NodeEffects {
  readonly sent: (ToHome | Flush | Release)[]
  /** Writes that are gone. */
  lost: number
  /** Tickets with the version that was read. */
  readonly answered: [ticket: number, version: number][]
  readonly borrowers: Borrowers
  readonly lender: Lender
}

// When to send again changes nothing where messages are neither lost nor late; tickets are told apart by the world.
const OMITTED = new Set(['tries', 'sendAt', 'hit', 'usedAt', 'until', 'giveUpAt', 'home', 'nextAt', 'flushAt', 'place'])

export function createNodePart(node: string, life: number): NodePart {
  const { session, fetches, rid } = new Controller(optionsOf(life), new Map(), SILENT_NODE)
  return { node, life, session, fetches, rid, viewFrom: null, owned: new Map(), copies: new Map(), lent: new Map(), lendings: NOTHING_LENT }
}

function optionsOf(life: number) {
  return { partition: 0, life, renewMs: 500, idleMs: Infinity, flushMs: 0 }
}

/** Does one thing with the node; returns what it is afterwards. */
export function stepNode(
  part: NodePart,
  now: number,
  act: (controller: Controller, effects: NodeEffects) => void,
): [NodePart, NodeEffects] {
  const copies = copy(part.copies)
  const controller: Controller = new Controller(optionsOf(part.life), copies, {
    send: (_, message) => effects.sent.push(message),
    answer: (ticket, { version }) => effects.answered.push([ticket, version]),
    failed() {},
    flush: (_, own, version) => effects.sent.push({ type: 'flush', own, version }),
    release: (_, own) => effects.sent.push({ type: 'release', own }),
    lost: (_, count) => (effects.lost += count),
    callBack: (line) => effects.borrowers.callBack(line, lender, now),
  })
  const lender: Lender = {
    lend: (line) => controller.lend(line, now),
    returned: (line) => controller.returned(line, now),
    lentLeftMs: () => controller.session.leaseUntil - now,
  }
  const effects: NodeEffects = { sent: [], lost: 0, answered: [], borrowers: createBorrowers(part.lendings, lender, now), lender }
  Object.assign(controller.session, copy(part.session))
  for (const [line, fetch] of part.fetches) controller.fetches.set(line, copy(fetch))
  for (const owned of part.owned.values()) controller.owner.lines.add({ ...copy(owned), place: -1 })
  for (const [line, lent] of part.lent) controller.lent.lines.set(line, copy(lent))
  controller.rid = part.rid
  controller.owner.viewFrom = part.viewFrom
  act(controller, effects)
  const { session, fetches, rid, owner } = controller
  const { viewFrom } = owner
  const [owned, lent, lendings] = [new Map(owner.lines), controller.lent.lines, lendingsOf(effects.borrowers)]
  return [{ node: part.node, life: part.life, session, fetches, rid, copies, owned, viewFrom, lent, lendings }, effects]
}

/** It stops, and says so. */
export function leaveNode(part: NodePart, now: number): [NodePart, NodeEffects] {
  return stepNode(part, now, (controller) => {
    controller.leave(now)
    controller.tick(now)
  })
}

/** Its questions have waited long enough. */
export function giveUp(part: NodePart, now: number): [NodePart, NodeEffects] {
  return stepNode(part, now, (controller) => {
    for (const fetch of controller.fetches.values()) fetch.waiters = fetch.waiters.map(({ ticket }) => ({ ticket, giveUpAt: now }))
    controller.tick(now)
  })
}

/** The copy that may be read now. It is asked for in every state, and a part is one object for all the states that have it. */
export function readable(part: NodePart, now: number): Copy | null {
  let known = readableAt.get(part)
  if (known === undefined) readableAt.set(part, (known = new Map()))
  let copy = known.get(now)
  if (copy === undefined) known.set(now, (copy = findReadable(part, now)))
  return copy
}

const readableAt = new WeakMap<NodePart, Map<number, Copy | null>>()

function findReadable(part: NodePart, now: number): Copy | null {
  const owned = part.owned.get(LINE)
  const found = part.copies.get(LINE) ?? (owned?.closing ? undefined : owned?.copy)
  if (found === undefined) return null
  const controller = new Controller(optionsOf(part.life), part.copies, SILENT_NODE)
  Object.assign(controller.session, part.session)
  return controller.isReadable(found, now) ? found : null
}

export function textOf(part: NodePart): string {
  return write(part, OMITTED)
}
