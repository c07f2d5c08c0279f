/**
 * One key of a cache as a sequential object, for the linearizability checker: an entry with a version, or none.
 *
 *   none ──put, incr──▶ entry(version, value) ──put, incr──▶ entry ──delete, an invalidation of it──▶ none
 *                           ├── its time may be over ──▶ none
 *                           └── one of its tags was invalidated while it was written ──▶ none
 *
 * In a cache with `writeback` an owner writes alone, and the newest of what it wrote may be lost with it: until another node
 * was told of the key, the state remembers what there was before each such write.
 *
 *   owner's:  w1 ── w2 ── w3 ──loss of at most 2──▶ what there was before w3, or before w2; never w3 without w2
 *
 * Not everything is decided by what clients were told (an unknown outcome, an entry that may be gone by now), so a state is
 * the set of all states that there may be, and a step keeps those in which it could have gone as it did.
 */
import type { Millis } from '../base/ids.ts'
import type { Condition } from '../cache/types.ts'
import type { Model } from './linearizability.ts'

/** The client does not know whether it happened. */
export const UNKNOWN = 'unknown'
export type Refusal = { readonly mismatch: number } | { readonly staleToken: true }

/** Who may have done it alone. */
export interface Alone {
  /** The life of the node that was asked; '' or nothing: it went through the log, where nobody owns the line. */
  readonly alone?: string
  /** It may not have been in the log when that node lost what it had. */
  readonly losable?: boolean
}

export type CacheOperation = Alone & CacheEvent

type CacheEvent =
  | { readonly kind: 'read'; readonly version: number; readonly value: number | null; readonly at: Millis }
  | {
      readonly kind: 'put'
      readonly value: number
      readonly tags: string
      /** Tags that were invalidated while it was under way. */
      readonly meanwhile: string
      /** Before this nobody may find that its time is over. */
      readonly livesUntil: Millis
      readonly condition: Condition
      readonly token: string
      readonly at: Millis
      /** `created` null: nobody looked whether what was there was dead by its tags. */
      readonly result: { readonly version: number; readonly created: boolean | null } | Refusal | typeof UNKNOWN
    }
  | {
      readonly kind: 'increment'
      readonly by: number
      /** Of the key itself: its levels. */
      readonly tags: string
      readonly meanwhile: string
      readonly at: Millis
      readonly result: { readonly version: number; readonly value: number } | typeof UNKNOWN
    }
  | {
      readonly kind: 'delete'
      readonly condition: Condition
      readonly meanwhile: string
      readonly at: Millis
      readonly result: { readonly version: number; readonly existed: boolean } | Refusal | typeof UNKNOWN
    }
  /** `tag` '': whatever it carries. */
  | { readonly kind: 'invalidate'; readonly tag: string; readonly at: Millis; readonly removed: number | null }
  | { readonly kind: 'grant'; readonly token: string; readonly tags: string; readonly at: Millis }
  /** What this life wrote alone last may be gone: so many writes at most. */
  | { readonly kind: 'loss'; readonly owner: string; readonly count: number }

interface Entry {
  /** 0: nobody was told. */
  readonly version: number
  readonly value: number
  readonly tags: string
  /** It may be dead by a tag. */
  readonly fragile: boolean
  readonly livesUntil: Millis
  /** Its version is above this. */
  readonly above: number
}

interface Before {
  readonly entry: Entry | null
  readonly ghost: Entry | null
}

interface State extends Before {
  /** Every version to come is above it. */
  readonly floor: number
  readonly entry: Entry | null
  /** What the last invalidation of a tag has killed, while nothing was written since. */
  readonly ghost: Entry | null
  /** Of the load that a put may end; '': none that is known. */
  readonly token: string
  /** What is loaded shall carry them. */
  readonly tokenTags: string
  /** The life that may write alone now; '': nobody that is known. */
  readonly owner: string
  /** What there was before each write that may be lost with it, the oldest first. */
  readonly undo: readonly Before[]
}

type Step = (state: State) => readonly State[]

const NOTHING: State = { floor: 0, entry: null, ghost: null, token: '', tokenTags: '', owner: '', undo: [] }
const parsed = new Map<string, readonly State[]>()
const PARSED_MAX = 10_000

export const cacheModel: Model<string, CacheOperation> = {
  initial: JSON.stringify([NOTHING]),
  step(text, operation) {
    const step = stepOf(operation)
    const next = new Set(statesIn(text).flatMap((state) => step(state).map((one) => JSON.stringify(one))))
    return next.size === 0 ? null : `[${[...next].sort().join()}]`
  },
}

function statesIn(text: string): readonly State[] {
  const known = parsed.get(text)
  if (known) return known
  if (parsed.size >= PARSED_MAX) parsed.clear()
  // Of numbers JSON has no infinite ones: null is for ever.
  const timed = (entry: Entry | null): Entry | null => entry && { ...entry, livesUntil: entry.livesUntil ?? Infinity }
  const both = <T extends Before>(before: T): T => ({ ...before, entry: timed(before.entry), ghost: timed(before.ghost) })
  const states = (JSON.parse(text) as State[]).map((state) => ({ ...both(state), undo: state.undo.map(both) }))
  parsed.set(text, states)
  return states
}

/** Who asks makes any other owner give the line back: what that one wrote is in the log before. */
function stepOf(operation: CacheOperation): Step {
  const step = eventOf(operation)
  const { alone = '', kind } = operation
  if (kind === 'loss' || (kind === 'invalidate' && operation.tag !== '')) return step
  const isInDoubt = 'result' in operation && operation.result === UNKNOWN
  return (state) => {
    if (state.owner === alone) return step(state)
    const next = step({ ...state, owner: alone, undo: [] })
    return isInDoubt ? [state, ...next] : next
  }
}

function eventOf(operation: CacheOperation): Step {
  switch (operation.kind) {
    case 'read':
      return (state) => read(state, operation)
    case 'put':
      return (state) => conditional(state, operation).flatMap((one) => put(one, operation))
    case 'increment':
      return (state) => ways(state, operation.at).flatMap((one) => increment(one, operation))
    case 'delete':
      return (state) => conditional(state, operation).flatMap((one) => remove(one, operation))
    case 'invalidate':
      return (state) => ways(state, operation.at).flatMap((one) => invalidate(one, operation))
    case 'grant':
      return (state) => ways(state, operation.at).flatMap((one) => grant(one, operation))
    case 'loss':
      return (state) => lose(state, operation)
  }
}

/** As it is, and with the entry gone where it may be. A load that knew the entry dead is not ended by that. */
function ways(state: State, at: Millis): readonly State[] {
  const { entry } = state
  return entry !== null && (entry.fragile || at >= entry.livesUntil) ? [state, { ...state, entry: null }] : [state]
}

/** A condition is judged by the tags as they were when the write began: what was invalidated since may still be there for it. */
function conditional(state: State, { at, meanwhile }: { readonly at: Millis; readonly meanwhile: string }): readonly State[] {
  const { ghost, entry } = state
  const known = ways(state, at)
  return entry === null && ghost !== null && shares(ghost.tags, meanwhile) ? [...known, { ...state, entry: ghost }] : known
}

function read(state: State, { version, value, at }: Extract<CacheOperation, { kind: 'read' }>): readonly State[] {
  return ways(state, at).flatMap((one) => {
    if (value === null) return one.entry === null ? [one] : []
    return one.entry?.value === value ? revealed(one, version) : []
  })
}

/** The entry has this version. */
function revealed(state: State, version: number): readonly State[] {
  const { entry, floor } = state
  if (entry === null) return version === 0 ? [state] : []
  if (entry.version !== 0) return entry.version === version ? [state] : []
  return version > entry.above ? [{ ...state, floor: Math.max(floor, version), entry: { ...entry, version } }] : []
}

function holds({ entry }: State, condition: Condition): boolean {
  if (condition === null) return true
  if (condition === 'absent') return entry === null
  if (condition === 'present') return entry !== null
  // Whoever asks for a version has seen it; so a version that nobody was told is another.
  return (entry?.version ?? 0) === condition
}

type Written = Omit<Entry, 'version' | 'above'>

function written(state: State, version: number, entry: Written, { losable }: Alone): readonly State[] {
  const { floor, owner } = state
  if (version !== 0 && version <= floor) return []
  const next = { ...entry, version, above: floor }
  return [
    { floor: Math.max(floor, version), entry: next, ghost: null, token: '', tokenTags: '', owner, undo: undoOf(state, losable === true) },
  ]
}

/** Before the next write. What is certain to be in the log has all in it that came before. */
function undoOf({ undo, entry, ghost }: State, losable: boolean): readonly Before[] {
  return losable ? [...undo, { entry, ghost }] : []
}

/** A line of which the owner is known to be another has lost nothing by this. */
function lose(state: State, { owner, count }: Extract<CacheOperation, { kind: 'loss' }>): readonly State[] {
  const { undo } = state
  if (state.owner !== owner) return [state]
  const over = { ...state, owner: '', undo: [] }
  return [over, ...undo.slice(Math.max(0, undo.length - count)).map((before) => ({ ...over, ...before }))]
}

function put(state: State, operation: Extract<CacheOperation, { kind: 'put' }>): readonly State[] {
  const { value, tags, meanwhile, livesUntil, condition, token, result } = operation
  const inTime = token === '' || state.token === token
  const entry = { value, tags, livesUntil, fragile: shares(tags, meanwhile) }
  if (result === UNKNOWN) return inTime && holds(state, condition) ? [state, ...written(state, 0, entry, operation)] : [state]
  // Its lease may have been over before.
  if ('staleToken' in result) return [inTime ? withoutToken(state) : state]
  if ('mismatch' in result) return holds(state, condition) ? [] : revealed(state, result.mismatch)
  const fits = inTime && holds(state, condition) && (result.created ?? state.entry === null) === (state.entry === null)
  return fits ? written(state, result.version, entry, operation) : []
}

function increment(state: State, operation: Extract<CacheOperation, { kind: 'increment' }>): readonly State[] {
  const { by, tags, meanwhile, result } = operation
  const { entry } = state
  const kept: Written = entry ?? { value: 0, tags, livesUntil: Infinity, fragile: false }
  const next = { ...kept, value: kept.value + by, fragile: kept.fragile || shares(kept.tags, meanwhile) }
  if (result === UNKNOWN) return [state, ...written(state, 0, next, operation)]
  return result.value === next.value ? written(state, result.version, next, operation) : []
}

function remove(state: State, operation: Extract<CacheOperation, { kind: 'delete' }>): readonly State[] {
  const { condition, result, losable = false } = operation
  const gone = (version: number): State => {
    const undo = state.entry === null ? state.undo : undoOf(state, losable)
    return { ...withoutToken(state), floor: Math.max(state.floor, version), entry: null, ghost: null, undo }
  }
  if (result === UNKNOWN) return holds(state, condition) ? [state, gone(0)] : [state]
  if ('staleToken' in result) return []
  if ('mismatch' in result) return holds(state, condition) ? [] : revealed(state, result.mismatch)
  if (!holds(state, condition) || result.existed !== (state.entry !== null)) return []
  return result.existed && result.version <= state.floor ? [] : [gone(result.version)]
}

function invalidate(state: State, { tag, removed }: Extract<CacheOperation, { kind: 'invalidate' }>): readonly State[] {
  const { entry } = state
  const isMeant = entry !== null && (tag === '' || shares(entry.tags, tag))
  if (removed !== null && removed !== (isMeant ? 1 : 0)) return []
  const fenced = isMeant || tag === '' || shares(state.tokenTags, tag) ? withoutToken(state) : state
  const undo = state.undo.map((before) => (shares(before.entry?.tags ?? '', tag) ? { entry: null, ghost: before.entry } : before))
  return [isMeant ? { ...fenced, entry: null, ghost: tag === '' ? null : entry, undo } : { ...fenced, undo }]
}

function grant(state: State, { token, tags }: Extract<CacheOperation, { kind: 'grant' }>): readonly State[] {
  return state.entry === null ? [{ ...state, token, tokenTags: tags }] : []
}

function withoutToken(state: State): State {
  return { ...state, token: '', tokenTags: '' }
}

function shares(tags: string, others: string): boolean {
  return tags !== '' && others !== '' && others.split(' ').some((tag) => tags.split(' ').includes(tag))
}
