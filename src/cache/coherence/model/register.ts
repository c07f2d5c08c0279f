/** The machine of the model: a register with a version, and who owns it; what a log makes of it. */

import type { Rules } from './settings.ts'

export type Entry =
  | { readonly type: 'first'; readonly term: number }
  | { readonly type: 'put'; readonly op: number }
  | { readonly type: 'look'; readonly op: number }
  | { readonly type: 'hold'; readonly node: string }
  /** Asked for by the home of term `by`; in the log of that term, or of a later one, for who asks goes on asking. */
  | { readonly type: 'unhold'; readonly node: string; readonly by: number; readonly term: number }
  | { readonly type: 'own'; readonly node: string; readonly by: number; readonly term: number; readonly nth: number }
  /** `by` 0: a node has let it go by itself. */
  | { readonly type: 'release'; readonly own: number; readonly by: number; readonly term: number }
  | { readonly type: 'flush'; readonly node: string; readonly own: number; readonly version: number }

/** Versions of one ownership. */
const RANGE = 2

export interface Register {
  version: number
  /** The last one that was given out. */
  last: number
  /** 0: nobody's. */
  own: number
  /** Who was given it last. */
  node: string
  owns: number
  flushed: number
  versionFirst: number
  versionMax: number
}

export function registerAt(log: readonly Entry[], length: number, rules: Rules): Register {
  const register: Register = { version: 0, last: 0, own: 0, node: '', owns: 0, flushed: 0, versionFirst: 0, versionMax: 0 }
  for (let i = 0; i < length; i++) apply(register, log[i] as Entry, rules)
  return register
}

/** False: it was refused. */
export function apply(register: Register, entry: Entry, rules: Rules): boolean {
  switch (entry.type) {
    case 'put':
      if (register.own !== 0) return false
      register.last += 1
      register.version = register.last
      return true
    case 'own':
      if (entry.by !== entry.term && rules.ownInTerm) return false
      register.owns += 1
      register.own = register.owns
      register.node = entry.node
      register.flushed = 0
      register.versionFirst = register.last + 1
      register.versionMax = register.last + RANGE
      register.last += RANGE
      return true
    case 'flush':
      if (register.own !== entry.own && rules.flushFenced) return false
      if (entry.version <= register.flushed) return true
      register.flushed = entry.version
      register.version = entry.version
      return true
    case 'release':
      if (entry.by !== 0 && entry.by !== entry.term && rules.releaseInTerm) return false
      if (register.own === entry.own || !rules.releaseByNumber) register.own = 0
      return true
    default:
      return true
  }
}

/** Whether an operation may come into the log: once, however often it is asked for. */
export function mayPropose(log: readonly Entry[], op: number, { once }: Rules): boolean {
  return log.filter((entry) => 'op' in entry && entry.op === op).length < (once ? 1 : 2)
}
