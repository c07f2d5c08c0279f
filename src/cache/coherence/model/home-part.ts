/**
 * A home in the model: a production directory, the log of its replica, and how much of that is applied. The machine is a
 * register that counts its writes.
 */
import { Directory } from '../directory.ts'
import type { Millis } from '../../../base/ids.ts'
import type { HomeOptions, HomePort } from '../home.ts'
import { HOME_DEFAULTS } from '../home.ts'
import type { Held, ToNode } from '../protocol.ts'
import { LINE } from './node-part.ts'
import { copy, write } from './plain.ts'
import type { Rules } from './settings.ts'
import { UNIT_MS } from './settings.ts'

export type Entry =
  | { readonly type: 'first'; readonly term: number }
  | { readonly type: 'put'; readonly op: number }
  | { readonly type: 'look'; readonly op: number }
  | { readonly type: 'hold'; readonly node: string }
  /** Asked for by the home of term `by`; in the log of that term, or of a later one, for who asks goes on asking. */
  | { readonly type: 'unhold'; readonly node: string; readonly by: number; readonly term: number }

export interface HomePart {
  readonly term: number
  readonly leaseMs: Millis
  readonly log: Entry[]
  applied: number
  readonly state: Directory['home']['state']
  /** Confirmations asked for; true: a majority said yes, and the answer is on its way. */
  readonly asks: Map<number, boolean>
}

/** Whom the directory tells what. */
export type Sent = readonly [node: string, message: ToNode]

const OMITTED = new Set(['tries', 'sendAt', 'viewAt', 'viewTries', 'cause', 'active'])

export function createHomePart(
  { term, leaseMs, log, applied }: Pick<HomePart, 'term' | 'leaseMs' | 'log' | 'applied'>,
  now: number,
  rules: Rules,
): [HomePart, Sent[]] {
  const { state } = silent(term, leaseMs).home
  const part: HomePart = { term, leaseMs, log: [...log, { type: 'first', term }], applied, state, asks: new Map() }
  return stepHome(part, rules, now, (directory) => {
    directory.start(now, holders(part, rules))
    if (!rules.caughtUp) directory.caughtUp(holders(part, rules), now)
  })
}

function optionsOf(term: number, leaseMs: Millis): HomeOptions {
  return {
    ...HOME_DEFAULTS,
    leaseMs,
    drift: 0,
    marginMs: 0,
    unackedMs: UNIT_MS,
    expectMs: UNIT_MS,
    confirmMs: 0,
    holderIdleMs: UNIT_MS,
    term,
  }
}

/** One that nobody hears. */
function silent(term: number, leaseMs: Millis): Directory {
  return new Directory(optionsOf(term, leaseMs), {
    send() {},
    read: () => heldAt(0),
    hold() {},
    unhold() {},
    confirm() {},
    settled() {},
    opened() {},
  })
}

export function heldAt(version: number): Held {
  return { version, value: null, contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }
}

/** The version after the first `length` entries. */
export function versionAt({ log }: HomePart, length: number): number {
  let version = 0
  for (let i = 0; i < length; i++) if (log[i]?.type === 'put') version += 1
  return version
}

function holders({ log, applied }: HomePart, rules: Rules): Set<string> {
  const found = new Set<string>()
  for (const entry of log.slice(0, applied)) {
    if (entry.type === 'hold') found.add(entry.node)
    if (entry.type === 'unhold' && (entry.by === entry.term || !rules.unholdInTerm)) found.delete(entry.node)
  }
  return found
}

export function stepHome(
  before: HomePart,
  rules: Rules,
  now: number,
  act: (directory: Directory, part: HomePart) => void,
): [HomePart, Sent[]] {
  const part: HomePart = { ...before, log: [...before.log], asks: new Map(before.asks), state: copy(before.state) }
  const sent: Sent[] = []
  const port: HomePort = {
    send: (to, message) => sent.push([to, message]),
    read: () => heldAt(versionAt(part, part.applied)),
    hold: (node) => {
      const last = part.log.findLast((entry) => 'node' in entry && entry.node === node)
      if (last?.type !== 'hold') part.log.push({ type: 'hold', node })
      if (!rules.holdCommitted) directory.held(node, now)
    },
    unhold: (node) => part.log.push({ type: 'unhold', node, by: part.term, term: part.term }),
    confirm: (ask) => part.asks.set(ask, false),
    settled() {},
    opened() {},
  }
  const directory: Directory = new Directory(optionsOf(part.term, part.leaseMs), port)
  Object.assign(directory.home.state, part.state)
  act(directory, part)
  return [{ ...part, state: directory.home.state }, sent]
}

/** The next entry is applied. */
export function applyNext(directory: Directory, part: HomePart, now: number, rules: Rules): void {
  const entry = part.log[part.applied] as Entry
  const before = versionAt(part, part.applied)
  part.applied += 1
  if (entry.type === 'put') directory.changed({ line: LINE, version: before + 1, cause: 'put' }, heldAt(before), now)
  else if (entry.type === 'look') directory.unchanged(LINE)
  else if (entry.type === 'hold') {
    // What was held before is told by `caughtUp`.
    if (directory.home.state.caughtUp) directory.held(entry.node, now)
  } else if (entry.type === 'unhold') {
    if (entry.by === part.term) directory.unheld(entry.node, now)
  } else if (entry.term === part.term) directory.caughtUp(holders(part, rules), now)
}

/** What may be answered here and now: the operation, and the version it made or saw. */
export function answerable(part: HomePart, rules: Rules): [op: number, version: number, isLook: boolean][] {
  const directory = silent(part.term, part.leaseMs)
  Object.assign(directory.home.state, part.state)
  const found: [number, number, boolean][] = []
  const firstOfTerm = part.log.findIndex((entry) => entry.type === 'first' && entry.term === part.term)
  for (let i = 0; i < part.applied; i++) {
    const entry = part.log[i] as Entry
    const version = versionAt(part, i + 1)
    const repeated = i < firstOfTerm
    if (entry.type === 'put') {
      if (directory.isSettled(version) || !rules.gate || (repeated && !rules.gateRepeated)) found.push([entry.op, version, false])
    } else if (entry.type === 'look') {
      if (!rules.gateLooks || (directory.isOpen && directory.unsettledOf(LINE) === null)) found.push([entry.op, version, true])
    }
  }
  return found
}

export function textOf(part: HomePart): string {
  return write(part, OMITTED)
}
