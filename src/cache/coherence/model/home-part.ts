/**
 * A home in the model: a production directory, the log of its replica, and how much of that is applied. The machine is a
 * register that counts its writes.
 */
import { Directory } from '../directory.ts'
import type { Millis } from '../../../base/ids.ts'
import { nothingAt } from '../held.ts'
import type { HomeOptions, HomePort } from '../home.ts'
import { HOME_DEFAULTS } from '../home.ts'
import type { ToNode } from '../protocol.ts'
import { LINE } from './node-part.ts'
import { copy, write } from './plain.ts'
import type { Entry } from './register.ts'
import { apply, registerAt } from './register.ts'
import type { Rules } from './settings.ts'
import { UNIT_MS } from './settings.ts'
import { SILENT_HOME } from './silent-ports.ts'

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
export type Sent = readonly [node: string, message: ToNode | Flushed]

/** The log's answer to what an owner flushed. */
export interface Flushed {
  readonly type: 'flushed'
  readonly own: number
  readonly version: number
  readonly isCommitted: boolean
}

const OMITTED = new Set(['tries', 'sendAt', 'viewAt', 'viewTries', 'cause', 'acks', 'active'])

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
  return new Directory(optionsOf(term, leaseMs), SILENT_HOME)
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
  act: (directory: Directory, part: HomePart, sent: Sent[]) => void,
): [HomePart, Sent[]] {
  const part: HomePart = { ...before, log: [...before.log], asks: new Map(before.asks), state: copy(before.state) }
  const sent: Sent[] = []
  const port: HomePort = {
    send: (to, message) => sent.push([to, message]),
    read: () => nothingAt(registerAt(part.log, part.applied, rules).version),
    owned: () => registerAt(part.log, part.applied, rules).own,
    eachOwned: () => {
      const { own, node } = registerAt(part.log, part.applied, rules)
      return (own === 0 ? [] : [{ line: LINE, node }]).values()
    },
    own: (_, node) => part.log.push({ type: 'own', node, by: part.term, term: part.term, nth: part.log.length }),
    release: (_, own) => part.log.push({ type: 'release', own, by: part.term, term: part.term }),
    hold: (node) => {
      const last = part.log.findLast((entry) => 'node' in entry && entry.node === node)
      const underWay = part.log.slice(part.applied).filter((entry) => entry.type === 'hold' && entry.node === node).length
      // Each that knocks asks for one, so there may be two under way.
      if (last?.type !== 'hold' || underWay === 1) part.log.push({ type: 'hold', node })
      if (!rules.holdCommitted) directory.held(node, now)
    },
    unhold: (node) => part.log.push({ type: 'unhold', node, by: part.term, term: part.term }),
    confirm: (ask) => part.asks.set(ask, false),
    settled() {},
    opened() {},
  }
  const directory: Directory = new Directory(optionsOf(part.term, part.leaseMs), port)
  Object.assign(directory.home.state, part.state)
  act(directory, part, sent)
  return [{ ...part, state: directory.home.state }, sent]
}

/** The next entry is applied. */
export function applyNext(directory: Directory, part: HomePart, now: number, rules: Rules, sent: Sent[]): void {
  const entry = part.log[part.applied] as Entry
  const register = registerAt(part.log, part.applied, rules)
  const before = nothingAt(register.version)
  const isDone = apply(register, entry, rules)
  part.applied += 1
  switch (entry.type) {
    case 'put':
      if (isDone) directory.changed({ line: LINE, version: register.version, cause: 'put', own: 0 }, before, now)
      else {
        directory.unchanged(LINE)
        directory.takeBack(LINE, now)
      }
      return
    case 'look':
      return directory.unchanged(LINE)
    case 'hold':
      // What was held before is told by `caughtUp`.
      if (directory.home.state.caughtUp) directory.held(entry.node, now)
      return
    case 'unhold':
      if (entry.by === part.term) directory.unheld(entry.node, now)
      return
    case 'own':
      if (entry.by === part.term && isDone) directory.given(LINE, register, now)
      return
    case 'release':
      if (entry.by === part.term) directory.released(LINE, now)
      return
    case 'flush':
      if (isDone) directory.changed({ line: LINE, version: register.version, cause: 'put', own: entry.own }, before, now)
      sent.push([entry.node, { type: 'flushed', own: entry.own, version: entry.version, isCommitted: isDone }])
      return
    case 'first':
      if (entry.term === part.term) directory.caughtUp(holders(part, rules), now)
  }
}

/** The operation, and the version it made or saw. */
export type Answer = readonly [op: number, version: number, isLook: boolean]

/** What may be answered here and now. */
export function answerable(part: HomePart, rules: Rules): readonly Answer[] {
  const directory = silent(part.term, part.leaseMs)
  Object.assign(directory.home.state, part.state)
  const found: Answer[] = []
  const firstOfTerm = part.log.findIndex((entry) => entry.type === 'first' && entry.term === part.term)
  const register = registerAt([], 0, rules)
  for (let i = 0; i < part.applied; i++) {
    const entry = part.log[i] as Entry
    const isDone = apply(register, entry, rules)
    const repeated = i < firstOfTerm
    const { version } = register
    if (entry.type === 'put' && isDone) {
      if (directory.isSettled(version) || !rules.gate || (repeated && !rules.gateRepeated)) found.push([entry.op, version, false])
    } else if (entry.type === 'look' && register.own === 0) {
      if (!rules.gateLooks || (directory.isOpen && directory.unsettledOf(LINE) === null)) found.push([entry.op, version, true])
    }
  }
  return found
}

/** The promise that an answer breaks. `begun`: the newest version that was told when the operation was asked for. */
export function brokenBy([op, version, isLook]: Answer, begun: number, all: readonly Answer[]): string | null {
  const other = isLook ? undefined : all.find(([same, made]) => same === op && made !== version)
  if (other !== undefined) return `write ${op} made ${other[1]} and ${version}`
  const isGood = isLook ? version >= begun : version > begun
  return isGood ? null : `${isLook ? 'a look sees' : 'a write is'} ${version} though ${begun} was told before it began`
}

export function textOf(part: HomePart): string {
  return write(part, OMITTED)
}
